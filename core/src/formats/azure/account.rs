//! Assigns the rows of a staged month to its runs. Each run must have all of its rows, and each row a run.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date};

use crate::formats::azure::scope::id;
use crate::model::{
    amount::exceeds_a_hundredth,
    groups::{BatchFigures, Group, Groups, Sums, added},
    load_record::ScopeRecord,
    period::BillingPeriod,
    text::excerpt,
};

/// A run's part of a month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Its scope; empty if its manifest does not have it.
    pub scope: String,
    /// The run.
    pub execution_id: String,
    /// When it was issued.
    pub issued_at: Option<Timestamp>,
    /// The last day that it covers, if its manifest says it.
    pub covers_until: Option<Date>,
    /// An older run, combined with the newest run of its scope.
    pub kept: bool,
    /// Its files have no billing period.
    pub usage_month: bool,
    /// The folder of its files, below the export's.
    pub folder: String,
    /// The values of the scope's columns in its rows; `None` if any row may belong to it.
    pub values: Option<Vec<String>>,
    /// The days of its rows, if it is a piece of the month.
    pub days: Option<(Date, Date)>,
    /// Its rows, if the files or its manifest have them.
    pub rows: Option<u64>,
    /// Its batch of files.
    pub batch: usize,
    /// Its batch was summed separately.
    pub is_own: bool,
}

/// What the runs delivered.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// The record of each run.
    pub scopes: Vec<ScopeRecord>,
    /// The days of the month with rows, by scope: bit 0 is the first day.
    pub days_with_rows: BTreeMap<String, u32>,
    /// What is wrong, as messages.
    pub wrong: Vec<String>,
    /// Rows of usage months whose day is in another month, by scope and day.
    pub outside: BTreeMap<(String, Option<Date>), Sums>,
}

/// Assigns every staged row to its run. `groups` has the sums of the month by the columns of scopes, and by day.
pub fn account(period: BillingPeriod, parts: &[Part], groups: &Groups, batches: &[BatchFigures]) -> Account {
    let mut shared = groups.clone();
    let mut of_part: Vec<Groups> = vec![Groups::new(); parts.len()];
    let mut account = Account::default();
    for (at, part) in parts.iter().enumerate().filter(|(_, part)| part.is_own) {
        if let Some(own) = batches.get(part.batch).and_then(|batch| batch.groups.as_ref()) {
            shared = added(own, &shared);
            of_part[at].clone_from(own);
        }
    }
    let mut unowned = 0;
    for (group, sums) in shared {
        let owner = parts.iter().position(|part| !part.is_own && owns(part, &group));
        match owner {
            Some(at) => of_part[at].entry(group).or_default().add(&sums),
            None => unowned += sums.rows,
        }
    }
    let several = parts.len() > 1;
    if unowned > 0 {
        let rows = if unowned == 1 { "1 row is".to_owned() } else { format!("{unowned} rows are") };
        account.wrong.push(format!("{rows} of no scope or day that its runs cover"));
    }
    for (part, groups) in parts.iter().zip(&of_part) {
        let batch = batches.get(part.batch);
        let rows: u64 = match batch.and_then(|batch| batch.groups.as_ref()) {
            // After a run that was killed between swap and record, only the whole month is summed: the number of the run's rows is
            // not known.
            None if part.is_own => part.rows.unwrap_or(1),
            _ => groups.values().map(|sums| sums.rows).sum(),
        };
        let alone = parts.iter().filter(|other| other.batch == part.batch).count() == 1;
        let written = batch.and_then(|batch| batch.written).filter(|_| alone);
        if let Some(expected) = part.rows.or(written).filter(|expected| several && *expected != rows) {
            let whose = if part.scope.is_empty() { "run".to_owned() } else { format!("{}, run", excerpt(&part.scope)) };
            account.wrong.push(format!(
                "{whose} {}: {expected} rows were expected, as its manifest or its load say, and {rows} are staged",
                excerpt(&part.execution_id)
            ));
        }
        account.scopes.push(recorded(period, part, groups, rows));
        let with_rows = account.days_with_rows.entry(part.scope.clone()).or_default();
        for ((_, day), sums) in groups {
            *with_rows |= bit(period, *day);
            if part.usage_month && day.is_none_or(|day| BillingPeriod::containing(day) != period) {
                account.outside.entry((part.scope.clone(), *day)).or_default().add(sums);
            }
        }
    }
    account.wrong.extend(doubled(parts, &of_part).or_else(|| overlap(parts, &of_part)));
    account
}

