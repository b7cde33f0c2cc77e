//! One month on its way through the protocol.

use jiff::civil::Date;

use super::steps::{By, Do, Seen, Whose, Why};

/// After so many failed jobs in a row, the search doubles its steps. Earlier versions used up a number with each failed
/// attempt, so there may be hundreds of them.
const ONE_BY_ONE: u32 = 8;
/// How often the swap is tried again after transient failures.
const TRIES: u32 = 4;

/// A job that replaced the month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Done {
    number: i64,
    whose: Whose,
    until: Option<Date>,
}

/// When this run staged its rows, compared with the jobs that it finds later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Staged {
    /// Not yet.
    No,
    /// Before those jobs were inserted: their numbers were free then.
    BeforeThem,
    /// Before or after: this run did not look at their numbers, since they follow one that BigQuery forgot.
    AtAnyTime,
}

/// One month on its way through the protocol.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Month {
    /// The number in question.
    n: i64,
    /// The highest number that is known to be over.
    over: i64,
    /// A free number above it, while the search goes on between the two.
    free: Option<i64>,
    /// Failed jobs in a row.
    failures: u32,
    /// Some numbers were skipped: one of their jobs may have replaced the month.
    skipped: bool,
    /// The last job found that replaced the month.
    done: Option<Done>,
    /// The table has the rows of that job.
    has_rows: bool,
    staged: Staged,
    by: By,
    /// The number that this run inserted.
    inserted: Option<i64>,
    tries: u32,
    /// The last day of this delivery; `None` where it does not matter.
    until: Option<Date>,
    /// The caller knows of the jobs for other deliveries up to this number.
    acknowledged: i64,
}

impl Month {
    /// A month whose state names the job `sequence` (0: none). The caller has started again since [`Month::acknowledged`] was
    /// `acknowledged`. `until` is the last day of its delivery; `None` where it may replace any other.
    pub fn new(sequence: i64, acknowledged: i64, until: Option<Date>) -> Self {
        Self {
            n: sequence.saturating_add(1),
            over: sequence,
            free: None,
            failures: 0,
            skipped: false,
            done: None,
            has_rows: false,
            staged: Staged::No,
            by: By::Copy,
            inserted: None,
            tries: 0,
            until,
            acknowledged,
        }
    }

    /// What to do first.
    pub fn first(&self) -> Do {
        Do::Look(self.n)
    }

    /// What to do once the month is staged and checked. The first swap is by `by`.
    pub fn staged(&mut self, by: By) -> Do {
        (self.staged, self.by) = (Staged::BeforeThem, by);
        Do::Insert(self.n, by)
    }

    /// The number up to which the caller knows of jobs for other deliveries, after [`Do::Superseded`] too.
    pub fn acknowledged(&self) -> i64 {
        self.acknowledged
    }

    /// What to do next, after the last step had the result `seen`.
    pub fn next(&mut self, seen: Seen) -> Do {
        match seen {
            Seen::Free if self.n - self.over > 1 => {
                self.free = Some(self.n);
                self.look_on()
            }
            Seen::Free => self.at_first_free(),
            Seen::Running => Do::Wait(self.n),
            Seen::Inserted => {
                self.inserted = Some(self.n);
                Do::Wait(self.n)
            }
            Seen::Succeeded(..) if self.inserted == Some(self.n) => Do::Record(self.n),
            // Another run inserted it, but its rows are those that this run staged and checked.
            Seen::Succeeded(Whose::Mine, _) if self.staged == Staged::BeforeThem => Do::Record(self.n),
            Seen::Succeeded(whose, until) => {
                self.done = Some(Done { number: self.n, whose, until });
                (self.has_rows, self.failures) = (false, 0);
                self.pass()
            }
            Seen::Failed(why) if self.inserted == Some(self.n) => self.failed(why),
            Seen::Failed(_) => {
                self.failures = self.failures.saturating_add(1);
                self.pass()
            }
            // Later numbers may be forgotten too, and only seem free: none of them may be skipped.
            Seen::Forgotten => {
                (self.failures, self.free) = (0, None);
                if self.staged == Staged::BeforeThem {
                    self.staged = Staged::AtAnyTime;
                }
                self.pass()
            }
            Seen::Refused(why) => self.refused(why),
            Seen::HasRows(true) => {
                self.has_rows = true;
                Do::Look(self.n)
            }
            Seen::HasRows(false) => {
                self.done = None;
                Do::Look(self.n)
            }
        }
    }

    /// Job `n` is over: goes on with later numbers.
    fn pass(&mut self) -> Do {
        self.skipped |= self.n - self.over > 1;
        self.over = self.n;
        self.look_on()
    }

