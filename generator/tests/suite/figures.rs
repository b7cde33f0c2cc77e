//! Rows, costs and columns.

use std::{collections::BTreeMap, fs};

use billing_exports::{ColumnType, Delivered, Dialect, Export, Format, Run};

use crate::{
    each_export,
    reader::{Table, plain, read, units},
    september,
};

/// The names in the files of the columns for cost, currency, period and description.
fn key_columns(dialect: Dialect, format: Format) -> [&'static str; 4] {
    match dialect {
        Dialect::AwsCur if format != Format::Parquet => [
            "lineItem/UnblendedCost",
            "lineItem/CurrencyCode",
            "bill/BillingPeriodStartDate",
            "lineItem/LineItemDescription",
        ],
        Dialect::AwsCur | Dialect::AwsCur2 => [
            "line_item_unblended_cost",
            "line_item_currency_code",
            "bill_billing_period_start_date",
            "line_item_line_item_description",
        ],
        Dialect::AzureActualEnterprise | Dialect::AzureAmortizedEnterprise => {
            ["CostInBillingCurrency", "BillingCurrencyCode", "BillingPeriodStartDate", "ProductName"]
        }
        Dialect::AzureActualCustomer | Dialect::AzureAmortizedCustomer => {
            ["costInBillingCurrency", "billingCurrency", "billingPeriodStartDate", "productName"]
        }
        _ => ["BilledCost", "BillingCurrency", "BillingPeriodStart", "ChargeDescription"],
    }
}

fn delivered(export: &Export, run: &Run) -> (Delivered, Vec<Table>) {
    let folder = tempfile::tempdir().unwrap();
    let delivered = export.deliver(folder.path(), run).unwrap();
    for file in &delivered.files {
        assert_eq!(fs::metadata(folder.path().join(&file.path)).unwrap().len(), file.bytes);
    }
    let tables = delivered.files.iter().map(|file| read(&folder.path().join(&file.path))).collect();
    (delivered, tables)
}

#[test]
fn files_have_the_reported_rows_and_exact_cost() {
    each_export(|export| {
        let (delivered, tables) = delivered(&export, &september());
        let [cost, currency, ..] = key_columns(export.dialect, export.format);
        let mut sums: BTreeMap<String, i128> = BTreeMap::new();
        for (table, file) in tables.iter().zip(&delivered.files) {
            assert_eq!(table.rows.len(), file.rows, "{export:?}");
            for row in &table.rows {
                *sums.entry(row[currency].clone()).or_default() += units(&row[cost]);
            }
        }
        assert_eq!((delivered.rows, delivered.files.len()), (61, 3));
        let sums: BTreeMap<_, _> = sums.into_iter().map(|(currency, sum)| (currency, plain(sum))).collect();
        assert_eq!(sums, delivered.cost, "{export:?}");
        assert_eq!(sums.len(), 2);
    });
}

#[test]
fn every_file_has_the_reported_columns_and_values_of_their_types() {
    each_export(|export| {
        let (delivered, tables) = delivered(&export, &september());
        for table in &tables {
            assert_eq!(table.columns.len(), delivered.columns.len());
            for (header, (name, column_type)) in table.columns.iter().zip(&delivered.columns) {
                let letters = |text: &str| text.replace(['/', ':', ' ', '_'], "").to_lowercase();
                assert_eq!(letters(header), letters(name));
                let decimal = *column_type == ColumnType::Decimal;
                assert!(table.rows.iter().all(|row| !decimal || units(&row[header]).abs() < units("100000")));
            }
        }
    });
}

#[test]
fn csv_and_parquet_have_the_same_values() {
    each_export(|export| {
        // Timestamps are compared up to the minute, because some CSV files have no seconds.
        let forms = [export.format, Format::Parquet].map(|format| Export { iso_dates: true, format, ..export.clone() });
        let [(_, texts), (delivered, binaries)] = forms.map(|export| delivered(&export, &september()));
        for (text, binary) in texts.iter().zip(&binaries) {
            for (at, (name, column_type)) in delivered.columns.iter().enumerate() {
                let values = |table: &Table| -> Vec<String> {
                    let values = table.rows.iter().map(|row| row[&table.columns[at]].clone());
                    match column_type {
                        ColumnType::Decimal => values.map(|value| plain(units(&value))).collect(),
                        ColumnType::Timestamp => {
                            values.map(|value| value[.."2025-09-01T00:00".len()].to_owned()).collect()
                        }
                        ColumnType::Date => values.map(|value| value[.."2025-09-01".len()].to_owned()).collect(),
                        ColumnType::String => values.collect(),
                    }
                };
                assert_eq!(values(text), values(binary), "{name} of {export:?}");
            }
        }
    });
}

#[test]
fn rows_have_values_that_are_difficult_for_loaders() {
    each_export(|export| {
        let (_, tables) = delivered(&export, &september());
        let [cost, _, _, text] = key_columns(export.dialect, export.format);
        let rows = tables.iter().flat_map(|table| &table.rows);
        let (costs, texts): (Vec<_>, Vec<_>) = rows.map(|row| (units(&row[cost]), row[text].as_str())).unzip();
        assert!(costs.contains(&0) && costs.contains(&1_000_000) && costs.iter().any(|cost| *cost < 0));
        for part in [",", "\"", "\n", "ü", "\\"] {
            assert!(texts.iter().any(|text| text.contains(part)), "{part:?} in {export:?}");
        }
        assert!(texts.contains(&""));
    });
}

#[test]
fn a_narrower_run_has_fewer_rows_and_an_empty_run_has_only_a_header() {
    each_export(|export| {
        let (part, _) = delivered(&export, &september().until(10));
        assert_eq!((part.rows, part.until.to_string().as_str()), (20, "2025-09-10"));
        let (empty, tables) = delivered(&export, &september().without_rows());
        assert_eq!((empty.rows, empty.cost), (0, BTreeMap::new()));
        assert!(tables.iter().all(|table| table.rows.is_empty() && table.columns.len() == empty.columns.len()));
    });
}

#[test]
fn an_option_adds_rows_of_a_second_period() {
    each_export(|export| {
        for two_periods in [false, true] {
            let (_, tables) = delivered(&Export { two_periods, ..export.clone() }, &september());
            let [_, _, period, _] = key_columns(export.dialect, export.format);
            let rows = tables.iter().flat_map(|table| &table.rows);
            let periods: BTreeMap<&str, usize> = rows.fold(BTreeMap::new(), |mut counts, row| {
                *counts.entry(row[period].as_str()).or_default() += 1;
                counts
            });
            let counts: Vec<usize> = periods.into_values().collect();
            assert_eq!(counts, if two_periods { vec![20, 41] } else { vec![61] }, "{export:?}");
        }
    });
}
