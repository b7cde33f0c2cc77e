//! The kinds of rows.

use serde::{Deserialize, Serialize};

/// What the rows of an export are. Names, types and key columns of its table follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportKind {
    /// AWS's Cost and Usage Report.
    Cur,
    /// AWS's Cost and Usage Report 2.0.
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
    /// Every kind. Where a table has the key columns of several kinds, the first of them counts.
    pub const ALL: [Self; 6] =
        [Self::Cur, Self::Cur2, Self::Focus, Self::AzureActual, Self::AzureAmortized, Self::AzureUsage];

    /// The name in the state table. It does not depend on file format, agreement or FOCUS version.
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
