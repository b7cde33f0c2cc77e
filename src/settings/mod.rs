//! Settings: each declared once (`registry.rs`), read and checked as a whole. The job reads the environment, the staged
//! pipeline also `config.toml`.

mod config;
mod definition;
pub mod dotenv;
mod env_line;
mod environment;
mod export_variables;
mod exports;
mod file;
mod form;
pub mod others;
mod parse;
mod problem;
pub mod registry;
mod setting;
mod staged;
mod unread;
mod values;

pub use config::Config;
pub use definition::{Definition, Example, Reader, Section};
pub use env_line::env_line;
pub use environment::{Environment, process_environment, settings};
pub use export_variables::configured;
pub use file::{CONFIG_FILE, Flag, Values, variable};
pub use form::Form;
pub use parse::{CliOverrides, parse};
pub use problem::{ENV_FILE, Problem, Problems};
pub use setting::{Origin, Setting};
pub use staged::StagedSettings;
pub use unread::{nearest, unread};
