//! The ids of a month's jobs, and the key of what a swap does.

use finops_core::model::digest::hash;

use crate::warehouse::{MonthLoad, Target};

/// Leaves room for month and number within BigQuery's 1,024 characters of a job id.
const MAX_TABLE: usize = 900;

/// The ids of a month's jobs without their number: `finops-<table>-<YYYYMM>-`, where `<table>` is `<dataset>-<table>`,
/// since datasets of one project may hold tables of the same name, and a dataset's name has no `-`. Where the table's
/// name has characters that a job id cannot take, or is too long, a hash of it keeps it apart from others.
pub fn job_id_prefix(target: &Target, load: &MonthLoad) -> String {
    let name = format!("{}-{}", target.name.dataset, target.name.table);
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let mut safe: String = name.chars().map(|c| if fits(c) { c } else { '_' }).take(MAX_TABLE).collect();
    if safe != name {
        safe = format!("{safe}-{}", &hash([name.as_bytes()])[..8]);
    }
    format!("finops-{safe}-{}-", load.billing_period.partition_id())
}

/// What a swap does: a hash of the delivery, its files and its columns. A forced load is its run's own. The prefix tells it
/// from jobs of versions that replaced a month before they checked it: those are other work.
pub fn content_key(load: &MonthLoad) -> String {
    let mut lines = vec![load.execution_id.clone(), load.fingerprint.clone()];
    for batch in load.batches() {
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
    use finops_core::{files::file_type::FileType, formats::aws_cur, model::column_type::ColumnType};

    use super::*;
    use crate::warehouse::TableName;
    use crate::warehouse::bigquery::test::{column, load};

    fn target(dataset: &str, table: &str) -> Target {
        Target {
            pipeline: "aws",
            export_name: "cur".to_owned(),
            name: TableName { dataset: dataset.to_owned(), table: table.to_owned() },
            key_columns: aws_cur::KEY_COLUMNS,
            staged: false,
        }
    }

    #[test]
    fn job_ids_tell_tables_apart_and_hold_only_what_they_may() {
        let prefix = |dataset, table| job_id_prefix(&target(dataset, table), &load());
        assert_eq!(prefix("billing", "aws_cur"), "finops-billing-aws_cur-202509-");
        assert_ne!(prefix("a_b", "c"), prefix("a", "b_c"));
        assert_ne!(prefix("d", "a b"), prefix("d", "a_b"));
        assert_ne!(prefix("d", "a b"), prefix("d", "a.b"));
        let long = prefix("d", &"ä".repeat(1024));
        assert!(long.len() < 1000 && long.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)), "{long}");
    }

    #[test]
    fn work_is_the_same_until_delivery_files_or_columns_change() {
        let base = content_key(&load());
        assert_eq!(base, content_key(&MonthLoad { run_id: "other".to_owned(), ..load() }));
        assert_ne!(base, content_key(&MonthLoad { execution_id: "x".to_owned(), ..load() }));
        assert_ne!(base, content_key(&MonthLoad { fingerprint: "x".to_owned(), ..load() }));
        let columns = vec![column("a", FileType::Text(None), ColumnType::Decimal)];
        assert_ne!(base, content_key(&MonthLoad { columns, ..load() }));
    }

    #[test]
    fn a_forced_load_is_another_work_in_each_run() {
        let forced = |run: &str| content_key(&MonthLoad { force: true, run_id: run.to_owned(), ..load() });
        assert_ne!(forced("1"), content_key(&load()));
        assert_ne!(forced("1"), forced("2"));
        assert_eq!(forced("1"), forced("1"));
    }
}