/// A day for which two runs of one scope have rows.
fn doubled(parts: &[Part], of_part: &[Groups]) -> Option<String> {
    for (at, part) in parts.iter().enumerate().filter(|(_, part)| part.kept) {
        let days = |at: usize| of_part[at].keys().filter_map(|(_, day)| *day).collect::<BTreeSet<Date>>();
        for (other, newest) in parts.iter().enumerate().filter(|(o, other)| *o != at && other.scope == part.scope) {
            if let Some(day) = days(at).intersection(&days(other)).next() {
                let (kept, newest) = (excerpt(&part.execution_id), excerpt(&newest.execution_id));
                return Some(format!("runs {kept} and {newest} both have rows of {day}"));
            }
        }
    }
    None
}

/// Rows of one subscription and day that come from two scopes: one scope contains the other.
fn overlap(parts: &[Part], of_part: &[Groups]) -> Option<String> {
    let mut first: BTreeMap<(Vec<String>, Date), &str> = BTreeMap::new();
    for (part, groups) in parts.iter().zip(of_part) {
        for (values, day) in groups.keys() {
            let values: Vec<String> = values.iter().map(|value| id(value)).collect();
            let (Some(day), true) = (*day, values.iter().any(|value| !value.is_empty())) else { continue };
            let of = values.join(", ");
            let other = *first.entry((values, day)).or_insert(&part.scope);
            if other != part.scope {
                let (other, scope) = (excerpt(other), excerpt(&part.scope));
                return Some(format!("{other} and {scope} both have rows of {of} on {day}: one contains the other"));
            }
        }
    }
    None
}

fn owns(part: &Part, (values, day): &Group) -> bool {
    let of_scope = part
        .values
        .as_ref()
        .is_none_or(|own| own.len() == values.len() && own.iter().zip(values).all(|(own, value)| *own == id(value)));
    of_scope && part.days.is_none_or(|(first, last)| day.is_some_and(|day| first <= day && day <= last))
}

fn recorded(period: BillingPeriod, part: &Part, groups: &Groups, rows: u64) -> ScopeRecord {
    let mut by_day: BTreeMap<Date, Sums> = BTreeMap::new();
    let (mut all, mut outside) = (Sums::default(), BTreeSet::new());
    for ((_, day), sums) in groups {
        all.add(sums);
        match day {
            Some(day) if BillingPeriod::containing(*day) == period => by_day.entry(*day).or_default().add(sums),
            Some(day) => drop(outside.insert(*day)),
            None => {}
        }
    }
    let with_cost = || by_day.iter().filter(|(_, sums)| has_cost(sums)).map(|(day, _)| *day);
    let large = by_day.iter().filter(|(_, sums)| exceeds_a_hundredth(&sums.cost, &all.cost));
    ScopeRecord {
        scope: part.scope.clone(),
        execution_id: part.execution_id.clone(),
        first_day: with_cost().min(),
        last_day: with_cost().max(),
        days: large.fold(0, |days, (day, _)| days | bit(period, Some(*day))),
        rows,
        cost: all.cost,
        issued_at: part.issued_at,
        covers_until: part.covers_until,
        folder: part.folder.clone(),
        outside: if part.usage_month { outside.into_iter().collect() } else { Vec::new() },
        kept: part.kept,
        usage_month: part.usage_month,
    }
}

fn has_cost(sums: &Sums) -> bool {
    sums.cost.values().any(|amount| !amount.is_zero())
}

