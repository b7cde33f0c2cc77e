//! What a warehouse loads for a month: its files in batches, and which rows belong to which run and scope.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use finops_core::{
    BillingPeriod,
    formats::azure::{
        account::Part,
        scope::{self, values},
    },
    hint,
    model::{
        column_type::ColumnType,
        delivery::StoredFile,
        load_record::{LoadedMonth, ScopeRecord},
        manifest::Manifest,
        provider::Provider,
    },
    schema::Column,
};

use crate::{
    error::{Error, ErrorKind, Result},
    flow::{
        columns::BatchColumns,
        export::{Export, Run},
        schema::MonthToLoad,
    },
    warehouse::{Batch, LoadColumn, MonthLoad, Target},
};

/// BigQuery's limit of files for a load job.
const FILES_OF_A_JOB: usize = 10_000;

/// What a round knows of every month that it loads.
pub struct Round<'a> {
    /// The export.
    pub export: &'a Export,
    /// Its table.
    pub target: &'a Target,
    /// The run.
    pub run: &'a Run,
    /// The table's columns.
    pub columns: &'a [Column],
    /// What was loaded before this round.
    pub months: &'a BTreeMap<BillingPeriod, LoadedMonth>,
    /// The scopes of the months that this round has loaded. A month of usage can have days of the months beside it. They count
    /// for the months that follow.
    pub loaded_now: Mutex<BTreeMap<BillingPeriod, Vec<ScopeRecord>>>,
}

impl Round<'_> {
    /// See [`Round::loaded_now`].
    pub fn loaded_now(&self) -> MutexGuard<'_, BTreeMap<BillingPeriod, Vec<ScopeRecord>>> {
        self.loaded_now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The month's load. `files` are the delivery's files as the warehouse reads them.
///
/// # Errors
/// `Schema` where the delivery's runs have their cost in different columns.
pub fn month_load(round: &Round<'_>, ready: &MonthToLoad, files: &[String]) -> Result<MonthLoad> {
    let (Round { export, target, run, columns, months, .. }, MonthToLoad { delivery, batches }) = (round, ready);
    let period = delivery.manifest.billing_period;
    let types: HashMap<&str, ColumnType> = columns.iter().map(|c| (c.name.as_str(), c.column_type)).collect();
    let has = |batch: &BatchColumns, name: &str| batch.columns.columns.iter().any(|column| column.name == name);
    let in_files = |name: &str| batches.iter().any(|batch| has(batch, name));
    let in_table = |name: &str| types.contains_key(name);
    let key = &target.key_columns;
    let cost = key.cost(in_files).or_else(|| key.cost(in_table)).unwrap_or(key.costs[0]);
    let currency = key.currency(in_files).or_else(|| key.currency(in_table)).unwrap_or(key.currencies[0]);
    if let Some(other) = batches.iter().find(|batch| !has(batch, cost) || (in_files(currency) && !has(batch, currency)))
    {
        let lacks = if has(other, cost) { currency } else { cost };
        let id = other.runs.first().map(|run| delivery.runs()[*run].0.execution_id.as_str()).unwrap_or_default();
        let message = format!("{period} cannot be loaded: run {id} has no column {lacks}, which its other runs have");
        return Err(Error::new(ErrorKind::Schema, message).hint(hint::SAME_VERSION));
    }
    let is_decimal = |name: &str| types.get(name) == Some(&ColumnType::Decimal);
    let net_cost =
        key.net_cost.filter(|columns| in_files(columns.net) && in_files(columns.line_type) && is_decimal(columns.net));
    let (parts, group_by, loads) = whose(target, ready, files, &types);
    let rows = batches.iter().flat_map(|batch| &batch.rows).copied().sum::<Option<u64>>();
    let visible = |period| {
        let before =
            || months.get(&period).and_then(LoadedMonth::record_if_in_table).and_then(|record| record.scopes.clone());
        round.loaded_now().get(&period).cloned().or_else(before)
    };
    let neighbours: Vec<ScopeRecord> =
        [period.before(), period.after()].into_iter().filter_map(visible).flatten().collect();
    let loaded_scopes = export.selection().recorded(months.get(&period)).into_iter().cloned().collect();
    Ok(MonthLoad {
        billing_period: period,
        execution_id: delivery.manifest.execution_id.clone(),
        fingerprint: delivery.fingerprint.clone(),
        manifest_uri: delivery.recorded_uri().to_owned(),
        batches: loads,
        bytes: delivery.bytes(),
        parts,
        group_by,
        loaded_scopes,
        neighbours,
        cost,
        currency,
        no_value: export.no_value(),
        net_cost,
        kind: delivery.manifest.kind,
        issued_at: delivery.issued_at(),
        covers_until: delivery.manifest.covers_until,
        rows,
        previous: months.get(&period).cloned(),
        force: run.rules.force,
        run_id: run.run_id.clone(),
    })
}

