//! The kinds of rows.

use serde::{Deserialize, Serialize};

/// The kind of an export's rows. It decides names, types and key columns of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportKind {
    /// AWS's Cost and Usage Report.
    Cur,
    /// AWS's Cost and Usage Report 2.0.
    Cur2,
    /// Azure's actual cost: a reservation has its cost on the day of purchase.
    AzureActual,
    /// Azure's amortized cost: a reservation has a share of its cost on each of its days. Same columns as actual cost.
    AzureAmortized,
    /// Azure's cost and usage details without purchases, for management groups and older subscriptions.
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
