//! One run of one month: the steps that it takes, in their order, over the shipped plan and the shipped job numbers.

use finops_core::numbered::{By, Do, Month, Seen, Why};

use crate::{
    setup::{Broken, Setup},
    world::{Invariant, Label, Row, World},
};

/// The steps of a flow. `Loaded` comes first; the two that follow may happen in either order. Then the month is planned,
/// and the job numbers say what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read the last row of the state table.
    Loaded,
    /// List the deliveries that are there.
    List,
    /// Count the month's rows in the table.
    Count,
    /// Do what the job numbers say.
    Do(Do),
    /// The warehouse refuses the insert that was to be done.
    Refused(Why),
}

/// How often a flow begins, before it fails.
const ROUNDS: u8 = 3;

/// A run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Its number, if it is forced to load the month again.
    forced: Option<u8>,
    broken: Option<Broken>,
    /// Numbers up to this one were over when it began.
    pub began_after: u8,
    /// The deliveries that were in the table at some time since the flow last began again, a bit each.
    pub was_in_table: u8,
    round: u8,
    acknowledged: i64,
    at: At,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum At {
    Reading(Read),
    Walking(Walk),
    Over,
}

impl Default for At {
    fn default() -> Self {
        Self::Reading(Read::default())
    }
}

/// The last row of the state, if there is one.
type LastRow = Option<Row>;

/// What was read in this round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Read {
    row: Option<LastRow>,
    listing: Option<Listing>,
    in_table: Option<u64>,
}

/// The deliveries that were there, and when they were listed: see [`World::listings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Listing {
    delivered: u8,
    at: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Walk {
    sequence: i64,
    label: Label,
    month: Month,
    next: Do,
}

impl Flow {
    pub fn new(forced: Option<u8>, broken: Option<Broken>) -> Self {
        Self { forced, broken, ..Self::default() }
    }

    pub fn is_over(&self) -> bool {
        self.at == At::Over
    }

    pub fn has_begun(&self) -> bool {
        self.round > 0 || self.at != At::default()
    }

    /// The flow ends, well or not, or is killed. What it staged expires.
    pub fn end(&mut self) {
        *self = Self { at: At::Over, ..Self::default() };
    }

    /// When it listed.
    pub fn listed(&mut self) -> Option<&mut u8> {
        match &mut self.at {
            At::Reading(read) => read.listing.as_mut().map(|listing| &mut listing.at),
            At::Walking(walk) => Some(&mut walk.label.listed),
            At::Over => None,
        }
    }

    /// What the flow can do next: nothing where it is over, or waits for a job.
    pub fn steps(&self, world: &World) -> Vec<Step> {
        match &self.at {
            At::Over => vec![],
            At::Walking(Walk { next: Do::Wait(n), .. }) if world.runs(*n) => vec![],
            At::Walking(Walk { next, .. }) => vec![Step::Do(*next)],
            At::Reading(read) if *read == Read::default() => {
                vec![if self.broken == Some(Broken::ListsFirst) { Step::List } else { Step::Loaded }]
            }
            At::Reading(Read { row, listing, in_table }) => {
                let left =
                    [(row.is_none(), Step::Loaded), (listing.is_none(), Step::List), (in_table.is_none(), Step::Count)];
                left.into_iter().filter_map(|(is_left, step)| is_left.then_some(step)).collect()
            }
        }
    }

    /// Whether it is about to insert a job.
    pub fn inserts(&self) -> bool {
        matches!(self.at, At::Walking(Walk { next: Do::Insert(..), .. }))
    }

    pub fn take(&mut self, step: Step, world: &mut World, setup: &Setup) -> Result<(), Invariant> {
        if let At::Reading(read) = &mut self.at {
            if *read == Read::default() {
                self.was_in_table = world.in_table();
            }
            match step {
                Step::Loaded => read.row = Some(world.rows.last().copied()),
                Step::List => read.listing = Some(Listing { delivered: world.delivered, at: u8::MAX }),
                _ => read.in_table = Some(world.rows_in_table(setup)),
            }
            if let Read { row: Some(row), listing: Some(listing), in_table: Some(in_table) } = *read {
                self.plan(row, listing, in_table, setup);
            }
            return Ok(());
        }
        let At::Walking(walk) = &mut self.at else { return Ok(()) };
        let seen = match step {
            Step::Do(Do::Look(n))
                if self.broken == Some(Broken::NoLookBehind) && world.has_own(walk.sequence, n, walk.label) =>
            {
                Seen::Free
            }
            Step::Do(Do::Look(n) | Do::Wait(n)) => world.see(n, walk.label, setup),
            Step::Do(Do::Stage) => {
                if setup.is_bad(walk.label.delivery) && self.broken != Some(Broken::NoCheck) {
                    self.end();
                } else {
                    walk.next = walk.month.staged(By::Copy);
                }
                return Ok(());
            }
            Step::Do(Do::Insert(n, _)) => world.insert(n, walk.label, setup)?,
            Step::Do(Do::CheckRows(n)) => Seen::HasRows(world.has_rows_of(n, setup)),
            Step::Do(Do::Record(n)) => {
                world.record(Row { sequence: n, delivery: walk.label.delivery }, self.was_in_table)?;
                self.end();
                return Ok(());
            }
            Step::Refused(why) => Seen::Refused(why),
            other => unreachable!("{other:?} is done at once"),
        };
        let next = match walk.month.next(seen) {
            Do::Wait(n) if seen == Seen::Inserted && self.broken == Some(Broken::RecordsFirst) => Do::Record(n),
            next => next,
        };
        self.go_on(next, setup);
        Ok(())
    }

    fn plan(&mut self, row: LastRow, listing: Listing, in_table: u64, setup: &Setup) {
        let Some(delivery) = setup.planned(listing.delivered, row, in_table, self.forced.is_some()) else {
            return self.end();
        };
        let sequence = row.map_or(0, |row| row.sequence);
        let label = Label { delivery, forced: self.forced, listed: listing.at };
        let month = Month::new(sequence, self.acknowledged, setup.until(label));
        self.at = At::Walking(Walk { sequence, label, next: month.first(), month });
    }

    /// What only the flow itself notices happens at once; everything else is a step of its own.
    fn go_on(&mut self, next: Do, setup: &Setup) {
        let At::Walking(walk) = &mut self.at else { return };
        match next {
            Do::Superseded => {
                self.acknowledged = walk.month.acknowledged();
                self.round += 1;
                if self.round == ROUNDS {
                    self.end();
                } else if self.broken == Some(Broken::GoesOn) {
                    walk.month = Month::new(walk.sequence, self.acknowledged, setup.until(walk.label));
                    walk.next = walk.month.first();
                } else {
                    self.at = At::default();
                }
            }
            Do::Outreached(_) | Do::Fail => self.end(),
            next => walk.next = next,
        }
    }
}
