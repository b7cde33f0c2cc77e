//! The deployment, with a stub in place of Google's services.

pub mod failures;
pub mod given;
pub mod image;
pub mod lifecycle;
pub mod settings;