/// The runs and scopes of the rows, the columns by which rows are summed to check them, and the files in batches. The first
/// batches are summed separately, since their rows have nothing that identifies their run.
fn whose(
    target: &Target,
    MonthToLoad { delivery, batches }: &MonthToLoad,
    files: &[String],
    types: &HashMap<&str, ColumnType>,
) -> (Vec<Part>, Option<Vec<String>>, Vec<Batch>) {
    let runs = delivery.runs();
    let mut rest = files;
    let of_run = |(_, files): &(&Manifest, &[StoredFile])| {
        let (own, others) = rest.split_at(files.len().min(rest.len()));
        rest = others;
        own
    };
    let files_of: Vec<&[String]> = runs.iter().map(of_run).collect();
    let scopes: BTreeSet<&str> = runs.iter().map(|(run, _)| run.scope.as_deref().unwrap_or_default()).collect();
    let several = scopes.len() > 1;
    let of_scope = |run: usize| runs.iter().filter(|(other, _)| other.scope == runs[run].0.scope).count();
    let is_united = |run: usize| runs.iter().any(|(other, _)| other.kept && other.scope == runs[run].0.scope);
    // United scopes have one kind and the same columns, unless the settings say otherwise.
    let known = |run: usize, batch: &BatchColumns| -> Option<Vec<String>> {
        let scope = runs[run].0.scope.as_deref()?;
        let has = |name: &&str| batch.columns.columns.iter().any(|column| column.name == **name);
        let of_kind = scope::columns(scope, delivery.manifest.kind)?;
        of_kind.iter().map(|names| names.iter().find(|name| has(name)).map(|name| (*name).to_owned())).collect()
    };
    let columns = batches.iter().find_map(|batch| known(*batch.runs.first()?, batch)).filter(|_| several);
    let part = |manifest: &Manifest, rows| Part {
        scope: manifest.scope.clone().unwrap_or_default(),
        execution_id: manifest.execution_id.clone(),
        issued_at: Some(manifest.issued_at.unwrap_or(delivery.issued_at())),
        covers_until: manifest.covers_until,
        rows,
        ..Part::default()
    };
    let (mut own, mut shared) = (Vec::new(), Vec::new());
    for batch in batches {
        let load = |files: Vec<String>, is_own| Batch {
            files,
            format: batch.format,
            columns: load_columns(batch, types),
            fills_period: batch.fills_period,
            is_own,
            values: batch.columns.values.clone(),
        };
        let mut together = Vec::new();
        for (run, rows) in batch.runs.iter().zip(&batch.rows) {
            let is_own = is_united(*run) || (several && (columns.is_none() || known(*run, batch) != columns));
            let (manifest, _) = runs[*run];
            let first = manifest.from.unwrap_or(manifest.billing_period.first_day());
            let is_piece = of_scope(*run) > 1 && !is_united(*run);
            let part = Part {
                kept: manifest.kept,
                usage_month: batch.fills_period,
                folder: folder(manifest),
                values: manifest.scope.as_deref().filter(|_| several && !is_own).map(values),
                days: manifest.covers_until.filter(|_| is_piece).map(|until| (first, until)),
                is_own,
                ..part(manifest, *rows)
            };
            let files = files_of[*run].to_vec();
            if is_own {
                own.push((vec![part], load(files, true)));
            } else if rows.is_none() && runs.len() > 1 {
                shared.push((vec![part], load(files, false)));
            } else {
                together.push((part, files));
            }
        }
        let mut chunk: (Vec<Part>, Vec<String>) = Default::default();
        for (part, mut files) in together {
            while files.len() > FILES_OF_A_JOB {
                let others = files.split_off(FILES_OF_A_JOB);
                shared.push((Vec::new(), load(std::mem::replace(&mut files, others), false)));
            }
            if chunk.1.len() + files.len() > FILES_OF_A_JOB && !chunk.1.is_empty() {
                let (parts, files) = std::mem::take(&mut chunk);
                shared.push((parts, load(files, false)));
            }
            chunk.0.push(part);
            chunk.1.extend(files);
        }
        if !chunk.0.is_empty() {
            shared.push((chunk.0, load(chunk.1, false)));
        }
    }
    // Runs without rows are recorded, too.
    let without_rows = runs.iter().enumerate().filter(|(at, _)| batches.iter().all(|batch| !batch.runs.contains(at)));
    let without_rows = without_rows.map(|(_, (manifest, _))| part(manifest, manifest.rows.or(Some(0))));
    let mut parts: Vec<Part> = without_rows.map(|part| Part { is_own: true, batch: usize::MAX, ..part }).collect();
    let mut loads = Vec::new();
    for (number, (of_batch, batch)) in own.into_iter().chain(shared).enumerate() {
        parts.extend(of_batch.into_iter().map(|part| Part { batch: number, ..part }));
        loads.push(batch);
    }
    parts.sort_by(|a, b| (&a.scope, a.days, &a.execution_id).cmp(&(&b.scope, b.days, &b.execution_id)));
    if target.provider != Provider::Azure {
        return (Vec::new(), None, loads);
    }
    // Where no column identifies the scopes, the subscription's column shows whether they overlap.
    let of_subscriptions = || {
        let kind = delivery.manifest.kind;
        let names = scope::columns("/subscriptions/x", kind)?.iter().flat_map(|names| names.iter());
        let mut there = names.filter(|name| types.contains_key(**name));
        there.next().map(|name| vec![(*name).to_owned()])
    };
    let columns = columns.or_else(|| of_subscriptions().filter(|_| several));
    (parts, Some(columns.unwrap_or_default()), loads)
}

