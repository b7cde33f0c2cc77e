//! Datasets and tables: what there is, and how finops creates and alters it.

pub(crate) mod inspect;
pub(crate) mod prepare;
pub(crate) mod probe;
pub(crate) mod schema;
pub(crate) mod state;