    /// Looks at a number after the last one that is over: the next one, or halfway to a free one.
    fn look_on(&mut self) -> Do {
        self.free = self.free.filter(|free| *free > self.over);
        let step = match self.free {
            Some(free) => ((free - self.over) / 2).max(1),
            None => 1 << self.failures.saturating_sub(ONE_BY_ONE).min(30),
        };
        self.n = self.over.saturating_add(step);
        Do::Look(self.n)
    }

    /// Number `n` is free, and the one before it is over.
    fn at_first_free(&mut self) -> Do {
        match self.done {
            Some(Done { number, whose: Whose::Mine, .. }) if self.has_rows => return Do::Record(number),
            Some(Done { number, whose: Whose::Mine, .. }) => return Do::CheckRows(number),
            Some(Done { number, whose: Whose::Other, .. }) if number > self.acknowledged => return self.superseded(),
            _ if self.skipped && self.over > self.acknowledged => return self.superseded(),
            // Where its rows are gone, a delivery of fewer days is better than none.
            Some(Done { number, until: Some(until), .. }) if self.until.is_some_and(|ours| ours < until) => {
                return if self.has_rows { Do::Outreached(until) } else { Do::CheckRows(number) };
            }
            _ => {}
        }
        if self.staged == Staged::No { Do::Stage } else { Do::Insert(self.n, self.by) }
    }

    fn superseded(&mut self) -> Do {
        self.acknowledged = self.over;
        Do::Superseded
    }

    /// This run's job failed: its number is used up.
    fn failed(&mut self, why: Why) -> Do {
        if let Some(end) = self.after(why) {
            return end;
        }
        (self.over, self.n) = (self.n, self.n.saturating_add(1));
        Do::Insert(self.n, self.by)
    }

    /// The insert was refused. Whether that used up the number is not known yet.
    fn refused(&mut self, why: Why) -> Do {
        self.after(why).unwrap_or(Do::Look(self.n))
    }

