//! Concurrent runs, killed anywhere, over the shipped plan and the shipped job numbers: every interleaving.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure is the test's result")]
#![allow(clippy::print_stdout, reason = "the number of states is a result")]
#![allow(missing_docs, reason = "tests")]

mod flow;
mod setup;
mod world;

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

use setup::{Broken, Left, Setup};
use world::{Event, Invariant, World};

/// What was violated, and the shortest way there.
type Found = (Invariant, Vec<Event>);

/// Visits every world that can follow `start`, nearest first. Returns their number, or the first violation.
fn explore(start: World, setup: &Setup) -> Result<usize, Found> {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let mut came_by = CameBy::from([(hasher.hash_one(&start), None)]);
    let mut queue = VecDeque::from([(hasher.hash_one(&start), start)]);
    while let Some((from, world)) = queue.pop_front() {
        if world.is_at_rest() {
            world.clone().quiet_run(setup).map_err(|violated| (violated, path(&came_by, from)))?;
        }
        for event in world.events() {
            let mut next = world.clone();
            if let Err(violated) = next.apply(event, setup) {
                let mut path = path(&came_by, from);
                path.push(event);
                return Err((violated, path));
            }
            let to = hasher.hash_one(&next);
            if let Entry::Vacant(entry) = came_by.entry(to) {
                entry.insert(Some((from, event)));
                queue.push_back((to, next));
            }
        }
    }
    Ok(came_by.len())
}

/// For each world, the world and the event from which it was reached first.
type CameBy = HashMap<u64, Option<(u64, Event)>>;

fn path(came_by: &CameBy, mut world: u64) -> Vec<Event> {
    let mut path = vec![];
    while let Some((from, event)) = came_by[&world] {
        path.push(event);
        world = from;
    }
    path.reverse();
    path
}

/// One way through the worlds after `start`, until no flow runs any more. Few of its events are crashes, so that most flows
/// come far.
fn walk(mut world: World, setup: &Setup, random: &mut Random) -> Result<(), Found> {
    let mut path = vec![];
    while !world.is_at_rest() {
        let events = world.events();
        let event = events[random.below(events.len())];
        if matches!(event, Event::Crash(_)) && random.below(10) > 0 {
            continue;
        }
        path.push(event);
        world.apply(event, setup).map_err(|violated| (violated, path.clone()))?;
    }
    world.quiet_run(setup).map_err(|violated| (violated, path))
}

/// A generator of numbers (SplitMix64): the same in every run of the tests.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(limit).unwrap()).unwrap()
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    fn setup(&mut self) -> Setup {
        let mut once = || u8::from(self.coin());
        let left = Left { failures: once(), rows_lost: once(), state_lost: once(), forgotten: once() };
        let overwrites = self.coin();
        let until = [0; 3].map(|_| if self.coin() { 30 } else { 29 });
        Setup {
            flows: 3,
            left,
            forced: self.coin(),
            until,
            // The plan takes a wider delivery as loaded while the table has as many rows as that one.
            same_rows: !overwrites && self.coin(),
            overwrites,
            // If the widest delivery is bad, no other one is loaded.
            bad: (until[2] >= until[1] && self.coin()).then_some(2),
            ..Setup::default()
        }
    }
}

const NOTHING: Left = Left { failures: 0, rows_lost: 0, state_lost: 0, forgotten: 0 };
const ROWS_LOST: Left = Left { rows_lost: 1, ..NOTHING };
const STATE_LOST: Left = Left { state_lost: 1, ..NOTHING };
const FORGOTTEN: Left = Left { forgotten: 1, ..NOTHING };

/// Deliveries with one that covers fewer days than one before. Their manifests are kept or replace each other. Each with one
/// loss of each kind.
fn narrower() -> impl Iterator<Item = Setup> {
    let untils = [[30, 29, 29], [29, 30, 29]].into_iter();
    let both = untils.flat_map(|until| [false, true].map(|overwrites| (until, overwrites)));
    both.flat_map(|(until, overwrites)| {
        [ROWS_LOST, STATE_LOST, FORGOTTEN].map(|left| Setup { flows: 2, left, until, overwrites, ..Setup::default() })
    })
}

