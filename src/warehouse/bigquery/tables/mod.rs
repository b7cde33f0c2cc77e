//! Datasets and tables: what there is, and how finops creates and changes it.

pub mod inspect;
pub mod labels;
pub mod prepare;
pub mod probe;
pub mod raw_form;
pub mod schema;
pub mod state;
