//! One schema per table: the union over the months to load, held against the columns that the table has.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::{ColumnType, known_type};
use crate::period::BillingPeriod;

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name, as [`super::column_names`] makes it.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
}

/// The columns of one month's files, in the files' order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthColumns {
    /// The month.
    pub billing_period: BillingPeriod,
    /// Name, and type where the manifest gives one.
    pub columns: Vec<(String, Option<ColumnType>)>,
}

/// What happens to a column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// The table gets the column.
    Add,
    /// The column's type is widened in place; no value changes.
    Widen,
    /// The column keeps its type, and the files' values are read as that.
    Cast,
    /// The column cannot take the files' values; months that have it are refused.
    Refuse,
}

/// A change of the table's schema, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaChange {
    /// The column.
    pub column: String,
    /// What happens.
    pub change: ChangeKind,
    /// Its type before, where it was there.
    pub from: Option<ColumnType>,
    /// The type that the files ask for.
    pub to: ColumnType,
    /// In words.
    pub reason: String,
}

/// The union of the months' columns: newest month's columns first, each with the type that holds every month's values.
/// `pillars` (what partitioning, clustering and cost need) are there in any case. The order of `months` has no say.
pub fn union(months: &[MonthColumns], pillars: &[&str]) -> Vec<Column> {
    let by_period: BTreeMap<BillingPeriod, &MonthColumns> = months.iter().map(|m| (m.billing_period, m)).collect();
    let mut columns: Vec<(String, Option<ColumnType>)> = Vec::new();
    let mut position: HashMap<String, usize> = HashMap::new();
    let pillars = pillars.iter().map(|name| ((*name).to_owned(), None));
    let delivered = by_period.values().rev().flat_map(|month| month.columns.iter().cloned());
    for (name, column_type) in delivered.chain(pillars) {
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

/// What must happen to a table with the columns `existing` so that it takes `wanted`. A new table has no changes.
pub fn changes(existing: &[Column], wanted: &[Column]) -> Vec<SchemaChange> {
    let types: HashMap<&str, ColumnType> = existing.iter().map(|c| (c.name.as_str(), c.column_type)).collect();
    wanted
        .iter()
        .filter_map(|column| {
            let from = types.get(column.name.as_str()).copied();
            let to = column.column_type;
            let (change, reason) = match from {
                None => (ChangeKind::Add, "the files have it and the table does not".to_owned()),
                Some(from) if from == to => return None,
                Some(ColumnType::Int64) if to == ColumnType::Decimal => {
                    (ChangeKind::Widen, "the files hold decimals".to_owned())
                }
                Some(ColumnType::Foreign) => (
                    ChangeKind::Refuse,
                    "the table's column has a type that finops does not write; drop or rename that column".to_owned(),
                ),
                Some(from) => (ChangeKind::Cast, format!("the column keeps its type: the values are read as {from}")),
            };
            Some(SchemaChange { column: column.name.clone(), change, from, to, reason })
        })
        .collect()
}

/// The refusal among `changes` that concerns one of the columns `names`, if any.
pub fn refused<'a>(changes: &'a [SchemaChange], names: &[String]) -> Option<&'a SchemaChange> {
    changes.iter().find(|change| change.change == ChangeKind::Refuse && names.contains(&change.column))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(period: &str, columns: &[(&str, Option<ColumnType>)]) -> MonthColumns {
        MonthColumns {
            billing_period: period.parse().unwrap(),
            columns: columns.iter().map(|(name, t)| ((*name).to_owned(), *t)).collect(),
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

    #[test]
    fn a_table_gains_columns_widens_integers_and_keeps_its_other_types() {
        use ColumnType::{Decimal, Foreign, Int64, String, Timestamp};
        let existing = [column("a", Int64), column("b", String), column("c", Foreign), column("gone", String)];
        let wanted = [column("a", Decimal), column("b", Timestamp), column("c", Decimal), column("d", String)];
        let kinds: Vec<_> = changes(&existing, &wanted).into_iter().map(|c| (c.column, c.change)).collect();
        assert_eq!(
            kinds,
            [
                ("a".to_owned(), ChangeKind::Widen),
                ("b".to_owned(), ChangeKind::Cast),
                ("c".to_owned(), ChangeKind::Refuse),
                ("d".to_owned(), ChangeKind::Add)
            ]
        );
    }
}
