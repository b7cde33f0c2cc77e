//! What `finops check` finds, and what can be decided about it without asking a service.

use std::fmt;

use jiff::SignedDuration;
use serde::Serialize;

use crate::{hint, model::text::message};

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Which finops it is.
    Version,
    /// This machine's clock.
    Clock,
    /// The identity that a service sees.
    Credentials,
    /// Whether jobs may be run in the project.
    Jobs,
    /// The dataset.
    Dataset,
    /// What the account may do to an object.
    Permissions,
    /// The state table.
    StateTable,
    /// The bucket or folder with the export.
    Source,
    /// The export in it.
    Export,
    /// Whether the dataset may load from the bucket's location, and copy from the staging dataset's.
    Location,
    /// The export's table.
    Table,
    /// The row access policies of the export's table.
    RowAccess,
    /// The DuckDB file.
    Database,
}

/// The name in JSON and in logs.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing is wrong.
    Ok,
    /// A run may succeed, or nobody knows.
    Warning,
    /// A run would fail.
    Failed,
    /// What it depends on failed.
    NotChecked,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked.
    pub check: Check,
    /// The object that was checked.
    pub object: String,
    /// How it ended.
    pub status: Status,
    /// What was found.
    pub found: String,
    /// How to fix it.
    pub hint: Option<String>,
}

impl Finding {
    /// A check that found nothing wrong.
    pub fn ok(check: Check, object: &str, found: &str) -> Self {
        Self::new(check, object, Status::Ok, found, None)
    }

    /// A check with a result with which a run may succeed, or without one.
    pub fn warning(check: Check, object: &str, found: &str, hint: &str) -> Self {
        Self::new(check, object, Status::Warning, found, Some(hint))
    }

    /// A check with a result that would fail a run.
    pub fn failed(check: Check, object: &str, found: &str, hint: Option<&str>) -> Self {
        Self::new(check, object, Status::Failed, found, hint)
    }

    /// A check without what it needs, such as `the credentials`.
    pub fn not_checked(check: Check, object: &str, needs: &str) -> Self {
        Self::new(check, object, Status::NotChecked, &format!("needs {needs}"), None)
    }

    fn new(check: Check, object: &str, status: Status, found: &str, hint: Option<&str>) -> Self {
        let (object, found, hint) = (message(object), message(found), hint.map(message));
        Self { check, object, status, found, hint }
    }
}

/// All that was checked.
#[derive(Clone, Debug, Serialize)]
pub struct CheckReport {
    /// Each check once for each object.
    pub checks: Vec<Finding>,
}

impl CheckReport {
    /// The findings, each once: exports may share a bucket or a dataset.
    pub fn new(findings: impl IntoIterator<Item = Finding>) -> Self {
        let mut checks: Vec<Finding> = Vec::new();
        for finding in findings {
            if !checks.contains(&finding) {
                checks.push(finding);
            }
        }
        Self { checks }
    }

    /// Whether a run would fail.
    pub fn failed(&self) -> bool {
        self.checks.iter().any(|finding| finding.status == Status::Failed)
    }

    /// How many checks ended so.
    pub fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|finding| finding.status == status).count()
    }
}

/// A clock that is off by more than this is a warning.
const NOTICEABLE: SignedDuration = SignedDuration::from_mins(1);
/// Google refuses tokens that are signed with a clock off by more than a few minutes.
const HARMFUL: SignedDuration = SignedDuration::from_mins(5);

/// The finding on this machine's clock, which is `ahead` of that of `service`.
pub fn clock(service: &str, ahead: SignedDuration) -> Finding {
    let (off, way) = (ahead.abs(), if ahead.is_negative() { "behind" } else { "ahead of" });
    if off <= NOTICEABLE {
        return Finding::ok(Check::Clock, service, "within a minute of the service's");
    }
    let found = format!("this machine's clock is {} s {way} the service's", off.as_secs());
    let hint = hint::SET_CLOCK;
    if off <= HARMFUL {
        Finding::warning(Check::Clock, service, &found, hint)
    } else {
        Finding::failed(Check::Clock, service, &found, Some(hint))
    }
}

