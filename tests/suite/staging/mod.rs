//! The staged pipeline.

pub mod cli;
pub mod failures;
pub mod folder;
pub mod plans;
pub mod s3;
pub mod steps;
pub mod zones;
