//! The job-number protocol: what was seen of a month's numbered jobs -> what to do next.
//!
//! Inserting a job under an id that the client chooses succeeds once: an atomic compare-and-set. The job that replaces a
//! month in the table has a number, and number n is inserted only when job n-1 is over. So the swaps of one month happen
//! strictly one after the other, without a lock. A number is used up once a job had it, however that job ended.
//!
//! Clocks differ, so no clock can say which of two deliveries is newer. Instead a run that finds an unknown job for another
//! delivery is superseded: it starts again with the state and a new listing, which is then newer than the listing of the
//! job's run.

mod month;
mod steps;

pub use month::Month;
pub use steps::{By, Do, Seen, Whose, Why};
