//! What may happen in a world, and what its deliveries are.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
};

use finops_core::{
    model::{
        delivery::{Delivery, StoredFile},
        kind::ExportKind,
        load_record::{LoadRecord, LoadStatus, LoadedMonth},
        manifest::{FileFormat, Manifest, ManifestFile},
    },
    plan::{Candidate, Decision, Rules, Selection, plan},
};
use jiff::{SignedDuration, Timestamp, civil::Date};

use crate::world::{Label, Row};

/// How many deliveries of the month there will be. They are numbered from 1; a later one is newer.
pub const DELIVERIES: u8 = 3;
/// The delivery that an older version loaded, which is not there any more.
pub const OLDER: u8 = 0;

/// A flow that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broken {
    /// It lists before it reads the state.
    ListsFirst,
    /// It does not search for jobs after one of the same delivery.
    NoLookBehind,
    /// It records a job that it inserted without waiting for its end.
    RecordsFirst,
    /// It does not check what it staged.
    NoCheck,
    /// It continues with its old listing instead of beginning again.
    GoesOn,
}

/// How often each may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Left {
    /// A job fails, or its insert is refused.
    pub failures: u8,
    /// Somebody deletes the month's rows.
    pub rows_lost: u8,
    /// The last row of the state disappears.
    pub state_lost: u8,
    /// The warehouse forgets a job that is over.
    pub forgotten: u8,
}

/// The delivery to load, by what was delivered, the state's row, the rows in the table and force.
type Plans = HashMap<(u8, Option<u8>, u64, bool), Option<u8>>;

/// What may happen in a world.
#[derive(Debug, Default)]
pub struct Setup {
    pub flows: u8,
    /// The last flow is forced to load the month again.
    pub forced: bool,
    pub left: Left,
    /// The last day that each delivery covers; 30 where it is 0.
    pub until: [i8; 3],
    /// All deliveries have the same number of rows.
    pub same_rows: bool,
    /// A delivery that does not pass the check.
    pub bad: Option<u8>,
    /// A manifest replaces the one before.
    pub overwrites: bool,
    pub broken: Option<Broken>,
    /// Earlier answers of the plan, which is slow compared with the rest of the model.
    pub plans: RefCell<Plans>,
}

impl Setup {
    pub fn rows(&self, delivery: u8) -> u64 {
        if self.same_rows { 5 } else { 5 + u64::from(delivery) }
    }

    pub fn is_bad(&self, delivery: u8) -> bool {
        self.bad == Some(delivery)
    }

    /// The last day that a delivery covers; an older version did not record it.
    pub fn covers(&self, delivery: u8) -> Option<Date> {
        let day = self.until[usize::from(delivery.checked_sub(1)?)];
        Some(Date::constant(2025, 9, if day == 0 { 30 } else { day }))
    }

    /// The last day of a flow's delivery, if it matters to the flow.
    pub fn until(&self, label: Label) -> Option<Date> {
        self.covers(label.delivery).filter(|_| label.forced.is_none())
    }

    /// The deliveries whose manifests are there.
    pub fn there(&self, delivered: u8) -> std::ops::RangeInclusive<u8> {
        (if self.overwrites { delivered.max(1) } else { 1 })..=delivered
    }

    /// The delivery that the shipped plan loads, if any.
    pub fn planned(&self, delivered: u8, row: Option<Row>, in_table: u64, force: bool) -> Option<u8> {
        let key = (delivered, row.map(|row| row.delivery), in_table, force);
        *self.plans.borrow_mut().entry(key).or_insert_with(|| {
            let candidates: Vec<Candidate> = self.there(delivered).map(|delivery| self.candidate(delivery)).collect();
            let loaded = row.map(|row| LoadedMonth { record: self.record(row), rows_in_table: in_table });
            let months: BTreeMap<_, _> =
                loaded.into_iter().map(|loaded| (loaded.record.billing_period, loaded)).collect();
            let rules = Rules { force, now: october(20), wait_max: SignedDuration::from_hours(48) };
            match plan(candidates, &months, &Selection::default(), &rules).pop()?.decision {
                Decision::Load(delivery) | Decision::Reload(delivery) => delivery.manifest.execution_id.parse().ok(),
                Decision::Skip { empty: false } => None,
                other => unreachable!("every delivery is complete: {other:?}"),
            }
        })
    }

    fn delivery(&self, number: u8) -> Delivery {
        let path = format!("{number}.csv");
        let manifest = Manifest {
            issued_at: Some(october(number)),
            covers_until: self.covers(number),
            rows: Some(self.rows(number)),
            files: vec![ManifestFile { relative_path: path.clone(), bytes: None }],
            ..Manifest::new(
                ExportKind::AzureActual,
                "daily",
                "2025-09".parse().unwrap(),
                number.to_string(),
                FileFormat::Csv,
            )
        };
        let file = StoredFile {
            key: path.clone(),
            bytes: 1,
            updated: october(number),
            checksum: "c".to_owned(),
            version: None,
        };
        Delivery::new(manifest, format!("gs://b/{number}.json"), october(number), HashMap::from([(path, file)]))
    }

    fn candidate(&self, number: u8) -> Candidate {
        let delivery = self.delivery(number);
        Candidate {
            billing_period: delivery.manifest.billing_period,
            manifest_uri: delivery.manifest_uri.clone(),
            delivery: Ok(delivery),
        }
    }

    fn record(&self, row: Row) -> LoadRecord {
        let delivery = self.delivery(row.delivery);
        LoadRecord {
            pipeline: "azure".to_owned(),
            export_name: "daily".to_owned(),
            table_name: "t".to_owned(),
            billing_period: delivery.manifest.billing_period,
            sequence: row.sequence,
            execution_id: delivery.manifest.execution_id,
            fingerprint: delivery.fingerprint,
            manifest_uri: delivery.manifest_uri,
            job_id: None,
            status: LoadStatus::Loaded,
            rows: self.rows(row.delivery),
            files: 1,
            bytes: 1,
            cost: BTreeMap::new(),
            previous_execution_id: None,
            run_id: "r".to_owned(),
            loaded_at: october(10),
            kind: None,
            issued_at: delivery.manifest.issued_at,
            covers_until: delivery.manifest.covers_until,
            cost_net: None,
            scopes: None,
        }
    }
}

/// A day of October 2025.
fn october(day: u8) -> Timestamp {
    Timestamp::constant(1_759_276_800, 0) + SignedDuration::from_hours(24 * i64::from(day))
}
