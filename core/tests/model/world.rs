//! A world of one month: deliveries that appear, a table, its state, numbered jobs, and flows that run at the same time and
//! may be killed.

use std::mem::take;

use finops_core::numbered::{Seen, Whose, Why};

use crate::{
    flow::{Flow, Step},
    setup::{DELIVERIES, Left, OLDER, Setup},
};

/// What must always be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invariant {
    /// 1. No swap replaces a delivery by one that was listed earlier, unless forced.
    NoStepBack,
    /// 2. A number is used only when the one before it is over.
    OneAfterTheOther,
    /// 3. No delivery is swapped twice, unless forced or lost.
    OnceEach,
    /// 4. Only what passed the check is swapped.
    Checked,
    /// 5. After an undisturbed run the month is as if nothing had ever failed.
    Converges,
    /// 6. What a flow records was in the table at some time since that flow last began.
    RecordsWhatWasThere,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Deliver,
    Flow(usize, Step),
    Crash(usize),
    JobEnds(Option<Why>),
    RowsLost,
    StateLost,
    Forget(usize),
}

/// What a job's labels say, and when its flow listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    pub delivery: u8,
    /// A forced flow is identified by its number, because it loads its delivery again.
    pub forced: Option<u8>,
    pub listed: u8,
}

impl Label {
    fn is_same_load(self, other: Self) -> bool {
        (self.delivery, self.forced) == (other.delivery, other.forced)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Job {
    Running(Label),
    Succeeded(Label),
    Failed(Why),
    /// Its number is taken, and it is not found.
    Forgotten,
}

/// A row of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    pub sequence: i64,
    pub delivery: u8,
}

/// The table's rows: those of this job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Content {
    pub number: usize,
    pub label: Label,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub delivered: u8,
    /// Number n at n-1.
    pub jobs: Vec<Job>,
    pub rows: Vec<Row>,
    pub table: Option<Content>,
    pub flows: Vec<Flow>,
    left: Left,
    /// The deliveries that were swapped since the last loss and the last forced swap, a bit each.
    swapped: u8,
}

fn number(n: i64) -> usize {
    usize::try_from(n).unwrap()
}

impl World {
    pub fn new(setup: &Setup) -> Self {
        let forced = |flow| (setup.forced && flow + 1 == setup.flows).then_some(flow);
        let flows = (0..setup.flows).map(|flow| Flow::new(forced(flow), setup.broken)).collect();
        Self { delivered: 0, jobs: vec![], rows: vec![], table: None, flows, left: setup.left, swapped: 0 }
    }

    /// A run that died after it swapped the first delivery.
    pub fn with_a_dead_run(self) -> Self {
        let label = Label { delivery: 1, forced: None, listed: 0 };
        let table = Some(Content { number: 1, label });
        Self { delivered: 1, jobs: vec![Job::Succeeded(label)], table, swapped: 1 << 1, ..self }
    }

    /// Older versions used up numbers, whose jobs did (`true`) or did not replace the month. The last that did is in the
    /// table, and that of `recorded` in the state.
    pub fn with_used_up_numbers(self, jobs: &[bool], recorded: Option<usize>) -> Self {
        let label = Label { delivery: OLDER, forced: None, listed: 0 };
        let table = jobs.iter().rposition(|done| *done).map(|at| Content { number: at + 1, label });
        let rows = recorded.map(|at| Row { sequence: i64::try_from(at).unwrap() + 1, delivery: OLDER });
        let jobs = jobs.iter().map(|done| if *done { Job::Succeeded(label) } else { Job::Failed(Why::Final) });
        Self { jobs: jobs.collect(), rows: rows.into_iter().collect(), table, ..self }
    }

    /// All that can happen next.
    pub fn events(&self) -> Vec<Event> {
        let mut events = vec![];
        for (index, flow) in self.flows.iter().enumerate().filter(|(_, flow)| !flow.is_over()) {
            events.extend(flow.steps(self).into_iter().map(|step| Event::Flow(index, step)));
            if self.left.failures > 0 && flow.inserts() {
                events.extend(WHYS.map(|why| Event::Flow(index, Step::Refused(why))));
            }
            events.push(Event::Crash(index));
        }
        if self.delivered < DELIVERIES {
            events.push(Event::Deliver);
        }
        if self.running().is_some() {
            events.push(Event::JobEnds(None));
            if self.left.failures > 0 {
                events.extend(WHYS.map(|why| Event::JobEnds(Some(why))));
            }
        }
        if self.left.rows_lost > 0 && self.table.is_some() {
            events.push(Event::RowsLost);
        }
        if self.left.state_lost > 0 && !self.rows.is_empty() {
            events.push(Event::StateLost);
        }
        if self.left.forgotten > 0 {
            events.extend((1..=self.jobs.len()).filter(|n| self.is_old(*n)).map(Event::Forget));
        }
        events
    }

