//! What the staged pipeline adds to the job: deliveries brought to this machine, and a table's months as Parquet.

mod extract;
mod staging;

pub use extract::extract;
