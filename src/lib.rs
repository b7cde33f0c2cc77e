//! `finops` loads cloud billing exports into a warehouse, month by month, by manifest. See ARCHITECTURE.md.

pub mod check;
pub mod cli;
pub mod columns;
pub mod commands;
pub mod config;
pub mod discover;
pub mod error;
pub mod fetch;
pub mod flow;

mod google_account;
mod http;
pub mod outcome;
pub mod output;
pub mod pipeline;
pub mod schema_step;
pub mod staged;
pub mod storage;
pub mod telemetry;
mod version;
pub mod warehouse;
