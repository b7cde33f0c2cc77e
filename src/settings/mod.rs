//! What a run is configured to do: the environment, checked as a whole.

mod environment;
mod exports;
mod file;
mod parse;
mod problem;
mod scope;
mod staged;
mod values;

pub use environment::{Origin, Setting, process_environment, settings};
pub use file::{CONFIG_FILE, Values};
use finops_core::plan::age::MaxAge;
use jiff::SignedDuration;
pub use parse::{CliOverrides, parse};
pub use problem::{Problem, Problems};
pub use staged::StagedSettings;

use crate::{
    flow::export::{Export, Months},
    warehouse::open::WarehouseConfig,
};

/// Everything that a run needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The exports to load, in the order of their pipelines.
    pub exports: Vec<Export>,
    /// Where to.
    pub warehouse: WarehouseConfig,
    /// `STORAGE_EMULATOR_HOST`.
    pub storage_emulator: Option<String>,
    /// Which months count.
    pub months: Months,
    /// How long a month may wait for its files.
    pub wait_max: SignedDuration,
    /// How old an export's newest delivery may be.
    pub max_age: MaxAge,
}

impl Config {
    /// `aws` or `azure`, or `all` where there are exports of both.
    pub fn pipeline(&self) -> &'static str {
        let mut providers = self.exports.iter().map(|export| export.provider);
        match providers.next() {
            Some(first) if providers.all(|provider| provider == first) => first.as_str(),
            _ => "all",
        }
    }
}

/// Where most values are looked for.
const ENVIRONMENT: &str = "looked in: environment";

/// Where the values are looked for that a command line may give.
const FLAG_OR_ENVIRONMENT: &str = "looked in: command line, environment";
