//! The ids of a month's jobs, and the key of what a swap does.

use finops_core::model::digest::hash;

use crate::warehouse::{MonthLoad, Target};

/// Leaves room for month and number within BigQuery's 1,024 characters of a job id.
const MAX_TABLE: usize = 900;

/// The ids of a month's jobs without their number: `finops-<table>-<YYYYMM>-`, where `<table>` is `<dataset>-<table>`: a project
/// may have tables of the same name in several datasets, and a dataset's name has no `-`. Where the table's name is too long
/// or has characters that a job id cannot have, a hash of it is added.
pub fn job_id_prefix(target: &Target, load: &MonthLoad) -> String {
    let name = format!("{}-{}", target.name.dataset, target.name.table);
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let mut safe: String = name.chars().map(|c| if fits(c) { c } else { '_' }).take(MAX_TABLE).collect();
    if safe != name {
        safe = format!("{safe}-{}", &hash([name.as_bytes()])[..8]);
    }
    format!("finops-{safe}-{}-", load.billing_period.partition_id())
}

/// Identifies what a swap loads: a hash of the delivery, its files and its columns. In a forced load it also has the run.
/// Versions that replaced a month before they checked it had no prefix, so their jobs have other keys.
pub fn content_key(load: &MonthLoad) -> String {
    let mut lines = vec![load.execution_id.clone(), load.fingerprint.clone()];
    for batch in &load.batches {
        let columns = batch.columns.iter().map(|column| &column.column);
        lines.extend(columns.map(|column| format!("{} {}", column.name, column.column_type)));
    }
    if load.force {
        lines.push(format!("forced by {}", load.run_id));
    }
    format!("s2-{}", hash([lines.join("\n").as_bytes()]))
}

#[cfg(test)]
mod tests {
    use finops_core::{
        files::file_type::FileType,
        formats::aws_cur,
        model::{column_type::ColumnType, provider::Provider},
    };

    use super::*;
    use crate::warehouse::bigquery::test::{batch, column, load};
    use crate::warehouse::{Batch, TableName};

    fn target(dataset: &str, table: &str) -> Target {
        Target {
            provider: Provider::Aws,
            export_name: "cur".to_owned(),
            name: TableName { dataset: dataset.to_owned(), table: table.to_owned() },
            key_columns: aws_cur::KEY_COLUMNS,
            staged: false,
        }
    }

    #[test]
    fn job_ids_differ_by_table_and_have_only_allowed_characters() {
        let prefix = |dataset, table| job_id_prefix(&target(dataset, table), &load());
        assert_eq!(prefix("billing", "aws_cur"), "finops-billing-aws_cur-202509-");
        assert_ne!(prefix("a_b", "c"), prefix("a", "b_c"));
        assert_ne!(prefix("d", "a b"), prefix("d", "a_b"));
        assert_ne!(prefix("d", "a b"), prefix("d", "a.b"));
        let long = prefix("d", &"ä".repeat(1024));
        assert!(long.len() < 1000 && long.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)), "{long}");
    }

    #[test]
    fn the_content_key_is_the_same_until_delivery_files_or_columns_change() {
        let base = content_key(&load());
        assert_eq!(base, content_key(&MonthLoad { run_id: "other".to_owned(), ..load() }));
        assert_ne!(base, content_key(&MonthLoad { execution_id: "x".to_owned(), ..load() }));
        assert_ne!(base, content_key(&MonthLoad { fingerprint: "x".to_owned(), ..load() }));
        let columns = vec![column("a", FileType::Text(None), ColumnType::Decimal)];
        assert_ne!(base, content_key(&MonthLoad { batches: vec![Batch { columns, ..batch() }], ..load() }));
    }

    #[test]
    fn a_forced_load_has_another_content_key_in_each_run() {
        let forced = |run: &str| content_key(&MonthLoad { force: true, run_id: run.to_owned(), ..load() });
        assert_ne!(forced("1"), content_key(&load()));
        assert_ne!(forced("1"), forced("2"));
        assert_eq!(forced("1"), forced("1"));
    }
}
