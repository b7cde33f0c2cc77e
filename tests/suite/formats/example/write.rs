//! Writes Meadow's deliveries. For a provider that exists, `generator/` does this.

use std::path::Path;

use super::{
    manifest::{MeadowFile, MeadowManifest},
    paths::MANIFEST,
};
use crate::support::tree::write;

/// The name of the export.
pub const EXPORT: &str = "team";

/// One delivery of a month: a row of USD for each cost, each in a file of its own.
pub struct MeadowRun<'a> {
    pub month: &'a str,
    pub run: &'a str,
    pub costs: &'a [&'a str],
}

impl MeadowRun<'_> {
    /// Writes the delivery below `folder`: data files first, then the manifest.
    pub fn write(&self, folder: &Path) {
        let run = folder.join(EXPORT).join(self.month).join(self.run);
        let file = |(number, cost): (usize, &&str)| {
            let (name, text) = (format!("part-{number}.csv"), self.csv(cost));
            write(&run.join(&name), text.as_bytes());
            MeadowFile { name, bytes: text.len() as u64 }
        };
        let manifest = MeadowManifest {
            run: self.run.to_owned(),
            month: self.month.parse().unwrap(),
            rows: self.costs.len() as u64,
            files: self.costs.iter().enumerate().map(file).collect(),
        };
        write(&run.join(MANIFEST), &serde_json::to_vec(&manifest).unwrap());
    }

    fn csv(&self, cost: &str) -> String {
        let month = self.month;
        format!(
            "BillingPeriodStart,ChargePeriodStart,BilledCost,BillingCurrency,ServiceName\n\
             {month}-01T00:00:00Z,{month}-02T00:00:00Z,{cost},USD,Hay\n"
        )
    }
}
