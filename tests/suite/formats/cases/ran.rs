//! What a run left, compared with what is right.

use std::collections::{BTreeMap, BTreeSet};

use finops_core::{Amount, Costs, model::amount::add_to};
use regex_lite::RegexBuilder;
use serde_json::Value;

use crate::formats::cases::{
    place::Place,
    truth::{Figures, Right},
};
use crate::support::program::Outcome;

/// Columns of any export, lower case. The first that has a value counts: a row's month, its cost and its currency.
const MONTH: [&str; 8] = [
    "bill_billing_period_start_date",
    "billingperiodstart",
    "billingperiodstartdate",
    "line_item_usage_start_date",
    "chargeperiodstart",
    "date",
    "usagedatetime",
    "usagedate",
];
const COST: [&str; 5] = ["line_item_unblended_cost", "billedcost", "costinbillingcurrency", "pretaxcost", "cost"];
const CURRENCY: [&str; 4] = ["line_item_currency_code", "billingcurrency", "billingcurrencycode", "currency"];
/// A longer text is replaced by its hash.
const LONGEST_TEXT: usize = 200;

/// A row: column, lower case, to text.
pub type Row = BTreeMap<String, Option<String>>;

fn first<'a>(row: &'a Row, columns: &[&str]) -> Option<&'a str> {
    columns.iter().find_map(|column| row.get(*column)?.as_deref())
}

fn month(row: &Row) -> String {
    first(row, &MONTH).map_or("none", |day| &day[..7]).to_owned()
}

/// The rows of a table in each of its places; none where there is no such table.
pub fn rows(place: &Place, table: &str) -> Vec<Vec<Row>> {
    let read = place.reader(table);
    let rows = |relation: &String| {
        let described = read(&format!("SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {relation})"));
        let described = match described {
            Ok(columns) => columns,
            Err(error) if error.contains("does not exist") || error.contains("No files found") => return Vec::new(),
            Err(error) => panic!("{error}"),
        };
        let (mut names, mut texts) = (Vec::new(), Vec::new());
        for column in described {
            let [column, column_type] = <[_; 2]>::try_from(column).unwrap().map(Option::unwrap);
            let (name, text) = (column.to_lowercase(), place.text(&column, &column_type));
            assert!(
                !COST.contains(&&*name) || !["DOUBLE", "FLOAT"].contains(&&*column_type),
                "{column} is a {column_type}"
            );
            texts.push(format!("if(length({text}) > {LONGEST_TEXT}, 'sha256:' || sha256({text}), {text})"));
            names.push(name);
        }
        let rows = read(&format!("SELECT {} FROM {relation}", texts.join(", "))).unwrap();
        rows.into_iter().map(|row| names.iter().cloned().zip(row).collect()).collect()
    };
    place.relations(table).iter().map(rows).collect()
}

/// Rows and exact costs of each month.
pub fn figures(rows: &[Row]) -> Figures {
    let mut figures = Figures::new();
    for row in rows {
        let (count, costs) = figures.entry(month(row)).or_default();
        *count += 1;
        let cost: Amount = first(row, &COST).unwrap_or("0").parse().unwrap();
        add_to(costs, first(row, &CURRENCY).filter(|text| !text.is_empty()).unwrap_or("unknown"), &cost);
    }
    figures
}

/// How a run ended: with code, report and messages.
pub struct Ran {
    pub code: i32,
    report: Value,
    stderr: String,
}

impl Ran {
    pub fn new(place: &Place, outcome: &Outcome) -> Self {
        let report = serde_json::from_str(&place.without_folder(&outcome.stdout)).unwrap_or_default();
        Self { code: outcome.code, report, stderr: place.without_folder(&outcome.stderr) }
    }

    /// The reports: one, or in the staged pipeline one of each step.
    fn reports(&self) -> impl Iterator<Item = &Value> {
        self.report["pipelines"].as_array().into_iter().flatten()
    }

    /// What the reports say about months.
    pub fn months(&self) -> impl Iterator<Item = &Value> {
        self.reports().flat_map(|report| report["months"].as_array().into_iter().flatten())
    }

    fn of<'a>(&'a self, month: &'a str) -> impl Iterator<Item = &'a Value> {
        self.months().filter(move |entry| entry["billing_period"] == month)
    }

    /// Everything that was said about the export.
    pub fn said(&self) -> String {
        format!("{}\n{}", self.reports().map(texts).collect::<String>(), self.stderr)
    }

    /// Everything that was said about a month, or about the export if nothing was said about the month.
    fn said_of(&self, month: &str) -> String {
        let said: String = self.of(month).map(texts).collect();
        let of_export: String = self.reports().map(texts).collect();
        if self.of(month).next().is_some() { said + &of_export } else { self.said() }
    }

    /// Asserts that the run ended and said what is right, and that the rows are right.
    pub fn assert(&self, what: &str, rows: &[Row], right: &Right) {
        let said = self.said();
        assert_eq!(figures(rows), right.figures(), "{what}: {said}");
        assert_eq!(self.code, i32::from(right.is_refusal()), "{what}: {said}");
        assert_says(what, &said, &right.refuse, &right.not);
        for (month, right) in &right.months {
            let (what, said) = (format!("{what}, {month}"), self.said_of(month));
            assert_says(&what, &said, &[&right.refuse[..], &right.says].concat(), &right.not);
            // The step that fetches files into a staging folder counts no rows.
            for entry in self.of(month).filter(|entry| is_loaded(entry) && entry["rows"] != 0) {
                let costs: Costs = serde_json::from_value(entry["cost"].clone()).unwrap();
                let reported = (entry["rows"].as_u64().map(|rows| usize::try_from(rows).unwrap()), &costs);
                assert_eq!(reported, (right.rows, &right.cost), "{what}: {entry:#}");
            }
        }
        for (month, columns) in &right.values {
            let of_month: Vec<&Row> = rows.iter().filter(|row| self::month(row) == *month).collect();
            for (column, values) in columns {
                let found: BTreeSet<_> = of_month.iter().map(|row| row.get(&column.to_lowercase())).collect();
                let is_none = || found.iter().all(|value| value.is_none_or(Option::is_none));
                match values {
                    None => assert!(is_none(), "{what}, {month}: {column} has {found:?}"),
                    Some(values) => assert_eq!(found, values.iter().map(Some).collect(), "{what}, {month}: {column}"),
                }
            }
        }
        for column in &right.alike {
            let found: BTreeSet<_> = rows.iter().map(|row| &row[&column.to_lowercase()]).collect();
            assert_eq!(found.len(), 1, "{what}: {column} has {found:?}");
        }
    }
}

/// Whether it says that the month was loaded now.
pub fn is_loaded(entry: &Value) -> bool {
    ["loaded", "reloaded"].contains(&entry["status"].as_str().unwrap_or_default())
}

/// Reason, error and hint of a report's entry.
fn texts(entry: &Value) -> String {
    let of_error = ["message", "hint"].map(|part| &entry["error"][part]);
    let texts = [&entry["reason"], of_error[0], of_error[1]].map(|text| text.as_str().unwrap_or_default());
    format!("{}\n", texts.join("\n"))
}

fn assert_says(what: &str, said: &str, patterns: &[String], none_of: &[String]) {
    let is_said = |pattern: &String| RegexBuilder::new(pattern).case_insensitive(true).build().unwrap().is_match(said);
    for pattern in patterns {
        assert!(is_said(pattern), "{what}: it does not say `{pattern}`: {said}");
    }
    for pattern in none_of {
        assert!(!is_said(pattern), "{what}: it says `{pattern}`: {said}");
    }
}