/// The keys of visited worlds are hashes of 64 bits. With some 100,000 worlds, the chance that two have the same key is
/// below one in a billion.
#[test]
fn two_flows_killed_anywhere_keep_every_invariant_with_a_failed_job_and_a_loss_of_rows() {
    let setup = Setup { flows: 2, left: Left { failures: 1, ..ROWS_LOST }, ..Setup::default() };
    let states = explore(World::new(&setup), &setup).unwrap();
    println!("{states} states");
    assert!(states > 100_000, "{states}");
}

#[test]
fn invariants_are_kept_if_deliveries_reach_less_far_and_overwrite_each_other() {
    for setup in narrower() {
        explore(World::new(&setup), &setup).unwrap();
    }
}

#[test]
fn invariants_are_kept_if_one_of_two_flows_is_forced() {
    for setup in narrower().map(|setup| Setup { forced: true, ..setup }) {
        explore(World::new(&setup), &setup).unwrap();
    }
}

#[test]
fn invariants_are_kept_after_a_run_that_died_before_it_recorded_its_swap() {
    for setup in narrower().filter(|setup| setup.until[0] == 30 && setup.overwrites) {
        explore(World::new(&setup).with_a_dead_run(), &setup).unwrap();
    }
    let setup = Setup { flows: 2, left: ROWS_LOST, same_rows: true, ..Setup::default() };
    explore(World::new(&setup).with_a_dead_run(), &setup).unwrap();
}

#[test]
fn invariants_are_kept_if_a_delivery_does_not_pass_the_check_and_rows_and_state_are_lost() {
    let setup = Setup { flows: 2, left: Left { state_lost: 1, ..ROWS_LOST }, bad: Some(2), ..Setup::default() };
    explore(World::new(&setup), &setup).unwrap();
}

#[test]
fn three_flows_keep_every_invariant_on_random_ways() {
    let mut random = Random(1);
    for _ in 0..WALKS {
        let setup = random.setup();
        walk(World::new(&setup), &setup, &mut random).unwrap_or_else(|found| panic!("{setup:?}: {found:?}"));
    }
}

#[test]
fn three_flows_keep_every_invariant_on_random_ways_after_up_to_40_numbers_that_older_versions_used_up() {
    let mut random = Random(2);
    for _ in 0..WALKS {
        let (setup, used_up) = (random.setup(), random.below(41));
        let jobs: Vec<bool> = (0..used_up).map(|_| random.below(8) == 0).collect();
        let recorded = jobs.iter().rposition(|done| *done).filter(|_| random.coin());
        let start = World::new(&setup).with_used_up_numbers(&jobs, recorded);
        walk(start, &setup, &mut random).unwrap_or_else(|found| panic!("{setup:?} {jobs:?} {recorded:?}: {found:?}"));
    }
}

const WALKS: usize = 4_000;

/// Each violation is found from the world that a dead run left, with deliveries of the same number of rows. Then a wrong
/// rule easily confuses the rows of one job with those of another.
#[test]
fn a_flow_that_leaves_out_a_rule_violates_an_invariant() {
    for (broken, violated) in [
        (Broken::ListsFirst, Invariant::NoStepBack),
        (Broken::NoLookBehind, Invariant::RecordsWhatWasThere),
        (Broken::RecordsFirst, Invariant::RecordsWhatWasThere),
        (Broken::NoCheck, Invariant::Checked),
        (Broken::GoesOn, Invariant::NoStepBack),
    ] {
        let left = if broken == Broken::NoLookBehind { ROWS_LOST } else { NOTHING };
        let bad = (broken == Broken::NoCheck).then_some(2);
        let setup = Setup { flows: 2, left, bad, same_rows: true, broken: Some(broken), ..Setup::default() };
        let found = explore(World::new(&setup).with_a_dead_run(), &setup);
        assert_eq!(found.map_err(|(violated, _)| violated), Err(violated), "{broken:?}");
    }
}
