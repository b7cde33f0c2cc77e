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

/// Where an export lies.
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

/// What the settings say of an export beside its place and its table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// Which of AWS's Cost and Usage Reports it must be.
    pub cur_version: Option<CurVersion>,
    /// Azure: the scopes that count, as paths such as `/subscriptions/1`; all where it is empty.
    pub scopes: Vec<String>,
    /// Azure: runs that are united with the newest run of their scope, for the days that it lacks.
    pub keep_runs: Vec<String>,
    /// Deliveries that do not count.
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
    /// What of it counts, and how it is read.
    pub options: ExportOptions,
    /// What `AWS_EXPORTS` calls it, where that is set.
    pub label: Option<String>,
    /// The provider's name of it, where one is configured.
    pub name: Option<String>,
    /// The bucket or folder.
    pub source: Source,
    /// Below it; without a `/` at either end.
    pub prefix: String,
    /// BigQuery dataset, or DuckDB schema.
    pub dataset: String,
    /// The table.
    pub table: String,
}

impl Export {
    /// The step of the staged pipeline that writes its deliveries; `None` where the provider does.
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

    /// The variable that names it.
    pub fn name_variable(&self) -> String {
        self.variable("EXPORT_NAME")
    }

    /// Its variable that ends so.
    pub fn variable(&self, suffix: &str) -> String {
        self.provider.variable(self.label.as_deref(), suffix)
    }

    /// `hint`, and how to load the export without this delivery.
    pub fn hint_without(&self, hint: &str, manifest_uri: &str, execution_id: Option<&str>) -> String {
        self.options.leave_out.hint(hint, self.provider, manifest_uri, execution_id)
    }

    /// The export's table, once it is known what stands there.
    pub fn target(&self, export_name: &str, key_columns: KeyColumns) -> Target {
        Target {
            pipeline: self.provider.as_str(),
            export_name: export_name.to_owned(),
            name: self.table_name(),
            key_columns,
            staged: self.written_by().is_some(),
        }
    }

    /// What means "no value" in its files.
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

/// The months from `START_DATE` to `END_DATE`, both included; open where one is missing.
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
