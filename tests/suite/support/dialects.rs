//! What tests of every dialect of the generator share.

use billing_exports::Dialect;

use crate::support::program::{DATASET, Finops};

/// Calls a macro with a name for a test and each dialect.
macro_rules! for_each_dialect {
    ($tests:ident) => {
        $tests! {
            aws_cur: AwsCur,
            aws_cur_2: AwsCur2,
            aws_focus_1_0: AwsFocus10,
            aws_focus_1_2: AwsFocus12,
            azure_actual_enterprise: AzureActualEnterprise,
            azure_actual_customer: AzureActualCustomer,
            azure_amortized_enterprise: AzureAmortizedEnterprise,
            azure_amortized_customer: AzureAmortizedCustomer,
            azure_focus_1_0_preview: AzureFocus10Preview,
            azure_focus_1_0: AzureFocus10,
            azure_focus_1_0_r2: AzureFocus10r2,
            azure_focus_1_2_preview: AzureFocus12Preview,
            azure_focus_1_2: AzureFocus12,
        }
    };
}

pub(crate) use for_each_dialect;

macro_rules! all {
    ($($name:ident: $dialect:ident,)+) => {
        [$(Dialect::$dialect),+]
    };
}

#[test]
fn every_dialect_is_among_them() {
    assert_eq!(for_each_dialect!(all), Dialect::ALL);
}

/// The prefix of the dialect's variables.
pub fn prefix(dialect: Dialect) -> &'static str {
    if dialect.is_azure() { "AZURE" } else { "AWS" }
}

/// The program set up for an export of the dialect for each table. `own` is one more setting of the table's export: the
/// end of the variable's name, and its value.
pub fn into_tables<'a>(
    finops: Finops,
    dialect: Dialect,
    tables: impl IntoIterator<Item = &'a str>,
    own: impl Fn(&str) -> (&'static str, String),
) -> Finops {
    let (prefix, tables) = (prefix(dialect), tables.into_iter().collect::<Vec<_>>());
    let finops = finops
        .with("PIPELINE", &prefix.to_lowercase())
        .with(&format!("{prefix}_EXPORTS"), &tables.join(","))
        .with(&format!("{prefix}_DATASET"), DATASET);
    tables.into_iter().fold(finops, |finops, table| {
        let variable = |suffix: &str| format!("{prefix}_{}_{suffix}", table.to_uppercase());
        let (suffix, value) = own(table);
        finops.with(&variable("TABLE_NAME"), table).with(&variable(suffix), &value)
    })
}
