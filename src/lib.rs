//! `finops` loads cloud billing exports into a warehouse, month by month, by manifest. See ARCHITECTURE.md.

pub mod check;
pub mod cli;
pub mod commands;
mod credentials;
pub mod error;
pub mod flow;
mod http;
pub mod output;
pub mod settings;
pub mod staging;
pub mod storage;
pub mod telemetry;
mod version;
pub mod warehouse;