/// The folder of a run's files, below the export's.
fn folder(manifest: &Manifest) -> String {
    let first = manifest.files.first().and_then(|file| file.relative_path.rsplit_once('/'));
    first.map(|(folder, _)| folder.to_owned()).unwrap_or_default()
}

fn load_columns(batch: &BatchColumns, types: &HashMap<&str, ColumnType>) -> Vec<LoadColumn> {
    let column = |column: &finops_core::schema::FileColumn| LoadColumn {
        column: Column {
            name: column.name.clone(),
            column_type: types.get(column.name.as_str()).copied().unwrap_or(ColumnType::String),
        },
        file_name: column.file_name.clone(),
        file_type: column.file_type,
    };
    batch.columns.columns.iter().map(column).collect()
}

#[cfg(test)]
mod tests {
    use finops_core::{
        files::file_type::FileType,
        model::{delivery::Delivery, kind::ExportKind, manifest::FileFormat},
        schema::{FileColumn, MonthColumns},
    };
    use jiff::Timestamp;

    use super::*;
    use crate::warehouse::test::target;

    #[test]
    fn more_files_than_a_job_takes_are_loaded_by_several() {
        let count = 2 * FILES_OF_A_JOB + 1;
        let file = |n: usize| StoredFile {
            key: n.to_string(),
            bytes: 1,
            updated: Timestamp::UNIX_EPOCH,
            checksum: String::new(),
            version: None,
        };
        let manifest = Manifest {
            rows: Some(1),
            ..Manifest::new(ExportKind::Cur, "cur", "2025-09".parse().unwrap(), "a", FileFormat::Csv)
        };
        let delivery = Delivery {
            manifest,
            manifest_uri: String::new(),
            origin: None,
            delivered_at: Timestamp::UNIX_EPOCH,
            files: (0..count).map(file).collect(),
            missing: Vec::new(),
            of_another_size: 0,
            fingerprint: String::new(),
        };
        let (name, file_name, file_type) = ("a".to_owned(), "a".to_owned(), FileType::Text(None));
        let columns = MonthColumns {
            billing_period: delivery.manifest.billing_period,
            columns: vec![FileColumn { name, file_name, file_type }],
            rows: Some(1),
            values: HashMap::new(),
        };
        let batch =
            BatchColumns { columns, format: FileFormat::Csv, fills_period: false, runs: vec![0], rows: vec![Some(1)] };
        let files: Vec<String> = (0..count).map(|n| n.to_string()).collect();
        let (parts, _, loads) =
            whose(&target(), &MonthToLoad { delivery, batches: vec![batch] }, &files, &HashMap::new());
        assert_eq!(loads.iter().map(|load| load.files.len()).collect::<Vec<_>>(), [FILES_OF_A_JOB, FILES_OF_A_JOB, 1]);
        assert_eq!(loads.iter().flat_map(|load| load.files.clone()).collect::<Vec<_>>(), files);
        assert!(parts.is_empty(), "only Azure's runs are distinguished");
    }
}
