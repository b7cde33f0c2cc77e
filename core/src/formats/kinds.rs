//! The columns of each kind of rows.

use super::{aws_cur, aws_data_exports, azure, focus, kind_columns::KindColumns};
use crate::model::kind::ExportKind;

/// The columns of the kind.
pub fn columns(kind: ExportKind) -> &'static KindColumns {
    match kind {
        ExportKind::Cur => &aws_cur::COLUMNS,
        ExportKind::Cur2 => &aws_data_exports::COLUMNS,
        ExportKind::AzureActual | ExportKind::AzureAmortized | ExportKind::AzureUsage => &azure::COLUMNS,
        ExportKind::Focus => &focus::COLUMNS,
    }
}

/// A kind with the table's partition column. Other kinds may have the same.
pub fn of_table(has_column: impl Fn(&str) -> bool) -> Option<ExportKind> {
    ExportKind::ALL.into_iter().find(|kind| has_column(columns(*kind).key.partition))
}

/// The kind of a loaded table's rows, if its columns show it. Of kinds with the same key columns, one may have a column that the
/// others do not have: AWS's legacy report has a column for each key of a map.
pub fn of_loaded_table(has_column: impl Fn(&str) -> bool) -> Option<ExportKind> {
    match of_table(&has_column)? {
        ExportKind::Focus => Some(ExportKind::Focus),
        ExportKind::Cur if ["product", "resource_tags", "cost_category", "discount"].into_iter().any(&has_column) => {
            Some(ExportKind::Cur2)
        }
        ExportKind::Cur => has_column("product_product_name").then_some(ExportKind::Cur),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kind::ExportKind as K;

    #[test]
    fn a_loaded_tables_columns_show_its_kind_if_only_one_has_them() {
        for (columns, kind) in [
            (&["bill_billing_period_start_date", "product"][..], Some(K::Cur2)),
            (&["bill_billing_period_start_date", "resource_tags"], Some(K::Cur2)),
            (&["bill_billing_period_start_date", "product_product_name", "resource_tags_user_n"], Some(K::Cur)),
            (&["bill_billing_period_start_date"], None),
            (&["BillingPeriodStart"], Some(K::Focus)),
            (&["billingPeriodStartDate"], None),
            (&["product"], None),
        ] {
            assert_eq!(of_loaded_table(|name| columns.contains(&name)), kind, "{columns:?}");
        }
    }
}
