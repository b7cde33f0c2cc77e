//! The program against real files, a real storage server and both warehouses.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a panic is a test's report, and its name is its documentation"
)]

mod cli;
mod deploy;
mod flow;
mod formats;
mod live;
mod release;
mod rooms;
mod staging;
mod storage;
mod support;
mod warehouse;