/// Where a bucket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketLocation {
    /// Such as `US`, `EUROPE-WEST1`, or `EUR4`.
    pub location: String,
    /// Whether it is spread over two regions.
    pub dual_region: bool,
}

/// Whether a dataset may load from a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loading {
    /// It may.
    Possible,
    /// It may not.
    Impossible,
    /// Google's documentation does not say so clearly.
    Unknown,
}

/// Whether a dataset in that location may load from the bucket. Google documents it: both in one region, or the bucket in a
/// region or multi-region that the dataset's multi-region contains; a dataset in US may load from anywhere.
pub fn loading(bucket: &BucketLocation, dataset: &str) -> Loading {
    let (from, into) = (bucket.location.to_ascii_lowercase(), dataset.to_ascii_lowercase());
    // Regions of Europe outside of the European Union, which the multi-region EU does not contain.
    let outside_eu = ["europe-west2", "europe-west6"].contains(&from.as_str());
    let within_eu = from == "eur4" || (from.starts_with("europe-") && !outside_eu);
    if from == into || into == "us" || (into == "eu" && within_eu) {
        Loading::Possible
    } else if bucket.dual_region {
        Loading::Unknown
    } else {
        Loading::Impossible
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(location: &str, dual_region: bool) -> BucketLocation {
        BucketLocation { location: location.to_owned(), dual_region }
    }

    #[test]
    fn a_dataset_loads_from_its_own_region_or_from_within_its_multi_region_and_in_us_from_anywhere() {
        for (bucket, dataset, expected) in [
            ("EUROPE-WEST3", "europe-west3", Loading::Possible),
            ("EU", "EU", Loading::Possible),
            ("EUROPE-WEST3", "EU", Loading::Possible),
            ("EUROPE-SOUTHWEST1", "EU", Loading::Possible),
            ("EUROPE-WEST2", "EU", Loading::Impossible),
            ("EUROPE-WEST6", "EU", Loading::Impossible),
            ("ASIA-EAST1", "US", Loading::Possible),
            ("EU", "us", Loading::Possible),
            ("US", "EU", Loading::Impossible),
            ("US-CENTRAL1", "EU", Loading::Impossible),
            ("EU", "europe-west3", Loading::Impossible),
            ("US", "us-central1", Loading::Impossible),
            ("EUROPE-WEST3", "europe-west4", Loading::Impossible),
        ] {
            assert_eq!(loading(&place(bucket, false), dataset), expected, "{bucket} to {dataset}");
        }
        assert_eq!(loading(&place("EUR4", true), "EU"), Loading::Possible);
        assert_eq!(loading(&place("EUR4", true), "europe-west4"), Loading::Unknown);
    }

    #[test]
    fn a_clock_that_is_off_is_a_warning_before_it_fails_a_run() {
        for (seconds, status) in [
            (0, Status::Ok),
            (60, Status::Ok),
            (-60, Status::Ok),
            (61, Status::Warning),
            (-300, Status::Warning),
            (301, Status::Failed),
            (-86_400, Status::Failed),
        ] {
            assert_eq!(clock("BigQuery", SignedDuration::from_secs(seconds)).status, status, "{seconds}");
        }
        assert!(clock("BigQuery", SignedDuration::from_secs(-301)).found.contains("301 s behind the service's"));
        assert!(clock("BigQuery", SignedDuration::from_secs(301)).found.contains("301 s ahead of the service's"));
    }

    #[test]
    fn exports_that_share_an_object_have_one_finding_of_it() {
        let bucket = || Finding::ok(Check::Source, "gs://b/", "read");
        let report = CheckReport::new([bucket(), Finding::not_checked(Check::Export, "cur", "the source"), bucket()]);
        assert_eq!((report.checks.len(), report.failed(), report.count(Status::NotChecked)), (2, false, 1));
    }
}
