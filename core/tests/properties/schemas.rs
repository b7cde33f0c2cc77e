//! The columns of tables.

use std::collections::{BTreeMap, HashMap, HashSet};

use finops_core::{
    files::file_type::{Conversion, FileType, MapForm, TimeForm},
    formats::{aws_cur, dictionary::known_type},
    model::column_type::ColumnType,
    schema::{
        ChangeKind, Column, FileColumn, MonthColumns, SchemaChange, columns_after, conversions, refused, table_changes,
        union,
    },
};
use proptest::{collection, prelude::*, sample};

use crate::few_months;

fn column_type() -> impl Strategy<Value = ColumnType> {
    use ColumnType::{Date, Decimal, Int64, String, Timestamp};
    sample::select(vec![String, Int64, Decimal, Timestamp, Date])
}

fn file_type() -> impl Strategy<Value = FileType> {
    use FileType::{Boolean, Date, Decimal, Double, Int64, LongDecimal, Map, Other, String, Text, TimeText, Timestamp};
    let parquet = sample::select(vec![String, Int64, Double, Decimal, LongDecimal, Timestamp, Date, Boolean, Other]);
    let time = sample::select(vec![TimeForm::Day, TimeForm::MonthFirst, TimeForm::Moment, TimeForm::Other]);
    let map = any::<[bool; 2]>().prop_map(|[numbers, by_the_book]| MapForm { numbers, by_the_book });
    prop_oneof![
        4 => proptest::option::of(column_type()).prop_map(Text),
        6 => parquet,
        1 => time.prop_map(TimeText),
        1 => map.prop_map(Map),
    ]
}

fn file_column((name, file_type): (&str, FileType)) -> FileColumn {
    FileColumn { name: name.to_owned(), file_name: name.to_owned(), file_type }
}

fn months() -> impl Strategy<Value = Vec<MonthColumns>> {
    let of_known_type = ["line_item_unblended_cost", "resource_tags_user_x", "date", "BillingPeriodStart"];
    let name = sample::select([&["a", "b", "c", "d"][..], &of_known_type].concat());
    let columns = collection::btree_map(name, file_type(), 0..6);
    collection::btree_map(few_months(), columns, 0..6).prop_map(|months| {
        let month = |(billing_period, columns): (_, BTreeMap<&str, _>)| MonthColumns {
            billing_period,
            columns: columns.into_iter().map(file_column).collect(),
            rows: None,
            values: HashMap::new(),
        };
        months.into_iter().map(month).collect()
    })
}

proptest! {
    #[test]
    fn a_union_of_schemas_does_not_depend_on_the_order_of_the_months(
        (months, shuffled) in months().prop_flat_map(|months| (Just(months.clone()), Just(months).prop_shuffle())),
    ) {
        let required_columns = aws_cur::KEY_COLUMNS.required_columns(|_| false);
        prop_assert_eq!(union(&months, &required_columns), union(&shuffled, &required_columns));
    }

    #[test]
    fn a_union_has_every_column_once_with_a_type_that_holds_every_months_values(months in months()) {
        let union = union(&months, &aws_cur::KEY_COLUMNS.required_columns(|_| false));
        let types: HashMap<&str, ColumnType> = union.iter().map(|c| (c.name.as_str(), c.column_type)).collect();
        prop_assert_eq!(types.len(), union.len());
        for FileColumn { name, file_type, .. } in months.iter().flat_map(|month| &month.columns) {
            let got = types[name.as_str()];
            match (file_type.preferred_type(), known_type(name)) {
                (_, Some(known)) => prop_assert_eq!(got, known),
                (Some(asked), None) => {
                    prop_assert_eq!(got.join(asked), got, "{}: {} in one month, {} in the table", name, asked, got);
                    prop_assert_ne!(file_type.reading(got), Conversion::Unsupported);
                }
                (None, None) => {}
            }
        }
    }

    #[test]
    fn a_month_is_refused_exactly_where_a_column_cannot_become_the_tables_and_every_cast_is_reported(months in months()) {
        let table = union(&months, &[]);
        let types: HashMap<&str, ColumnType> = table.iter().map(|c| (c.name.as_str(), c.column_type)).collect();
        let changes = conversions(&table, &months);
        for MonthColumns { billing_period, columns, .. } in &months {
            let readings = columns.iter().map(|c| (c, c.file_type.reading(types[c.name.as_str()])));
            let readings: Vec<_> = readings.collect();
            let never = readings.iter().any(|(_, reading)| *reading == Conversion::Unsupported);
            prop_assert_eq!(refused(&changes, *billing_period).is_some(), never);
            for (column, _) in readings.iter().filter(|(_, reading)| *reading == Conversion::Cast) {
                let is_reported = |change: &SchemaChange| {
                    change.column == column.name
                        && change.change == ChangeKind::Cast
                        && change.from.as_deref() == Some(&column.file_type.to_string())
                        && change.billing_periods.contains(billing_period)
                };
                prop_assert!(changes.iter().any(is_reported), "{:?} into {}", column, types[column.name.as_str()]);
            }
        }
    }

    #[test]
    fn a_prepared_table_keeps_its_columns_in_place_and_has_every_column_of_the_months(
        months in months(),
        existing in collection::btree_map(sample::select(vec!["a", "b", "x"]), column_type(), 0..3),
    ) {
        let column = |(name, column_type): (&str, _)| Column { name: name.to_owned(), column_type };
        let existing: Vec<Column> = existing.into_iter().map(column).collect();
        let wanted = union(&months, &[]);
        let changes = table_changes(&existing, &wanted, &months);
        let columns = columns_after(Some(&existing), &wanted, &changes);
        for (before, after) in existing.iter().zip(&columns) {
            let widened = (before.column_type, after.column_type) == (ColumnType::Int64, ColumnType::Decimal);
            prop_assert!(before == after || (before.name == after.name && widened));
        }
        let names: HashSet<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        prop_assert_eq!(names.len(), columns.len());
        prop_assert!(wanted.iter().all(|column| names.contains(column.name.as_str())));
        prop_assert!(table_changes(&columns, &wanted, &months).is_empty());
    }
}
