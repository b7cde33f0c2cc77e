//! Which changes to a table's columns the months to load require, and how values of the files are converted.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::columns::{Column, FileColumn, MonthColumns, newest_first};
use crate::{
    files::file_type::{Conversion, FileType},
    formats::dictionary::known_type,
    model::{column_type::ColumnType, period::BillingPeriod},
};

/// What happens to a column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// The table gets the column.
    Add,
    /// The column's type is widened in place; no value changes.
    Widen,
    /// The column keeps its type, and the files' values are converted to it.
    Cast,
    /// The column cannot have the files' values; months with it are refused.
    Refuse,
}

/// A change to the table's schema, or a conversion of the files' values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaChange {
    /// The column.
    pub column: String,
    /// What happens to it.
    pub change: ChangeKind,
    /// The type before: for `widen` the table's, for `cast` and `refuse` that of the files.
    pub from: Option<String>,
    /// The type that the table's column has afterwards.
    pub to: ColumnType,
    /// The months whose files require it, newest first.
    pub billing_periods: Vec<BillingPeriod>,
    /// Why, in words.
    pub reason: String,
}

/// The changes that a table with the columns `existing` needs for `wanted`, the union of `months`.
pub fn table_changes(existing: &[Column], wanted: &[Column], months: &[MonthColumns]) -> Vec<SchemaChange> {
    let types: HashMap<&str, ColumnType> = existing.iter().map(|c| (c.name.as_str(), c.column_type)).collect();
    let periods = periods(months);
    let change = |column: &Column, change, from: Option<String>, reason: &str| SchemaChange {
        column: column.name.clone(),
        change,
        from,
        to: column.column_type,
        billing_periods: periods.get(column.name.as_str()).cloned().unwrap_or_default(),
        reason: reason.to_owned(),
    };
    let changes = wanted.iter().filter_map(|column| match types.get(column.name.as_str()) {
        None => Some(change(column, ChangeKind::Add, None, "the files have it and the table does not")),
        Some(from @ ColumnType::Int64) if column.column_type == ColumnType::Decimal => {
            Some(change(column, ChangeKind::Widen, Some(from.to_string()), "the files have decimals"))
        }
        Some(_) => None,
    });
    changes.collect()
}

/// The files' columns that are converted for a table with `columns`, or refused.
pub fn conversions(columns: &[Column], months: &[MonthColumns]) -> Vec<SchemaChange> {
    let places: HashMap<&str, (usize, ColumnType)> =
        columns.iter().enumerate().map(|(at, c)| (c.name.as_str(), (at, c.column_type))).collect();
    let mut found: BTreeMap<(usize, String), SchemaChange> = BTreeMap::new();
    for month in newest_first(months) {
        for column in &month.columns {
            let Some(&(at, to)) = places.get(column.name.as_str()) else { continue };
            let Some((change, reason)) = change_for(column, to) else { continue };
            let from = column.file_type.to_string();
            let entry = found.entry((at, from.clone())).or_insert_with(|| SchemaChange {
                column: column.name.clone(),
                change,
                from: Some(from),
                to,
                billing_periods: Vec::new(),
                reason,
            });
            if entry.billing_periods.last() != Some(&month.billing_period) {
                entry.billing_periods.push(month.billing_period);
            }
        }
    }
    found.into_values().collect()
}

/// What happens to a file's column that goes into one of type `to`, and why; `None` where its values load unchanged.
fn change_for(column: &FileColumn, to: ColumnType) -> Option<(ChangeKind, String)> {
    let from = column.file_type;
    let refuse = |why: &str| Some((ChangeKind::Refuse, why.to_owned()));
    let cast = |how: &str| Some((ChangeKind::Cast, how.to_owned()));
    match (from.reading(to), from) {
        (Conversion::Unsupported, FileType::Other) => {
            refuse("finops creates no column for its type in the files (a list, a map, bytes, a FLOAT of 32 bits...)")
        }
        (Conversion::Unsupported, _) if to == ColumnType::Foreign => {
            refuse("the table's column has a type that finops does not write")
        }
        (Conversion::Unsupported, _) => refuse(&format!("{from} values cannot be converted to {to}")),
        (Conversion::Cast, FileType::Double) => cast("each number becomes its shortest decimal"),
        (Conversion::Cast, FileType::TimeText(_)) => cast("each text becomes the day or timestamp that it names"),
        (Conversion::Cast, FileType::Timestamp | FileType::LocalTimestamp) if to == ColumnType::Date => {
            cast("each timestamp becomes its day: it must be midnight")
        }
        (Conversion::Cast, FileType::Map(_)) => {
            cast("each map becomes the text of a JSON object, as CSV files have it")
        }
        (Conversion::Cast, _) => cast(&format!("the column keeps its type: the values are converted to {to}")),
        // Well-known columns have their type, whatever the manifest says.
        (Conversion::None, FileType::Text(Some(named)))
            if known_type(&column.name).is_none()
                && named != to
                && (named, to) != (ColumnType::Int64, ColumnType::Decimal) =>
        {
            cast(&format!("the column keeps its type: the values are read as {to}"))
        }
        (Conversion::None, _) => None,
    }
}

