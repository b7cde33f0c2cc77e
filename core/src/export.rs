//! Kinds of exports: how each provider's are found, and what their tables stand on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    aws_cur, aws_data_exports, azure,
    manifest::{Manifest, ManifestError},
    period::BillingPeriod,
    schema::{ColumnType, RepeatedColumn, column_names, lower_column_names, spelled_column_names},
    state::TableLayout,
};

/// What the rows of an export are. It decides on the names and types of the table's columns, and on what the table
/// stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportKind {
    /// AWS Cost and Usage Report.
    Cur,
    /// AWS Cost and Usage Report 2.0.
    Cur2,
    /// Azure's actual cost: a reservation costs on the day that it is bought.
    AzureActual,
    /// Azure's amortized cost: a reservation costs a share on each of its days. The columns are those of actual cost.
    AzureAmortized,
    /// Azure's cost and usage details without purchases: what management groups and older subscriptions are given.
    AzureUsage,
    /// FOCUS, the FinOps Open Cost and Usage Specification.
    Focus,
}

const FOCUS_LAYOUT: TableLayout = TableLayout {
    partition: "BillingPeriodStart",
    cluster: "ChargePeriodStart",
    time: ColumnType::Timestamp,
    costs: &["BilledCost"],
    currencies: &["BillingCurrency"],
    net_cost: None,
};

impl ExportKind {
    /// One of each form of table.
    pub const EACH_TABLE: [Self; 3] = [Self::Cur, Self::Focus, Self::AzureActual];

    /// The name in the state table. Neither file format, agreement nor FOCUS version make another kind.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cur => "cur",
            Self::Cur2 => "cur2",
            Self::AzureActual => "azure_actual",
            Self::AzureAmortized => "azure_amortized",
            Self::AzureUsage => "azure_usage",
            Self::Focus => "focus",
        }
    }

    /// Yes and no, as its CSV files have them, and so what a BOOLEAN of its Parquet files is as text.
    pub fn booleans(self) -> [&'static str; 2] {
        match self {
            Self::AzureActual | Self::AzureAmortized | Self::AzureUsage => ["True", "False"],
            Self::Cur | Self::Cur2 | Self::Focus => ["true", "false"],
        }
    }

    /// A kind that a table with these columns may be for. Kinds with the same key columns are not told apart.
    pub fn of_table(has_column: impl Fn(&str) -> bool) -> Option<Self> {
        Self::EACH_TABLE.into_iter().find(|kind| has_column(kind.layout().partition))
    }

    /// The kind of rows that a table with these columns holds, where they tell: kinds with the same key columns are told
    /// apart by columns that only one of them has. AWS's legacy report spells its maps out, a column for each key.
    pub fn of_loaded(has_column: impl Fn(&str) -> bool) -> Option<Self> {
        match Self::of_table(&has_column)? {
            Self::Focus => Some(Self::Focus),
            Self::Cur if ["product", "resource_tags", "cost_category", "discount"].into_iter().any(&has_column) => {
                Some(Self::Cur2)
            }
            Self::Cur => has_column("product_product_name").then_some(Self::Cur),
            _ => None,
        }
    }

    /// What its table stands on.
    pub fn layout(self) -> TableLayout {
        match self {
            Self::Cur | Self::Cur2 => aws_cur::TABLE_LAYOUT,
            Self::AzureActual | Self::AzureAmortized | Self::AzureUsage => azure::TABLE_LAYOUT,
            Self::Focus => FOCUS_LAYOUT,
        }
    }

    /// The table's column name for each column of the files, in their order.
    ///
    /// # Errors
    /// [`RepeatedColumn`] where two are the same to the letter.
    pub fn column_names(self, file_names: &[String]) -> Result<Vec<String>, RepeatedColumn> {
        match self {
            Self::Cur => column_names(file_names),
            Self::Cur2 => lower_column_names(file_names),
            Self::AzureActual | Self::AzureAmortized | Self::AzureUsage => azure::column_names(file_names),
            Self::Focus => spelled_column_names(file_names, &FOCUS_LAYOUT.pillars(|_| true)),
        }
    }
}

/// Who delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Amazon Web Services.
    Aws,
    /// Microsoft Azure.
    Azure,
}

/// A manifest's key, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestLocation {
    /// The whole key.
    pub key: String,
    /// The folder that the tails of data files begin below, with a `/` at its end unless it is empty.
    pub export_folder: String,
    /// The export's name.
    pub export_name: String,
    /// The folder that is named after the month, such as `20250901-20251001` or `BILLING_PERIOD=2025-09`.
    pub period_folder: String,
    /// That month.
    pub billing_period: BillingPeriod,
    /// When the provider made it, where the key tells. Of a month's manifests only the newest need be read; one whose key
    /// does not tell is as old as its object.
    pub issued: Option<Timestamp>,
}

impl Provider {
    /// Each, in the order of their pipelines.
    pub const ALL: [Self; 2] = [Self::Aws, Self::Azure];

    /// The name in configuration, reports and the state table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
        }
    }

    /// Glob patterns (`*` stays within a folder) below the prefix that together match every manifest.
    pub fn manifest_patterns(self, export_name: Option<&str>) -> Vec<String> {
        match self {
            Self::Aws => {
                [aws_cur::manifest_patterns(export_name), aws_data_exports::manifest_patterns(export_name)].concat()
            }
            Self::Azure => azure::manifest_patterns(export_name),
        }
    }

    /// Takes `key` apart if it is a manifest of the export below `prefix` (without a `/` at its end), else `None`.
    pub fn locate(self, prefix: &str, export_name: Option<&str>, key: &str) -> Option<ManifestLocation> {
        match self {
            Self::Aws => {
                aws_cur::locate(prefix, export_name, key).or_else(|| aws_data_exports::locate(prefix, export_name, key))
            }
            Self::Azure => azure::locate(prefix, export_name, key),
        }
    }

    /// Reads the manifest that lies at `location`.
    ///
    /// # Errors
    /// A [`ManifestError`] that says what is wrong with the bytes, with the delivery's form, or between the two.
    pub fn parse(self, location: &ManifestLocation, bytes: &[u8]) -> Result<Manifest, ManifestError> {
        match self {
            Self::Aws if aws_data_exports::is_data_export(location) => aws_data_exports::parse(location, bytes),
            Self::Aws => aws_cur::parse(location, bytes),
            Self::Azure => azure::parse(location, bytes).map_err(|error| error.of_scope(azure::scope_of(bytes))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ExportKind as K;

    #[test]
    fn a_loaded_tables_columns_tell_its_kind_where_only_one_has_them() {
        for (columns, kind) in [
            (&["bill_billing_period_start_date", "product"][..], Some(K::Cur2)),
            (&["bill_billing_period_start_date", "resource_tags"], Some(K::Cur2)),
            (&["bill_billing_period_start_date", "product_product_name", "resource_tags_user_n"], Some(K::Cur)),
            (&["bill_billing_period_start_date"], None),
            (&["BillingPeriodStart"], Some(K::Focus)),
            (&["billingPeriodStartDate"], None),
            (&["product"], None),
        ] {
            assert_eq!(K::of_loaded(|name| columns.contains(&name)), kind, "{columns:?}");
        }
    }
}