    /// The end after a failure; `None` where another attempt may succeed.
    fn after(&mut self, why: Why) -> Option<Do> {
        match why {
            Why::Transient if self.tries < TRIES => self.tries += 1,
            Why::CopyRefused if self.by == By::Copy => self.by = By::Query,
            Why::SourceGone => return Some(Do::Superseded),
            Why::Transient | Why::CopyRefused | Why::Final => return Some(Do::Fail),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers each look from `job`, and waits and inserts with success, up to the first other thing to do.
    fn looks(month: &mut Month, job: impl Fn(i64) -> Seen) -> (Vec<i64>, Do) {
        let (mut looked, mut next) = (Vec::new(), month.first());
        while let Do::Look(n) = next {
            looked.push(n);
            next = month.next(job(n));
        }
        (looked, next)
    }

    #[test]
    fn a_new_month_is_staged_inserted_waited_for_and_recorded() {
        let mut month = Month::new(0, 0, None);
        assert_eq!(month.first(), Do::Look(1));
        assert_eq!(month.next(Seen::Free), Do::Stage);
        assert_eq!(month.staged(By::Copy), Do::Insert(1, By::Copy));
        assert_eq!(month.next(Seen::Inserted), Do::Wait(1));
        assert_eq!(month.next(Seen::Succeeded(Whose::Mine, None)), Do::Record(1));
    }

    #[test]
    fn a_job_that_a_dead_run_left_is_recorded_only_while_the_table_has_its_rows_and_nothing_followed() {
        let job = |n| if n == 1 { Seen::Succeeded(Whose::Mine, None) } else { Seen::Free };
        let mut month = Month::new(0, 0, None);
        assert_eq!(looks(&mut month, job), (vec![1, 2], Do::CheckRows(1)));
        let mut lost = month.clone();
        assert_eq!(month.next(Seen::HasRows(true)), Do::Look(2), "it may have been replaced while it was summed");
        let mut replaced = month.clone();
        assert_eq!(month.next(Seen::Free), Do::Record(1));
        assert_eq!(replaced.next(Seen::Running), Do::Wait(2));
        assert_eq!(replaced.next(Seen::Succeeded(Whose::Other, None)), Do::Look(3));
        assert_eq!(replaced.next(Seen::Free), Do::Superseded);
        assert_eq!(lost.next(Seen::HasRows(false)), Do::Look(2));
        assert_eq!(lost.next(Seen::Free), Do::Stage);
    }

    #[test]
    fn other_work_supersedes_once_and_for_good_where_it_reaches_further() {
        let day = |day| Some(Date::constant(2025, 9, day));
        let job = |n| if n == 3 { Seen::Succeeded(Whose::Other, day(30)) } else { Seen::Free };
        for (ours, then) in [(None, Do::Stage), (day(30), Do::Stage), (day(29), Do::CheckRows(3))] {
            let mut month = Month::new(2, 0, ours);
            assert_eq!(looks(&mut month, job).1, Do::Superseded);
            let mut again = Month::new(2, month.acknowledged(), ours);
            assert_eq!(looks(&mut again, job).1, then);
            if then == Do::CheckRows(3) {
                assert_eq!(again.next(Seen::HasRows(true)), Do::Look(4));
                assert_eq!(again.next(Seen::Free), Do::Outreached(Date::constant(2025, 9, 30)));
            }
        }
    }

    #[test]
    fn other_work_that_reaches_further_gives_way_where_its_rows_were_lost() {
        let (wide, narrow) = (Some(Date::constant(2025, 9, 30)), Some(Date::constant(2025, 9, 29)));
        let mut month = Month::new(0, 1, narrow);
        assert_eq!(month.next(Seen::Succeeded(Whose::Other, wide)), Do::Look(2));
        assert_eq!(month.next(Seen::Free), Do::CheckRows(1));
        assert_eq!(month.next(Seen::HasRows(false)), Do::Look(2));
        assert_eq!(month.next(Seen::Free), Do::Stage);
    }

    #[test]
    fn a_job_of_the_same_work_behind_a_forgotten_one_is_recorded_only_while_the_table_has_its_rows() {
        let mut month = Month::new(0, 0, None);
        assert_eq!(month.next(Seen::Free), Do::Stage);
        assert_eq!(month.staged(By::Copy), Do::Insert(1, By::Copy));
        assert_eq!(month.next(Seen::Forgotten), Do::Look(2));
        assert_eq!(month.next(Seen::Succeeded(Whose::Mine, None)), Do::Look(3), "it may be older than what was staged");
        assert_eq!(month.next(Seen::Free), Do::CheckRows(2));
        assert_eq!(month.next(Seen::HasRows(false)), Do::Look(3));
        assert_eq!(month.next(Seen::Free), Do::Insert(3, By::Copy));
        assert_eq!(month.next(Seen::Inserted), Do::Wait(3));
        assert_eq!(month.next(Seen::Succeeded(Whose::Mine, None)), Do::Record(3));
    }

    #[test]
    fn a_refused_copy_is_repeated_as_a_query_under_the_number_if_that_is_free_and_else_the_next() {
        for used_up in [false, true] {
            let mut month = Month::new(4, 0, None);
            assert_eq!(month.next(Seen::Free), Do::Stage);
            assert_eq!(month.staged(By::Copy), Do::Insert(5, By::Copy));
            assert_eq!(month.next(Seen::Refused(Why::CopyRefused)), Do::Look(5));
            let next = month.next(if used_up { Seen::Failed(Why::CopyRefused) } else { Seen::Free });
            let next = if used_up { (next == Do::Look(6)).then(|| month.next(Seen::Free)).unwrap() } else { next };
            assert_eq!(next, Do::Insert(if used_up { 6 } else { 5 }, By::Query));
            assert_eq!(month.next(Seen::Refused(Why::CopyRefused)), Do::Fail, "a query is no copy");
        }
    }

    #[test]
    fn what_goes_away_is_tried_again_under_the_next_numbers_but_not_for_ever() {
        let mut month = Month::new(0, 0, None);
        assert_eq!(month.next(Seen::Free), Do::Stage);
        let mut next = month.staged(By::Copy);
        for n in 1..=i64::from(TRIES) {
            assert_eq!(next, Do::Insert(n, By::Copy));
            assert_eq!(month.next(Seen::Inserted), Do::Wait(n));
            next = month.next(Seen::Failed(Why::Transient));
        }
        assert_eq!(month.next(Seen::Inserted), Do::Wait(5));
        assert_eq!(month.next(Seen::Failed(Why::Transient)), Do::Fail);
    }

    #[test]
    fn many_used_up_numbers_are_passed_by_doubling_and_the_last_of_them_is_looked_at() {
        for used in [7, 8, 9, 10, 40, 1_000, 4_321] {
            let job = |n| if n <= used { Seen::Failed(Why::Final) } else { Seen::Free };
            let mut month = Month::new(0, 0, None);
            let (looked, next) = looks(&mut month, job);
            assert!(looked.len() <= 40, "{used}: {looked:?}");
            assert!(looked.contains(&used) && looked.last() == Some(&(used + 1)), "{used}: {looked:?}");
            let skipped = (1..=used).any(|n| !looked.contains(&n));
            assert_eq!(next, if skipped { Do::Superseded } else { Do::Stage }, "{used}: {looked:?}");
            assert_eq!(looks(&mut Month::new(0, month.acknowledged(), None), job).1, Do::Stage, "{used}");
        }
    }

    #[test]
    fn forgotten_numbers_are_passed_one_by_one_since_what_is_behind_them_may_only_seem_free() {
        let mut month = Month::new(1, 0, None);
        for n in 2..30 {
            assert_eq!(if n == 2 { month.first() } else { month.next(Seen::Forgotten) }, Do::Look(n));
        }
    }
}
