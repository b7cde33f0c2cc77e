//! The bill for demonstrations: its amounts are plausible, and add up.

use std::collections::BTreeMap;

use billing_exports::{Content, Delivered, Dialect, Export, Format, Run};

use crate::{
    reader::{Table, plain, read, units},
    september,
};

fn bill(dialect: Dialect, format: Format, run: &Run) -> (Delivered, Table) {
    let folder = tempfile::tempdir().unwrap();
    let export = Export { content: Content::Bill, iso_dates: true, ..Export::new(dialect, format) };
    let delivered = export.deliver(folder.path(), run).unwrap();
    let table = read(&folder.path().join(&delivered.files[0].path));
    assert_eq!(table.rows.len(), delivered.rows);
    (delivered, table)
}

fn aws(run: &Run) -> (Delivered, Table) {
    bill(Dialect::AwsCur, Format::CsvGzip, run)
}

/// The sum of a column over the rows with this value in another one.
fn sum_of(table: &Table, column: &str, of: (&str, &str)) -> i128 {
    table.rows.iter().filter(|row| row[of.0] == of.1).map(|row| units(&row[column])).sum()
}

/// The cost of each type of line.
fn by_type(table: &Table) -> BTreeMap<&str, i128> {
    let mut sums = BTreeMap::new();
    for row in &table.rows {
        *sums.entry(row["lineItem/LineItemType"].as_str()).or_default() += units(&row["lineItem/UnblendedCost"]);
    }
    sums
}

const CENT: i128 = 10_i128.pow(16);

#[test]
fn a_savings_plan_replaces_the_cost_of_the_usage_that_it_covers() {
    let (_, table) = aws(&september());
    let of = |column, charge| sum_of(&table, column, ("lineItem/LineItemType", charge));
    let sums = by_type(&table);
    assert!(sums["SavingsPlanCoveredUsage"] > 0);
    assert_eq!(sums["SavingsPlanCoveredUsage"], -sums["SavingsPlanNegation"]);
    // A cent a day and more of the commitment is unused.
    let used = of("savingsPlan/UsedCommitment", "SavingsPlanRecurringFee");
    assert_eq!(used, of("savingsPlan/SavingsPlanEffectiveCost", "SavingsPlanCoveredUsage"));
    assert_eq!(of("savingsPlan/TotalCommitmentToDate", "SavingsPlanRecurringFee"), sums["SavingsPlanRecurringFee"]);
    assert!(used + 30 * CENT < sums["SavingsPlanRecurringFee"]);
    assert!(used < sums["SavingsPlanCoveredUsage"]);
    for row in &table.rows {
        let of_plan = row["lineItem/LineItemType"].starts_with("SavingsPlan");
        assert_eq!(row["savingsPlan/SavingsPlanARN"].is_empty(), !of_plan);
    }
}

#[test]
fn discount_and_tax_are_parts_of_the_rest_and_all_parts_are_the_total() {
    let (delivered, table) = aws(&september());
    let sums = by_type(&table);
    let near = |amount: i128, exact: i128, margin| assert!((amount - exact).abs() < margin, "{amount} {exact}");
    let rounding = CENT / 100 * i128::try_from(table.rows.len()).unwrap();
    near(sums["EdpDiscount"], -(sums["Usage"] + sums["SavingsPlanRecurringFee"]) * 9 / 100, rounding);
    assert_eq!((plain(sums["Credit"]).as_str(), plain(sums["Fee"]).as_str()), ("-150", "100"));
    let total: i128 = sums.values().sum();
    near(sums["Tax"], (total - sums["Tax"]) * 19 / 100, 20 * CENT);
    assert_eq!(delivered.cost, BTreeMap::from([("USD".to_owned(), plain(total))]));
    let names = "Credit EdpDiscount Fee SavingsPlanCoveredUsage SavingsPlanNegation SavingsPlanRecurringFee Tax Usage";
    assert_eq!(sums.into_keys().collect::<Vec<_>>().join(" "), names);
}

#[test]
fn a_later_run_adds_only_late_usage_with_its_discount_and_tax() {
    let (_, first) = aws(&september());
    let (_, second) = aws(&Run::again(september().month, 2));
    let (before, after) = (by_type(&first), by_type(&second));
    let moved: BTreeMap<_, _> = after.iter().map(|(name, sum)| (*name, plain(sum - before[name]))).collect();
    let moved: Vec<_> = moved.iter().filter(|(_, sum)| *sum != "0").map(|(name, sum)| (*name, sum.as_str())).collect();
    assert_eq!(moved[0], ("EdpDiscount", "-2.43"));
    assert_eq!((moved[1].0, moved[2]), ("Tax", ("Usage", "27")));
    // 19 % of 24.57, in whole cents.
    assert!(["4.66", "4.67"].contains(&moved[1].1), "{moved:?}");
}

#[test]
fn amounts_have_at_most_four_decimals_and_only_what_reduces_the_bill_is_negative() {
    for month in ["2025-08", "2025-09", "2025-10"] {
        let run = Run::of(month.parse().unwrap());
        let (aws, table) = aws(&run);
        for row in &table.rows {
            let reduces = ["Credit", "EdpDiscount", "SavingsPlanNegation"];
            let cost = units(&row["lineItem/UnblendedCost"]);
            assert_eq!(cost % (CENT / 100), 0, "{row:?}");
            assert!(reduces.contains(&row["lineItem/LineItemType"].as_str()) == (cost < 0), "{row:?}");
        }
        let (azure, _) = bill(Dialect::AzureFocus12, Format::Parquet, &run);
        for delivered in [aws, azure] {
            let total = units(&delivered.cost["USD"]);
            assert!((units("1000")..units("5000")).contains(&total), "{:?}", delivered.cost);
        }
    }
}

#[test]
fn azures_actual_cost_and_focus_are_the_same_bill_and_a_longer_run_has_the_days_of_a_shorter_one() {
    let actual = |run: &Run| bill(Dialect::AzureActualEnterprise, Format::CsvGzip, run);
    let ((whole, all), (focus, _)) = (actual(&september()), bill(Dialect::AzureFocus12, Format::Parquet, &september()));
    assert_eq!((whole.rows, &whole.cost), (focus.rows, &focus.cost));
    let (part, some) = actual(&Run::again(september().month, 32).until(20));
    assert_eq!(part.rows, whole.rows * 20 / 30);
    assert!(some.rows.iter().zip(&all.rows).all(|(of_part, of_whole)| of_part == of_whole));
}

#[test]
fn data_exports_have_no_bill() {
    for dialect in [Dialect::AwsCur2, Dialect::AwsFocus10, Dialect::AwsFocus12] {
        let export = Export { content: Content::Bill, ..Export::new(dialect, Format::Parquet) };
        let error = export.deliver(tempfile::tempdir().unwrap().path(), &september()).unwrap_err();
        assert!(error.to_string().ends_with("has no bill"), "{error}");
    }
}
