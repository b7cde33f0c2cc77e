//! Load jobs: read the configuration, stage the files, commit them in one transaction.

mod commit;
mod config;
mod csv;
mod destination;
mod parquet;
mod reconcile;
mod source;
mod stage;

pub use commit::expire;
pub use config::LoadConfig;
pub use stage::{Staged, commit, stage};
