//! What to do with each month, and why. Pure: deliveries and state in, decisions out.

pub mod age;
mod decision;
mod findings;
pub mod kinds;
pub mod leave_out;
mod loaded;
mod months;
mod one;
mod pieces;
mod rank;
pub mod reason;
mod scope;
mod scopes;
mod selection;
mod waiting;

pub use decision::{Candidate, Decision, Failure, PlannedMonth, Rules};
pub use loaded::is_whole;
pub use months::plan;
pub use rank::rank;
pub use selection::Selection;
