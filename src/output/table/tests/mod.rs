//! What people see, at the widths of terminals and in a pipe.

#![allow(clippy::unwrap_used, reason = "a failure is the test's result")]

mod samples;
mod whole;

use super::{checks::checks, overview::overview, report::pipeline, settings::settings, status::status, view::View};

/// The columns of terminals; the last one is a pipe.
const WIDTHS: [Option<usize>; 5] = [Some(80), Some(100), Some(120), Some(200), None];

fn view(width: Option<usize>) -> View {
    View { width, color: false, exact: false, now: samples::now() }
}

/// At all widths, with a line that is as wide as the terminal.
fn at_all_widths(draw: impl Fn(&View) -> String) -> String {
    let drawn = WIDTHS.map(|width| {
        let title = width.map_or("pipe ".to_owned(), |width| format!("{width} columns "));
        format!("{title:-<0$}\n{1}", width.unwrap_or(80), draw(&view(width)))
    });
    drawn.join("\n\n")
}

fn reports(reports: &[finops_core::report::run::PipelineReport], is_plan: bool, view: &View) -> String {
    reports.iter().map(|report| pipeline(report, is_plan, view)).collect::<Vec<_>>().join("\n\n")
}

#[test]
fn runs_plans_and_steps_read_well() {
    insta::assert_snapshot!("run", at_all_widths(|view| reports(&samples::run(), false, view)));
    insta::assert_snapshot!("plan", at_all_widths(|view| reports(&samples::plan(), true, view)));
    insta::assert_snapshot!("steps", at_all_widths(|view| reports(&samples::steps(), false, view)));
}

#[test]
fn what_is_loaded_reads_well() {
    let draw = |view: &View| samples::status().iter().map(|table| status(table, view)).collect::<Vec<_>>().join("\n\n");
    insta::assert_snapshot!("status", at_all_widths(draw));
}

#[test]
fn checks_and_settings_read_well() {
    insta::assert_snapshot!("checks", at_all_widths(|view| checks(&samples::checks(), view)));
    insta::assert_snapshot!("settings", at_all_widths(|view| settings(&samples::settings(), view)));
}

#[test]
fn overviews_read_well() {
    insta::assert_snapshot!("overview", at_all_widths(|view| overview(&samples::overview(), false, view)));
    insta::assert_snapshot!("dry_run", at_all_widths(|view| overview(&samples::overview(), true, view)));
}

#[test]
fn with_exact_amounts_all_digits_are_there() {
    for width in WIDTHS {
        let drawn = reports(&samples::run(), false, &View { exact: true, ..view(width) });
        for amount in
            ["66663.6662496624 USD", "+1.974160008", "953986.811234567890123456 EUR", "-0.000000000000000123 CHF"]
        {
            assert!(drawn.contains(amount), "{amount} is not in:\n{drawn}");
        }
    }
}

#[test]
fn colours_mark_results_and_change_nothing_else() {
    for width in WIDTHS {
        let plain = reports(&samples::run(), false, &view(width));
        let colored = reports(&samples::run(), false, &View { color: true, ..view(width) });
        assert_eq!(console::strip_ansi_codes(&colored), plain);
        for (word, code) in [("loaded", 32), ("reloaded", 32), ("waiting", 33), ("failed", 31), ("refused", 31)] {
            assert!(colored.contains(&format!("\u{1b}[{code}m{word}\u{1b}[0m")), "{word}: {colored:?}");
        }
    }
}
