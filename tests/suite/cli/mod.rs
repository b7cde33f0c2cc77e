//! What people and programs see: commands, settings, logs, documents.

pub mod bad_settings;
pub mod check;
pub mod commands;
pub mod config;
pub mod contributing;
pub mod docs;
pub mod hints;
pub mod logs;
mod registry;
pub mod secrets;
