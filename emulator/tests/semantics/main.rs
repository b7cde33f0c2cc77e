//! The rules of SEMANTICS.md, each by its id, over HTTP.

mod harness;
mod loads;
