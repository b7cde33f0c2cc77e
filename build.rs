//! Links DuckDB as the emulator does, when the `duckdb` feature is on and does not compile it.

use std::env;

#[path = "emulator/build.rs"]
mod duckdb_library;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let feature = |name: &str| env::var_os(format!("CARGO_FEATURE_{name}")).is_some();
    if feature("DUCKDB") && !feature("BUNDLED") {
        duckdb_library::main();
    }
}
