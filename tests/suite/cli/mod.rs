//! What people and programs see: commands, settings, logs, documents.

pub mod bad_settings;
pub mod check;
pub mod commands;
pub mod config;
pub mod contributing;
pub mod decisions;
pub mod demo;
pub mod docs;
mod env_file;
pub mod help;
pub mod hints;
pub mod init;
pub mod logs;
pub mod mistakes;
pub mod registry;
pub mod secrets;
pub mod terminal;
pub mod version;
pub mod words;
