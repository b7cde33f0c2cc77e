//! What people and programs see: commands, settings, logs, documents.

pub mod bad_settings;
pub mod check;
pub mod commands;
pub mod config;
pub mod contributing;
pub mod decisions;
pub mod docs;
pub mod hints;
pub mod logs;
pub mod registry;
pub mod secrets;
pub mod terminal;