    /// Whether a job may be forgotten: a warehouse keeps jobs for months, which is longer than any flow lives.
    fn is_old(&self, n: usize) -> bool {
        !matches!(self.jobs[n - 1], Job::Running(_) | Job::Forgotten)
            && self.flows.iter().all(|flow| flow.is_over() || !flow.has_begun() || usize::from(flow.began_after) >= n)
    }

    /// Applies `event`.
    pub fn apply(&mut self, event: Event, setup: &Setup) -> Result<(), Invariant> {
        match event {
            Event::Deliver => self.delivered += 1,
            Event::Flow(index, step) => {
                let mut flow = take(&mut self.flows[index]);
                if !flow.has_begun() && setup.left.forgotten > 0 {
                    flow.began_after = u8::try_from(self.jobs.len() - usize::from(self.running().is_some())).unwrap();
                }
                self.left.failures -= u8::from(matches!(step, Step::Refused(_)));
                let taken = flow.take(step, self, setup);
                self.flows[index] = flow;
                taken?;
            }
            Event::Crash(index) => self.flows[index].end(),
            Event::JobEnds(None) => self.swap(setup)?,
            Event::JobEnds(Some(why)) => {
                self.left.failures -= 1;
                let n = self.running().unwrap();
                self.jobs[n - 1] = Job::Failed(why);
            }
            Event::RowsLost => {
                self.left.rows_lost -= 1;
                (self.table, self.swapped) = (None, 0);
            }
            Event::StateLost => {
                self.left.state_lost -= 1;
                self.swapped = 0;
                self.rows.pop();
            }
            Event::Forget(n) => {
                self.left.forgotten -= 1;
                self.swapped = 0;
                self.jobs[n - 1] = Job::Forgotten;
            }
        }
        self.listings();
        Ok(())
    }

    /// Times of listings matter only in relation to each other, and while a swap may still be compared by them.
    fn listings(&mut self) {
        for job in &mut self.jobs {
            if let Job::Succeeded(label) = job {
                label.listed = 0;
            }
        }
        let running = self.jobs.iter_mut().filter_map(|job| match job {
            Job::Running(label) => Some(&mut label.listed),
            _ => None,
        });
        let in_table = self.table.as_mut().map(|content| &mut content.label.listed);
        let mut all: Vec<&mut u8> =
            self.flows.iter_mut().filter_map(Flow::listed).chain(running).chain(in_table).collect();
        let mut times: Vec<u8> = all.iter().map(|time| **time).collect();
        times.sort_unstable();
        times.dedup();
        for time in &mut all {
            **time = u8::try_from(times.partition_point(|other| other < time)).unwrap() + 1;
        }
    }

    /// The running job ends well.
    fn swap(&mut self, setup: &Setup) -> Result<(), Invariant> {
        let n = self.running().unwrap();
        let Job::Running(label) = self.jobs[n - 1] else { unreachable!() };
        let bit = 1 << label.delivery;
        if setup.is_bad(label.delivery) {
            return Err(Invariant::Checked);
        }
        if label.forced.is_some() {
            self.swapped = 0;
        } else if self.table.is_some_and(|content| content.label.listed > label.listed) {
            return Err(Invariant::NoStepBack);
        } else if self.swapped & bit != 0 {
            return Err(Invariant::OnceEach);
        } else {
            self.swapped |= bit;
        }
        self.jobs[n - 1] = Job::Succeeded(label);
        self.table = Some(Content { number: n, label });
        for flow in self.flows.iter_mut().filter(|flow| !flow.is_over() && flow.has_begun()) {
            flow.was_in_table |= bit;
        }
        Ok(())
    }

    fn running(&self) -> Option<usize> {
        self.jobs.iter().rposition(|job| matches!(job, Job::Running(_))).map(|at| at + 1)
    }

    pub fn runs(&self, n: i64) -> bool {
        matches!(self.jobs[number(n) - 1], Job::Running(_))
    }

    /// The delivery in the table, as a bit.
    pub fn in_table(&self) -> u8 {
        self.table.map_or(0, |content| 1 << content.label.delivery)
    }

