//! One schema per table: the union over the months to load.

use std::{cmp::Reverse, collections::HashMap};

use super::{
    changes::{ChangeKind, SchemaChange},
    columns::{Column, MonthColumns, newest_first},
};
use crate::{
    formats::{dictionary::known_type, names::former_name},
    model::column_type::ColumnType,
};

/// The union of the months' columns: the newest month's columns first, each with the type that fits every month's values.
/// It always has the `required_columns` (for partitioning, clustering and cost). The order of `months` does not matter.
pub fn union(months: &[MonthColumns], required_columns: &[&str]) -> Vec<Column> {
    let mut columns: Vec<(String, Option<ColumnType>)> = Vec::new();
    let mut position: HashMap<String, usize> = HashMap::new();
    let required_columns = required_columns.iter().map(|name| ((*name).to_owned(), None));
    let delivered = newest_first(months).into_iter().flat_map(|month| &month.columns);
    let delivered = delivered.map(|column| (column.name.clone(), column.file_type.preferred_type()));
    for (name, column_type) in delivered.chain(required_columns) {
        let at = *position.entry(name.clone()).or_insert_with(|| {
            columns.push((name, None));
            columns.len() - 1
        });
        let known = &mut columns[at].1;
        *known = match (*known, column_type) {
            (Some(a), Some(b)) => Some(a.join(b)),
            (a, b) => a.or(b),
        };
    }
    columns
        .into_iter()
        .map(|(name, delivered)| {
            let column_type = known_type(&name).or(delivered).unwrap_or(ColumnType::String);
            Column { name, column_type }
        })
        .collect()
}

/// An older version named columns of CUR 2.0 differently (now they are in lower case). Where the table `existing` has a column
/// under its former name only, the month's column gets that name, so that its values are not split over two columns.
fn keep_former_names(existing: &HashMap<String, String>, month: &mut MonthColumns) {
    let delivered: Vec<String> = month.columns.iter().map(|column| column.name.to_ascii_lowercase()).collect();
    for column in &mut month.columns {
        let former = former_name(&column.file_name);
        let is_lower = !column.name.contains(|c: char| c.is_ascii_uppercase());
        if is_lower
            && !existing.contains_key(&column.name)
            && existing.contains_key(&former)
            && !delivered.contains(&former)
        {
            column.name = former;
        }
    }
}

/// Gives the months' columns the spelling that the table `existing` has for them, or else the newest month's. For warehouses,
/// names that differ only in case are the same, and producers of FOCUS change the case from one version to the next.
pub fn unify_case<'a>(existing: &[Column], months: impl IntoIterator<Item = &'a mut MonthColumns>) {
    let spelled = existing.iter().map(|column| (column.name.to_ascii_lowercase(), column.name.clone()));
    let mut spelled: HashMap<String, String> = spelled.collect();
    let mut newest_first: Vec<&mut MonthColumns> = months.into_iter().collect();
    newest_first.sort_unstable_by_key(|month| Reverse(month.billing_period));
    for month in &mut newest_first {
        keep_former_names(&spelled, month);
    }
    for column in newest_first.into_iter().flat_map(|month| &mut month.columns) {
        let known = spelled.entry(column.name.to_ascii_lowercase()).or_insert_with(|| column.name.clone());
        column.name.clone_from(known);
    }
}

/// The table's columns after `changes` to `existing`; those of a new table are `wanted`.
pub fn columns_after(existing: Option<&[Column]>, wanted: &[Column], changes: &[SchemaChange]) -> Vec<Column> {
    let Some(existing) = existing else { return wanted.to_vec() };
    let of = |kind: ChangeKind| changes.iter().filter(move |change| change.change == kind);
    let widened: HashMap<&str, ColumnType> =
        of(ChangeKind::Widen).map(|change| (change.column.as_str(), change.to)).collect();
    let kept = existing.iter().map(|column| Column {
        column_type: widened.get(column.name.as_str()).copied().unwrap_or(column.column_type),
        ..column.clone()
    });
    let added = of(ChangeKind::Add).map(|change| Column { name: change.column.clone(), column_type: change.to });
    kept.chain(added).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{files::file_type::FileType, schema::columns::FileColumn};

    fn month(period: &str, columns: &[(&str, Option<ColumnType>)]) -> MonthColumns {
        let columns = columns.iter().map(|(name, named)| FileColumn {
            name: (*name).to_owned(),
            file_name: (*name).to_owned(),
            file_type: FileType::Text(*named),
        });
        MonthColumns {
            billing_period: period.parse().unwrap(),
            columns: columns.collect(),
            rows: None,
            values: HashMap::new(),
        }
    }

    fn column(name: &str, column_type: ColumnType) -> Column {
        Column { name: name.to_owned(), column_type }
    }

    #[test]
    fn an_untyped_month_takes_the_types_of_a_typed_one() {
        let union =
            union(&[month("2025-08", &[("x", None)]), month("2025-09", &[("x", Some(ColumnType::Timestamp))])], &[]);
        assert_eq!(union, [column("x", ColumnType::Timestamp)]);
    }

    #[test]
    fn names_that_differ_in_case_are_one_column() {
        let named = |period, names: &[&str]| month(period, &names.iter().map(|name| (*name, None)).collect::<Vec<_>>());
        let mut months = [named("2025-08", &["x_skuid", "TAGS", "x_old"]), named("2025-09", &["x_SkuId", "tags"])];
        unify_case(&[column("Tags", ColumnType::String)], &mut months);
        let text = |name| column(name, ColumnType::String);
        assert_eq!(union(&months, &[]), [text("x_SkuId"), text("Tags"), text("x_old")]);
        assert_eq!(months[0].columns[0].file_name, "x_skuid");
    }

    #[test]
    fn a_column_keeps_the_name_that_an_older_version_gave_it() {
        let delivered = |names: &[(&str, &str)]| {
            let columns = names.iter().map(|(name, file_name)| FileColumn {
                name: (*name).to_owned(),
                file_name: (*file_name).to_owned(),
                file_type: FileType::String,
            });
            MonthColumns {
                billing_period: "2025-09".parse().unwrap(),
                columns: columns.collect(),
                rows: None,
                values: HashMap::new(),
            }
        };
        let sku = ("product_instancesku", "product_instanceSKU");
        let former = ("product_instance_s_k_u", "product_instance_s_k_u");
        let named = |existing: &[&str], months: &[(&str, &str)]| {
            let existing: Vec<Column> = existing.iter().map(|name| column(name, ColumnType::String)).collect();
            let mut months = [delivered(months)];
            unify_case(&existing, &mut months);
            months[0].columns[0].name.clone()
        };
        assert_eq!(named(&[former.0], &[sku]), former.0);
        assert_eq!(named(&[], &[sku]), sku.0);
        assert_eq!(named(&[former.0, sku.0], &[sku]), sku.0);
        assert_eq!(named(&[former.0], &[sku, former]), sku.0, "another column of the files has that name");
    }

    #[test]
    fn well_known_amounts_are_decimals_and_tags_text_whatever_a_manifest_says() {
        let union = union(
            &[month(
                "2025-09",
                &[
                    ("line_item_unblended_cost", Some(ColumnType::String)),
                    ("resource_tags_user_n", Some(ColumnType::Decimal)),
                ],
            )],
            &["bill_billing_period_start_date"],
        );
        assert_eq!(
            union,
            [
                column("line_item_unblended_cost", ColumnType::Decimal),
                column("resource_tags_user_n", ColumnType::String),
                column("bill_billing_period_start_date", ColumnType::Timestamp),
            ]
        );
    }
}