/// The months whose files have each column, newest first.
fn periods(months: &[MonthColumns]) -> HashMap<&str, Vec<BillingPeriod>> {
    let mut periods: HashMap<&str, Vec<BillingPeriod>> = HashMap::new();
    for month in newest_first(months) {
        for column in &month.columns {
            let periods: &mut Vec<BillingPeriod> = periods.entry(&column.name).or_default();
            if periods.last() != Some(&month.billing_period) {
                periods.push(month.billing_period);
            }
        }
    }
    periods
}

/// The refusal among `changes` that concerns the month, if any.
pub fn refused(changes: &[SchemaChange], month: BillingPeriod) -> Option<&SchemaChange> {
    changes.iter().find(|change| change.change == ChangeKind::Refuse && change.billing_periods.contains(&month))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        files::file_type::{MapForm, TimeForm},
        schema::{columns_after, union},
    };

    fn month(period: &str, columns: &[(&str, FileType)]) -> MonthColumns {
        let columns = columns.iter().map(|(name, file_type)| FileColumn {
            name: (*name).to_owned(),
            file_name: (*name).to_owned(),
            file_type: *file_type,
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

    /// What is planned for `months`: column, what happens, from, to, months.
    fn plan(existing: &[Column], months: &[MonthColumns]) -> Vec<String> {
        let wanted = union(months, &[]);
        let mut changes = table_changes(existing, &wanted, months);
        let columns = columns_after(Some(existing), &wanted, &changes);
        changes.extend(conversions(&columns, months));
        let line = |c: &SchemaChange| {
            let periods: Vec<_> = c.billing_periods.iter().map(ToString::to_string).collect();
            let from = c.from.as_deref().unwrap_or("-");
            format!("{} {:?} {from} {} {}", c.column, c.change, c.to, periods.join("+"))
        };
        changes.iter().map(line).collect()
    }

    #[test]
    fn a_table_gains_columns_widens_integers_and_keeps_its_other_types() {
        use ColumnType::{Decimal, Foreign, Int64, String, Timestamp};
        let existing = [column("a", Int64), column("b", String), column("c", Foreign), column("gone", String)];
        let text = FileType::Text;
        let september =
            month("2025-09", &[("a", text(Some(Decimal))), ("b", text(Some(Timestamp))), ("d", text(None))]);
        let october = month("2025-10", &[("a", text(Some(Int64))), ("c", text(Some(Decimal))), ("d", text(None))]);
        assert_eq!(
            plan(&existing, &[september, october]),
            [
                "a Widen INT64 DECIMAL 2025-10+2025-09",
                "d Add - STRING 2025-10+2025-09",
                "b Cast TIMESTAMP STRING 2025-09",
                "c Refuse DECIMAL a type that finops does not write 2025-10",
            ]
        );
    }

    #[test]
    fn a_table_keeps_an_amount_as_text_that_an_older_version_did_not_know() {
        let existing = [column("savings_plan_savings_plan_rate", ColumnType::String)];
        let of = |file_type| plan(&existing, &[month("2025-09", &[("savings_plan_savings_plan_rate", file_type)])]);
        for text in [None, Some(ColumnType::Decimal)] {
            assert_eq!(of(FileType::Text(text)), [""; 0], "{text:?}");
        }
        assert_eq!(of(FileType::Double), ["savings_plan_savings_plan_rate Cast DOUBLE STRING 2025-09"]);
        assert_eq!(
            union(&[month("2025-09", &[("savings_plan_savings_plan_rate", FileType::Text(None))])], &[]),
            [column("savings_plan_savings_plan_rate", ColumnType::Decimal)]
        );
    }

    #[test]
    fn a_table_that_began_as_csv_takes_parquet() {
        use ColumnType::{Date, Decimal, Int64, String};
        let existing = [
            column("cost", Decimal),
            column("since", String),
            column("day", Date),
            column("n", Int64),
            column("m", String),
            column("tags", String),
        ];
        let months = [month(
            "2025-09",
            &[
                ("cost", FileType::Double),
                ("since", FileType::Timestamp),
                ("day", FileType::Timestamp),
                ("n", FileType::Int64),
                ("m", FileType::Other),
                ("tags", FileType::Map(MapForm { numbers: false, by_the_book: true })),
            ],
        )];
        assert_eq!(
            plan(&existing, &months),
            [
                "cost Cast DOUBLE DECIMAL 2025-09",
                "since Cast TIMESTAMP STRING 2025-09",
                "day Cast TIMESTAMP DATE 2025-09",
                "m Refuse another type STRING 2025-09",
                "tags Cast MAP STRING 2025-09",
            ]
        );
        let changes = conversions(&existing, &months);
        assert_eq!(refused(&changes, "2025-09".parse().unwrap()).unwrap().column, "m");
        assert_eq!(refused(&changes, "2025-08".parse().unwrap()), None);
    }

    #[test]
    fn thousands_of_new_tags_over_years_are_listed_with_their_months() {
        let tags: Vec<String> = (0..3_000).map(|tag| format!("resource_tags_user_{tag}")).collect();
        let columns: Vec<_> = tags.iter().map(|tag| (tag.as_str(), FileType::Text(None))).collect();
        let months: Vec<_> =
            (0..36).map(|n| month(&format!("20{}-{:02}", 23 + n / 12, n % 12 + 1), &columns)).collect();
        let changes = table_changes(&[column("cost", ColumnType::Decimal)], &union(&months, &[]), &months);
        let newest_first: Vec<_> = months.iter().rev().map(|month| month.billing_period).collect();
        assert_eq!(changes.iter().map(|change| &change.column).collect::<Vec<_>>(), tags.iter().collect::<Vec<_>>());
        assert!(changes.iter().all(|change| change.billing_periods == newest_first));
    }

    #[test]
    fn a_cast_and_a_refusal_say_what_happens_to_the_values() {
        use ColumnType::{Date, Decimal, Foreign, Int64, String, Timestamp};
        let map = FileType::Map(MapForm { numbers: false, by_the_book: true });
        for (file_type, to, reason) in [
            (FileType::Other, String, "finops creates no column"),
            (FileType::Other, Foreign, "finops creates no column"),
            (FileType::Int64, Foreign, "the table's column has a type that finops does not write"),
            (FileType::Int64, Date, "INT64 values cannot be converted to DATE"),
            (FileType::Double, Decimal, "each number becomes its shortest decimal"),
            (FileType::TimeText(TimeForm::Other), Date, "each text becomes the day or timestamp"),
            (FileType::Timestamp, Date, "each timestamp becomes its day"),
            (FileType::Timestamp, String, "the column keeps its type: the values are converted to STRING"),
            (FileType::Date, Timestamp, "the column keeps its type: the values are converted to TIMESTAMP"),
            (map, String, "each map becomes the text of a JSON object"),
            (FileType::Text(Some(Decimal)), Int64, "the column keeps its type: the values are read as INT64"),
            (FileType::Text(Some(Int64)), String, "the column keeps its type: the values are read as STRING"),
            (FileType::Text(Some(String)), Decimal, "the column keeps its type: the values are read as DECIMAL"),
            (FileType::Text(Some(Int64)), Decimal, ""),
            (FileType::Text(Some(Date)), Date, ""),
            (FileType::Text(None), Date, ""),
            (FileType::Decimal, Decimal, ""),
        ] {
            let changes = conversions(&[column("c", to)], &[month("2025-09", &[("c", file_type)])]);
            let found = changes.first().map(|change| change.reason.as_str()).unwrap_or_default();
            assert!(found.starts_with(reason) && found.is_empty() == reason.is_empty(), "{file_type} {to}: {found}");
        }
    }

    #[test]
    fn a_manifests_type_of_a_well_known_column_is_no_change() {
        let existing = [column("line_item_unblended_cost", ColumnType::Decimal)];
        let months = [month("2025-09", &[("line_item_unblended_cost", FileType::Text(Some(ColumnType::String)))])];
        assert!(plan(&existing, &months).is_empty());
    }
}