fn bit(period: BillingPeriod, day: Option<Date>) -> u32 {
    let day = day.filter(|day| BillingPeriod::containing(*day) == period);
    day.map_or(0, |day| 1 << (day.day() - 1))
}

/// A loaded scope that the new month does not have.
pub fn lost(new: &Account, loaded: &[ScopeRecord]) -> Option<String> {
    // A run without a scope in its manifest may be of any scope.
    let all_known = !new.scopes.is_empty() && new.scopes.iter().all(|record| !record.scope.is_empty());
    let is_there = |scope: &str| new.scopes.iter().any(|record| record.scope == scope);
    let lost = loaded
        .iter()
        .filter(|_| all_known)
        .find(|record| !record.scope.is_empty() && record.rows > 0 && !is_there(&record.scope))?;
    Some(format!("{}, which is loaded by run {}, is not in it", excerpt(&lost.scope), excerpt(&lost.execution_id)))
}

/// Why the new month has less of a scope than the loaded one: it begins later or ends earlier, or has no rows on a day that had
/// more than a hundredth of the cost. This happens after a subscription moved (Microsoft: "if a subscription changes offers,
/// costs before the change aren't available").
pub fn shorter(new: &Account, loaded: &[ScopeRecord]) -> Option<String> {
    let scopes: BTreeSet<&str> = loaded.iter().map(|record| record.scope.as_str()).collect();
    scopes.into_iter().find_map(|scope| {
        // Settings may leave out a scope, or no longer combine older runs: that is on purpose.
        let first = new.scopes.iter().find(|record| record.scope == scope)?;
        let before: Vec<&ScopeRecord> =
            loaded.iter().filter(|record| record.scope == scope && !record.kept).collect();
        let newest = before.iter().max_by_key(|record| record.issued_at)?;
        let day = |date: Date| u32::from(date.day().unsigned_abs());
        let begins = before.iter().filter_map(|record| record.first_day).min().map(day);
        let ends = before.iter().filter_map(|record| record.last_day).max().map(day);
        let days = new.days_with_rows.get(scope).copied().unwrap_or_default();
        let lacks = before.iter().fold(0, |days, record| days | record.days) & !days;
        let (of, was) = (excerpt(&first.execution_id), excerpt(&newest.execution_id));
        let (first_of, last_of) = (|days: u32| days.trailing_zeros() + 1, |days: u32| 32 - days.leading_zeros());
        match begins {
            Some(begins) if days == 0 => {
                Some(format!("run {of} has no rows, and run {was}, which is loaded, has some from day {begins} on"))
            }
            Some(begins) if first_of(days) > begins => Some(format!(
                "run {of} begins with day {}, and run {was}, which is loaded, with day {begins}",
                first_of(days)
            )),
            _ if ends.is_some_and(|ends| last_of(days) < ends) => Some(format!(
                "run {of} ends with day {}, and run {was}, which is loaded, with day {}",
                last_of(days),
                ends.unwrap_or_default()
            )),
            _ if lacks != 0 => Some(format!(
                "run {of} has no rows of day {}, and run {was}, which is loaded, has more than a hundredth of its cost there",
                first_of(lacks)
            )),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn september() -> BillingPeriod {
        "2025-09".parse().unwrap()
    }

    #[allow(clippy::unnecessary_wraps, reason = "as groups have it")]
    fn day(day: i8) -> Option<Date> {
        Some(Date::constant(2025, 9, day))
    }

    fn sums(rows: u64, cost: &str) -> Sums {
        Sums { rows, cost: [("EUR".to_owned(), cost.parse().unwrap())].into() }
    }

    /// Rows of a subscription on a day, with their cost.
    fn groups(of: &[(&str, Option<Date>, u64, &str)]) -> Groups {
        let group = |(value, day, rows, cost): &(&str, Option<Date>, u64, &str)| {
            ((vec![(*value).to_owned()], *day), sums(*rows, cost))
        };
        of.iter().map(group).collect()
    }

    fn part(id: &str, rows: Option<u64>) -> Part {
        let scope = format!("/subscriptions/{id}");
        Part { scope, execution_id: format!("run-{id}"), values: Some(vec![id.to_owned()]), rows, ..Part::default() }
    }

    fn written(rows: u64) -> BatchFigures {
        BatchFigures { written: Some(rows), groups: None }
    }

    #[test]
    fn every_row_is_assigned_to_its_run_and_recorded() {
        let staged = groups(&[
            ("A", day(1), 1, "99"),
            ("/subscriptions/a", day(2), 1, "1"),
            ("b", day(30), 2, "0"),
            ("b", None, 1, "5"),
        ]);
        let parts = [part("a", Some(2)), Part { batch: 1, ..part("b", None) }];
        let account = account(september(), &parts, &staged, &[written(2), written(3)]);
        assert_eq!(account.wrong, Vec::<String>::new());
        let [a, b] = &account.scopes[..] else { panic!("{:?}", account.scopes) };
        assert_eq!(
            (a.rows, a.first_day, a.last_day, a.days),
            (2, day(1), day(2), 1),
            "a hundredth is not more than one"
        );
        assert_eq!((b.rows, b.first_day, b.days), (3, None, 0), "days without a cost, and rows without a day");
        assert_eq!(account.days_with_rows["/subscriptions/b"], 1 << 29);
    }

    #[test]
    fn too_many_and_too_few_rows_and_rows_of_no_run_are_reported_with_their_scopes() {
        let staged = groups(&[("a", day(1), 3, "1"), ("b", day(1), 1, "1"), ("c", day(1), 1, "1")]);
        let wrong =
            account(september(), &[part("a", Some(2)), part("b", Some(2))], &staged, &[written(5)]).wrong.join("; ");
        for said in [
            "1 row is of no scope",
            "/subscriptions/a, run run-a: 2 rows were expected, as its manifest or its load say, and 3 are staged",
            "/subscriptions/b, run run-b: 2 rows were expected",
        ] {
            assert!(wrong.contains(said), "{wrong}");
        }
    }

    #[test]
    fn a_piece_has_the_rows_of_its_days() {
        let of = |days, id: &str| Part {
            execution_id: id.to_owned(),
            values: None,
            days: Some(days),
            rows: Some(1),
            ..part("a", None)
        };
        let parts = [of((day(1).unwrap(), day(7).unwrap()), "1"), of((day(8).unwrap(), day(14).unwrap()), "2")];
        let right = account(september(), &parts, &groups(&[("", day(7), 1, "1"), ("", day(8), 1, "1")]), &[written(2)]);
        assert_eq!(right.wrong, Vec::<String>::new());
        let wrong = account(september(), &parts, &groups(&[("", day(7), 2, "1")]), &[written(2)]);
        assert_eq!(wrong.wrong.len(), 2);
    }

    #[test]
    fn runs_that_no_column_distinguishes_have_the_sums_of_their_own_batches() {
        let own = groups(&[("x", day(1), 1, "2")]);
        let all = groups(&[("x", day(1), 1, "2"), ("z", day(1), 1, "3"), ("y", day(2), 1, "7")]);
        let batch = |groups| BatchFigures { written: None, groups: Some(groups) };
        let parts = [
            Part { is_own: true, values: None, ..part("a", Some(1)) },
            Part { is_own: true, values: None, batch: 1, ..part("b", Some(2)) },
        ];
        let account = account(september(), &parts, &all, &[batch(own.clone()), batch(added(&own, &all))]);
        assert_eq!(account.wrong, Vec::<String>::new());
        let costs: Vec<String> = account.scopes.iter().map(|scope| scope.cost["EUR"].to_string()).collect();
        assert_eq!(costs, ["2", "10"]);
    }

    #[test]
    fn rows_of_one_subscription_and_day_in_two_scopes_fail_the_month() {
        let one = groups(&[("Sub", day(1), 1, "2")]);
        let batch = |groups| BatchFigures { written: None, groups: Some(groups) };
        let own = |id: &str, batch| Part { is_own: true, values: None, batch, ..part(id, None) };
        let wrong = account(
            september(),
            &[own("a", 0), own("b", 1)],
            &one,
            &[batch(one.clone()), batch(groups(&[("sub", day(1), 1, "2")]))],
        )
        .wrong;
        assert_eq!(
            wrong,
            ["/subscriptions/a and /subscriptions/b both have rows of sub on 2025-09-01: one contains the other"]
        );
    }

    #[test]
    fn a_loaded_scope_must_be_in_the_new_month() {
        let staged = groups(&[("a", day(1), 1, "1"), ("b", day(1), 1, "1")]);
        let both = account(september(), &[part("a", None), part("b", None)], &staged, &[written(2)]);
        let one = account(september(), &[part("a", None)], &groups(&[("a", day(1), 1, "1")]), &[written(1)]);
        assert_eq!(lost(&both, &both.scopes), None);
        assert!(lost(&one, &both.scopes).unwrap().contains("/subscriptions/b, which is loaded by run run-b"));
        let unnamed = Account { scopes: vec![ScopeRecord { scope: String::new(), ..one.scopes[0].clone() }], ..one };
        assert_eq!(lost(&unnamed, &both.scopes), None, "it may be any");
    }

    #[test]
    fn runs_that_the_settings_combine_have_no_day_in_common() {
        let kept = Part { kept: true, is_own: true, values: None, ..part("a", None) };
        let newest = Part { execution_id: "new".to_owned(), is_own: true, values: None, batch: 1, ..part("a", None) };
        let of = |first, second| {
            let (one, two) = (groups(&[("", day(first), 1, "1")]), groups(&[("", day(second), 1, "1")]));
            let batch = |groups| BatchFigures { written: Some(1), groups: Some(groups) };
            account(september(), &[kept.clone(), newest.clone()], &Groups::new(), &[batch(one), batch(two)]).wrong
        };
        assert_eq!(of(1, 2), Vec::<String>::new());
        assert_eq!(of(2, 2), ["runs run-a and new both have rows of 2025-09-02"]);
    }

    #[test]
    fn missing_days_are_found_at_both_ends_and_within() {
        let of = |staged: &[(&str, Option<Date>, u64, &str)]| {
            account(september(), &[part("a", None)], &groups(staged), &[written(1)])
        };
        let loaded = of(&[("a", day(2), 1, "0.5"), ("a", day(3), 1, "50"), ("a", day(4), 1, "50")]).scopes;
        let why = |staged: &[(&str, Option<Date>, u64, &str)]| shorter(&of(staged), &loaded);
        assert_eq!(why(&[("a", day(2), 1, "0"), ("a", day(3), 1, "1"), ("a", day(4), 1, "1")]), None);
        assert_eq!(why(&[("a", day(1), 1, "1"), ("a", day(3), 1, "1"), ("a", day(4), 1, "1")]), None, "a small day");
        for (staged, said) in [
            (&[("a", day(3), 1, "1"), ("a", day(4), 1, "1")][..], "begins with day 3"),
            (&[("a", day(1), 1, "1"), ("a", day(3), 1, "1")], "ends with day 3"),
            (&[("a", day(1), 1, "1"), ("a", day(4), 1, "1")], "has no rows of day 3"),
            (&[], "has no rows, and"),
        ] {
            let why = why(staged).unwrap();
            assert!(why.contains(said) && why.contains("run-a"), "{why}");
        }
        let set_aside: Vec<ScopeRecord> =
            loaded.iter().map(|record| ScopeRecord { kept: true, ..record.clone() }).collect();
        assert_eq!(shorter(&of(&[("a", day(9), 1, "1")]), &set_aside), None);
        let other = Account { scopes: vec![], ..of(&[]) };
        assert_eq!(shorter(&other, &loaded), None, "settings set the scope aside");
    }
}
