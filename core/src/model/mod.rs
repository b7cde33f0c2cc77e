//! The values that all rooms share: months, amounts, manifests, deliveries, load records.

pub mod amount;
pub mod column_type;
pub mod delivery;
pub mod digest;
pub mod error_kind;
pub mod groups;
pub mod key_columns;
pub mod kind;
pub mod load_record;
pub mod manifest;
pub mod period;
pub mod provider;
pub mod run_id;
pub mod shown;
pub mod text;