    pub fn rows_in_table(&self, setup: &Setup) -> u64 {
        self.table.map_or(0, |content| setup.rows(content.label.delivery))
    }

    /// What a flow with that label sees of job `n`.
    pub fn see(&self, n: i64, own: Label, setup: &Setup) -> Seen {
        match self.jobs.get(number(n) - 1) {
            None | Some(Job::Forgotten) => Seen::Free,
            Some(Job::Running(_)) => Seen::Running,
            Some(Job::Failed(why)) => Seen::Failed(*why),
            Some(Job::Succeeded(label)) => {
                let whose = if label.is_same_load(own) { Whose::Mine } else { Whose::Other };
                Seen::Succeeded(whose, setup.covers(label.delivery))
            }
        }
    }

    /// Whether a job of the same load succeeded between `sequence` and `n`.
    pub fn has_own(&self, sequence: i64, n: i64, own: Label) -> bool {
        let between = self.jobs.iter().take(number(n) - 1).skip(number(sequence));
        between.into_iter().any(|job| matches!(job, Job::Succeeded(label) if label.is_same_load(own)))
    }

    /// Inserts job `n`, or sees what has its number.
    pub fn insert(&mut self, n: i64, label: Label, setup: &Setup) -> Result<Seen, Invariant> {
        if let Some(job) = self.jobs.get(number(n) - 1) {
            return Ok(if *job == Job::Forgotten { Seen::Forgotten } else { self.see(n, label, setup) });
        }
        if self.jobs.len() + 1 != number(n) || self.running().is_some() {
            return Err(Invariant::OneAfterTheOther);
        }
        self.jobs.push(Job::Running(label));
        Ok(Seen::Inserted)
    }

    /// Whether the table has as many rows as job `n` put there.
    pub fn has_rows_of(&self, n: i64, setup: &Setup) -> bool {
        let Job::Succeeded(label) = self.jobs[number(n) - 1] else { return false };
        self.table.is_some() && self.rows_in_table(setup) == setup.rows(label.delivery)
    }

    /// Adds a row, unless it is there.
    pub fn record(&mut self, row: Row, in_table: u8) -> Result<(), Invariant> {
        if in_table & 1 << row.delivery == 0 {
            return Err(Invariant::RecordsWhatWasThere);
        }
        let at = self.rows.partition_point(|other| other.sequence < row.sequence);
        if self.rows.get(at).is_none_or(|other| other.sequence != row.sequence) {
            self.rows.insert(at, row);
        }
        Ok(())
    }

    /// Whether no flow runs, and everything was delivered.
    pub fn is_at_rest(&self) -> bool {
        self.delivered == DELIVERIES && self.running().is_none() && self.flows.iter().all(Flow::is_over)
    }

    /// An undisturbed run: the newest delivery that reaches furthest must be in the table and in the state.
    pub fn quiet_run(mut self, setup: &Setup) -> Result<(), Invariant> {
        let before = self.table.zip(Some(self.rows.last().map(|row| row.delivery)));
        self.flows = vec![Flow::default()];
        while !self.flows[0].is_over() {
            let event = match self.flows[0].steps(&self).first() {
                Some(step) => Event::Flow(0, *step),
                None => Event::JobEnds(None),
            };
            self.apply(event, setup)?;
        }
        let best = setup.there(DELIVERIES).max_by_key(|delivery| (setup.covers(*delivery), *delivery)).unwrap();
        let in_table = self.table.map(|content| content.label.delivery);
        let in_state = self.rows.last().map(|row| row.delivery);
        // If the loaded delivery reaches further than all that are left, and the state or a job says so, it remains. If only
        // the job says so, the run fails, because it cannot record a delivery that it does not see.
        let stays = before.filter(|(content, named)| {
            let delivery = content.label.delivery;
            let is_its = |job: &Job| matches!(job, Job::Succeeded(label) if label.delivery == delivery);
            let is_known = *named == Some(delivery) || self.jobs.iter().any(is_its);
            is_known && setup.covers(delivery) > setup.covers(best)
        });
        let is_as_it_should_be = match stays {
            None => (in_table, in_state) == (Some(best), Some(best)),
            Some((content, named)) => self.table == Some(content) && in_state == named,
        };
        if is_as_it_should_be && self.running().is_none() { Ok(()) } else { Err(Invariant::Converges) }
    }
}

/// Why a job may fail.
const WHYS: [Why; 4] = [Why::Transient, Why::CopyRefused, Why::SourceGone, Why::Final];
