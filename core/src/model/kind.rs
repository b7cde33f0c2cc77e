//! The kinds of rows.

use serde::{Deserialize, Serialize};

/// What the rows of an export are. Names, types and key columns of its table follow from it.
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

impl ExportKind {
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
}
