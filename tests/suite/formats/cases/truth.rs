//! What a case's `case.json` says: what is delivered, what is run, and what is right then.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use finops_core::Costs;
use serde::Deserialize;

/// Where the cases are: a folder each.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it is, and where it occurs.
    pub about: String,
    /// Deliveries that follow each other; the tables are kept in between.
    pub steps: Vec<Step>,
}

impl Case {
    pub fn read(name: &str) -> Self {
        let path = folder().join(name).join("case.json");
        serde_json::from_slice(&fs::read(&path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

/// The files of the folder `<number of the step>`, and the runs after they are delivered.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When files were written, in seconds since 1970, where that matters.
    #[serde(default)]
    pub modified: BTreeMap<String, u64>,
    pub runs: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// `aws` or `azure`.
    pub pipeline: String,
    /// The folder or prefix.
    #[serde(default)]
    pub source: String,
    /// The export's name.
    pub export: String,
    /// Other settings of the export, without the pipeline's name at the beginning.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Runs that name one table load into it one after the other, in all steps; else each run of a step has its own.
    pub table: Option<String>,
    /// From S3 and not from a folder.
    pub s3: Option<FromS3>,
    pub right: Right,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromS3 {
    /// The objects are the files of this folder,
    #[serde(default)]
    pub folder: String,
    /// with this before their paths in it.
    #[serde(default)]
    pub above: String,
    /// With SSE-KMS.
    #[serde(default)]
    pub encrypted: bool,
    /// Objects with this in their key are archived.
    pub archived: Option<String>,
}

/// What is right after a run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Right {
    /// Everything that the table contains, and what is said about its months.
    #[serde(default)]
    pub months: BTreeMap<String, Month>,
    /// The export is refused, and what is said matches these patterns.
    #[serde(default)]
    pub refuse: Vec<String>,
    /// What is said matches none of these.
    #[serde(default)]
    pub not: Vec<String>,
    /// All values of columns of a month, as text; without a list: no value, or no such column. A text of more than 200
    /// letters is `sha256:` and its hash.
    #[serde(default)]
    pub values: BTreeMap<String, BTreeMap<String, Option<Values>>>,
    /// Columns that have one value in all months.
    #[serde(default)]
    pub alike: Vec<String>,
}

impl Right {
    /// Whether the run must fail.
    pub fn is_refusal(&self) -> bool {
        !self.refuse.is_empty() || self.months.values().any(|month| !month.refuse.is_empty())
    }

    /// What the table contains: rows and exact costs of each month.
    pub fn figures(&self) -> Figures {
        let figures = |(month, right): (&String, &Month)| Some((month.clone(), (right.rows?, right.cost.clone())));
        self.months.iter().filter_map(figures).collect()
    }
}

/// Values of a column; `None` is NULL.
pub type Values = Vec<Option<String>>;

/// Rows and exact costs of each month.
pub type Figures = BTreeMap<String, (usize, Costs)>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Month {
    /// None if the table does not have the month.
    pub rows: Option<usize>,
    #[serde(default)]
    pub cost: Costs,
    /// It is refused, and what is said about it matches these patterns. With rows: these remain in the table.
    #[serde(default)]
    pub refuse: Vec<String>,
    /// What is said about it matches none of these.
    #[serde(default)]
    pub not: Vec<String>,
    /// It loads, and what is said about it matches these.
    #[serde(default)]
    pub says: Vec<String>,
}
