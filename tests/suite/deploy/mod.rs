//! The deployment, with stand-ins for the services of Google.

pub mod failures;
pub mod image;
pub mod lifecycle;
pub mod settings;
