//! What users install: the Python wheel, the archive, and the workflows that release them.

pub mod archive;
pub mod wheel;
pub mod workflows;
