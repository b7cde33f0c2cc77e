//! Links DuckDB as the emulator does, when the `duckdb` feature is on.

use std::env;

#[path = "emulator/build.rs"]
mod duckdb_library;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_DUCKDB").is_some() {
        duckdb_library::main();
    }
}
