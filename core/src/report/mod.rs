//! What runs and checks report, as values.

pub mod check;
pub mod reason;
pub mod run;
