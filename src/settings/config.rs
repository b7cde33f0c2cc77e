//! The configuration of a run.

use finops_core::plan::age::MaxAge;
use jiff::SignedDuration;

use super::problem::Problem;
use crate::{
    flow::export::{Export, Months},
    warehouse::open::WarehouseConfig,
};

/// Everything that a run needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The exports to load, in the order of their pipelines.
    pub exports: Vec<Export>,
    /// The warehouse to load into.
    pub warehouse: WarehouseConfig,
    /// `STORAGE_EMULATOR_HOST`.
    pub storage_emulator: Option<String>,
    /// Which months count.
    pub months: Months,
    /// How long a month may wait for its files.
    pub wait_max: SignedDuration,
    /// How old an export's newest delivery may be.
    pub max_age: MaxAge,
    /// Variables that may be misspelt.
    pub unread: Vec<Problem>,
}

impl Config {
    /// `aws` or `azure`, or `all` if there are exports of both.
    pub fn pipeline(&self) -> &'static str {
        let mut providers = self.exports.iter().map(|export| export.provider);
        match providers.next() {
            Some(first) if providers.all(|provider| provider == first) => first.as_str(),
            _ => "all",
        }
    }
}
