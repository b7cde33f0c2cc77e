//! Load jobs: read the configuration, stage the files, commit them in one transaction. Query jobs with a destination
//! commit their result in the same way.

mod commit;
mod config;
mod csv;
mod destination;
mod parquet;
mod reconcile;
mod source;
mod stage;

pub use commit::{Incoming, expire, write};
pub use config::LoadConfig;
pub use destination::{Destination, KEYS as DESTINATION_KEYS};
pub use stage::{Staged, commit, stage};
