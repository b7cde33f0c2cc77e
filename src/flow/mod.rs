//! A run of one export, step by step: `run.rs` is the sequence, the other files are its steps.

pub mod check;
pub mod columns;
pub mod discover;
pub mod export;
pub mod fetch;
pub mod load;
pub mod replace;
pub mod report;
pub mod run;
pub mod schema;
pub mod silence;
pub mod table;
