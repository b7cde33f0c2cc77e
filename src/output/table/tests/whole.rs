//! Nothing that people compare or copy is ever cut or broken.

use finops_core::{
    Amount, BillingPeriod, Costs,
    model::amount::{subtract, thousands},
    report::run::{Action, MonthReport, PipelineReport, TableStatus},
};
use proptest::prelude::*;

use super::{
    super::{report::pipeline, status::status},
    samples, view,
};
use crate::output::table::view::View;

/// Texts with words of any length, such as paths.
fn text() -> impl Strategy<Value = String> {
    prop::collection::vec("[a-zA-Z0-9é/_.:-]{1,12}|[a-z0-9/_.-]{30,90}|報告[a-z]{0,9}", 1..20)
        .prop_map(|words| words.join(" "))
}

fn costs() -> impl Strategy<Value = Costs> {
    let amount = (any::<i64>(), 0_usize..18).prop_map(|(digits, decimals)| {
        let sign = if digits < 0 { "-" } else { "" };
        let digits = format!("{:0>1$}", digits.unsigned_abs(), decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        format!("{sign}{whole}.{fraction}0").parse().unwrap()
    });
    prop::collection::btree_map("[A-Z]{3}", amount, 0..3)
}

prop_compose! {
    fn month()(
        number in 0_usize..1_000,
        (files, rows) in (0_u64..2_000, any::<u32>()),
        (cost, previous) in (costs(), costs()),
        remarks in prop::collection::vec(text(), 1..3),
        kind in 0..3,
    ) -> MonthReport {
        let remarks: Vec<&str> = remarks.iter().map(String::as_str).collect();
        let month = samples::month("2025-10".parse().unwrap(), number);
        match kind {
            0 => samples::loaded(samples::because(month, Action::Load, "not_loaded", &remarks), files, rows.into(), &cost, &Costs::new()),
            1 => samples::loaded(samples::because(month, Action::Reload, "new_delivery", &remarks), files, rows.into(), &cost, &previous),
            _ => samples::because(month, Action::Skip, "narrower", &remarks),
        }
    }
}

fn report() -> impl Strategy<Value = PipelineReport> {
    (prop::collection::vec(month(), 0..6), text(), text()).prop_map(|(mut months, export, table)| {
        let periods = samples::periods();
        months.iter_mut().zip(periods).for_each(|(month, period): (_, BillingPeriod)| month.billing_period = period);
        PipelineReport { months, ..PipelineReport::new("aws", &export, &table) }
    })
}

/// The words of a text.
fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// Asserts that each part is within one line, and that a line is too wide only by the one part in it.
fn assert_whole(drawn: &str, parts: &[String], width: usize) -> Result<(), TestCaseError> {
    for part in parts {
        prop_assert!(drawn.lines().any(|line| line.contains(part.as_str())), "`{}` is not whole in:\n{}", part, drawn);
    }
    for line in drawn.lines().filter(|line| console::measure_text_width(line) > width) {
        let alone = line.trim_start().rsplit("  ").next().unwrap_or_default();
        let is_part = !alone.contains(' ') || parts.iter().any(|part| alone.starts_with(part) && !alone.contains(", "));
        prop_assert!(is_part, "too wide: {}\n{}", line, drawn);
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_amount_no_id_and_no_word_of_a_run_is_cut_or_broken(report in report(), width in 40_usize..220, exact in any::<bool>()) {
        let view = View { exact, ..view(Some(width)) };
        let mut parts = [words(&report.export), words(&report.table)].concat();
        let mut in_list = Vec::new();
        for month in &report.months {
            parts.push(month.billing_period.to_string());
            let Some(result) = &month.result else { continue };
            let digits = |amount: &Amount, sign| if exact { amount.exact(sign) } else { amount.rounded(sign) };
            let changes = if result.previous_cost.is_empty() { result.cost.clone() } else { subtract(&result.cost, &result.previous_cost) };
            for (currency, change) in &changes {
                let amount = result.cost.get(currency).cloned().unwrap_or_else(Amount::zero);
                parts.push(format!("{} {currency}", digits(&amount, false)));
                parts.extend((!result.previous_cost.is_empty()).then(|| digits(change, true)));
            }
            let skipped = usize::from(month.reason_code == "not_loaded");
            parts.extend(month.remarks.iter().skip(skipped).flat_map(|remark| words(remark)));
            in_list.extend((result.rows > 0).then(|| thousands(&result.rows.to_string())));
            in_list.push(month.execution_id[..8].to_owned());
        }
        // Columns may be left out; a list has everything.
        let all = [parts.clone(), in_list].concat();
        assert_whole(&pipeline(&report, false, &view), if width < 100 { &all } else { &parts }, width)?;
        // In a pipe everything is there.
        let piped = pipeline(&report, false, &View { width: None, ..view });
        assert_whole(&piped, &all, usize::MAX)?;
    }

    #[test]
    fn no_amount_no_id_and_no_word_of_a_status_is_cut_or_broken(of_months in prop::collection::vec((costs(), 0_usize..99), 0..6), table in text(), width in 40_usize..220) {
        let months: Vec<_> = samples::periods().into_iter().zip(&of_months).map(|(period, (cost, number))| samples::loaded_month(period, *number, cost.clone())).collect();
        let mut parts = words(&table);
        for month in &months {
            parts.extend(month.record.cost.iter().map(|(currency, amount)| format!("{} {currency}", amount.rounded(false))));
            parts.push(month.record.billing_period.to_string());
        }
        let status_of = TableStatus { pipeline: "aws".to_owned(), label: None, table, months, newest_delivery_at: None, error: None };
        assert_whole(&status(&status_of, &view(Some(width))), &parts, width)?;
    }
}
