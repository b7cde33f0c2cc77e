//! A run from the first manifest to the report, with any format and warehouse.

pub mod bad_input;
pub mod concurrency;
pub mod figures;
pub mod gcs;
pub mod histories;
pub mod hostile;
pub mod in_flight;
pub mod interrupted;
pub mod left_alone;
pub mod local;
pub mod order;
pub mod paths;
pub mod refused_deliveries;
pub mod several_exports;
pub mod silence;
pub mod torture;
pub mod upgrade;
