//! One month: staged in a table of its own, and swapped by a numbered job.

mod attempt;
mod cast;
mod figures;
mod job;
mod jobs;
mod load;
mod raw_table;
mod replace;
mod stage;
mod stage_batch;
mod staging;
mod swap;
mod why;

pub use replace::Staged;
