//! What a run works on: an export, the months that count, and the rules.

use std::{path::PathBuf, sync::Arc};

use finops_core::{
    BillingPeriod,
    formats::{Format, azure::scope::normalized},
    model::{key_columns::KeyColumns, provider::Provider},
    plan::{Rules, Selection, age::MaxAge, leave_out::LeaveOut},
};

use crate::warehouse::{NoValue, TableName, Target};

/// What a run is asked to do.
#[derive(Clone, Debug)]
pub struct Run {
    /// Names the run in logs and in the state table.
    pub run_id: String,
    /// Which months count.
    pub months: Months,
    /// Rules for the plan.
    pub rules: Rules,
    /// How old the newest delivery may be.
    pub max_age: MaxAge,
    /// Stop after the plan.
    pub dry_run: bool,
}

/// The bucket or folder of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A Google Cloud Storage bucket.
    Gcs(String),
    /// An S3 bucket.
    S3(String),
    /// A local folder.
    Local(PathBuf),
}

/// The two forms of AWS's Cost and Usage Report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurVersion {
    /// The legacy report.
    V1,
    /// A data export.
    V2,
}

impl CurVersion {
    /// The name of its format.
    pub fn format(self) -> &'static str {
        match self {
            Self::V1 => "aws_cur",
            Self::V2 => "aws_data_exports",
        }
    }
}

/// The settings of an export, except its bucket and its table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// Which of AWS's Cost and Usage Reports it must be.
    pub cur_version: Option<CurVersion>,
    /// Azure: the scopes that count, as paths such as `/subscriptions/1`; empty: all scopes.
    pub scopes: Vec<String>,
    /// Azure: runs that add the days that the newest run of their scope lacks.
    pub keep_runs: Vec<String>,
    /// Deliveries to leave out.
    pub leave_out: LeaveOut,
    /// Texts that mean "no value" in columns of amounts and dates.
    pub null_values: Vec<String>,
}

impl ExportOptions {
    /// Whether the settings unite the run with the newest one of its scope.
    pub fn keeps(&self, execution_id: &str) -> bool {
        self.keep_runs.iter().any(|kept| kept.eq_ignore_ascii_case(execution_id))
    }
}

/// One export and its table.
#[derive(Clone, Debug)]
pub struct Export {
    /// Who delivers it.
    pub provider: Provider,
    /// The formats in which its deliveries are found.
    pub formats: Vec<Arc<dyn Format>>,
    /// Its settings.
    pub options: ExportOptions,
    /// Its name in `AWS_EXPORTS`, if that is set.
    pub label: Option<String>,
    /// The provider's name of it, if it is configured.
    pub name: Option<String>,
    /// The flag, variable or key that sets that name.
    pub name_setting: String,
    /// The bucket or folder.
    pub source: Source,
    /// The prefix in it, without a `/` at either end.
    pub prefix: String,
    /// BigQuery dataset, or DuckDB schema.
    pub dataset: String,
    /// The table.
    pub table: String,
}

impl Export {
    /// The step of the staged pipeline that writes its deliveries; `None` if the provider writes them.
    pub fn written_by(&self) -> Option<&'static str> {
        self.formats.iter().find_map(|format| format.written_by())
    }

    /// Which of its deliveries count.
    pub fn selection(&self) -> Selection {
        let ExportOptions { scopes, keep_runs, leave_out, .. } = &self.options;
        Selection {
            scopes: scopes.iter().filter_map(|scope| normalized(scope)).collect(),
            keep_runs: keep_runs.iter().map(|run| run.to_lowercase()).collect(),
            leave_out: leave_out.clone(),
            are_months: self.written_by().is_some(),
        }
    }

    /// Its variable with this suffix.
    pub fn variable(&self, suffix: &str) -> String {
        self.provider.variable(self.label.as_deref(), suffix)
    }

    /// `hint`, and how to load the export without this delivery.
    pub fn hint_without(&self, hint: &str, manifest_uri: &str, execution_id: Option<&str>) -> String {
        self.options.leave_out.hint(hint, self.provider, manifest_uri, execution_id)
    }

    /// The export's table.
    pub fn target(&self, export_name: &str, key_columns: KeyColumns) -> Target {
        Target {
            provider: self.provider,
            export_name: export_name.to_owned(),
            name: self.table_name(),
            key_columns,
            staged: self.written_by().is_some(),
        }
    }

    /// The texts that mean "no value" in its files.
    pub fn no_value(&self) -> NoValue {
        let setting = match self.written_by() {
            Some(_) => format!("{}.null_values", self.provider.as_str()),
            None => self.variable("NULL_VALUES"),
        };
        NoValue { texts: self.options.null_values.clone(), setting }
    }

    /// The table's name.
    pub fn table_name(&self) -> TableName {
        TableName { dataset: self.dataset.clone(), table: self.table.clone() }
    }
}

/// The months from `START_DATE` to `END_DATE`, both included; open if one is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Months {
    /// The first.
    pub start: Option<BillingPeriod>,
    /// The last.
    pub end: Option<BillingPeriod>,
}

impl Months {
    /// Whether the month is among them.
    pub fn contain(&self, period: BillingPeriod) -> bool {
        self.start.is_none_or(|start| start <= period) && self.end.is_none_or(|end| period <= end)
    }
}
