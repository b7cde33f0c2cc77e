//! The days that a run covers.

use jiff::civil::{Date, DateTime};

use crate::{
    formats::azure::paths::days,
    hint,
    model::{
        manifest::{ManifestError, ManifestLocation},
        period::BillingPeriod,
        text::excerpt,
    },
};

/// The first day that a run covers, if it is not the first of the month, and the last day, if the manifest or the folder has it. All
/// days must be in one calendar month.
pub(super) fn range(
    location: &ManifestLocation,
    start: Option<&str>,
    end: Option<&str>,
    time_frame: &str,
) -> Result<(Option<Date>, Option<Date>), ManifestError> {
    let (start, end) = (day(start)?, day(end)?);
    let (first, last) = days(&location.period_folder).unzip();
    let month = location.billing_period;
    let shown = |day: Option<Date>| day.map_or_else(|| "?".to_owned(), |day| day.to_string());
    let covers = || {
        let of_time_frame = if time_frame.is_empty() { String::new() } else { format!(" ({})", excerpt(time_frame)) };
        let (start, end) = (shown(start.or(first)), shown(end.or(last)));
        format!("it covers {start} to {end}{of_time_frame} in folder {}", location.period_folder)
    };
    let months = [first, start, last, end].into_iter().flatten().map(BillingPeriod::containing);
    // The folder of a piece of a month has the days of the piece.
    let is_elsewhere = first.zip(start).is_some_and(|(first, start)| first != start);
    if is_elsewhere || !months.into_iter().all(|of| of == month) {
        let what = format!("{}: days of one calendar month were expected", covers());
        return Err(ManifestError::Range { what, hint: range_hint(time_frame), from: first.or(start) });
    }
    let from = first.or(start).filter(|from| *from != month.first_day());
    if end.zip(from).is_some_and(|(end, from)| end < from) {
        return Err(ManifestError::Contradiction(format!("{}, which ends before it begins", covers())));
    }
    // Without a last day, the folder has it if it ends before the month.
    Ok((from, end.or(last.filter(|last| *last != month.last_day()))))
}

/// What to do about days that are not of one month, for the export's `timeFrame`.
fn range_hint(time_frame: &str) -> &'static str {
    match time_frame.to_ascii_lowercase().as_str() {
        // Microsoft's reference of the Exports API: the billing month, which is a calendar month in most agreements only.
        "thelastbillingmonth" | "billingmonthtodate" => hint::WITHOUT_BILLING_PERIODS,
        "custom" => hint::ONCE_FOR_EACH_MONTH,
        "monthtodate" | "thelastmonth" | "thecurrentmonth" => hint::CHANGED_MANIFEST,
        _ => hint::CHOOSE_TIME_FRAME,
    }
}

/// The day of a text such as `2025-03-01T00:00:00`, with or without a zone.
fn day(text: Option<&str>) -> Result<Option<Date>, ManifestError> {
    let Some(text) = text else { return Ok(None) };
    let day = text.trim().trim_end_matches('Z').parse::<DateTime>().map(DateTime::date);
    day.map(Some).map_err(|_| ManifestError::Malformed(format!("`{}` is no day such as 2025-03-01", excerpt(text))))
}
