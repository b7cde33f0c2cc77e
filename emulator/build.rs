//! Lets binaries find the DuckDB library at run time, and says how to get it when it is missing.
//! The root package uses this file too.

use std::{env, path::Path};

/// The build script; as a module of the root package, its part for DuckDB.
pub fn main() {
    println!("cargo::rerun-if-env-changed=DUCKDB_LIB_DIR");
    let (origin, library) = match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("macos") => ("@loader_path", "libduckdb.dylib"),
        _ => ("$ORIGIN", "libduckdb.so"),
    };
    // `make bin` leaves the library beside the binaries.
    println!("cargo::rustc-link-arg=-Wl,-rpath,{origin}");

    // Without the variable the linker looks for DuckDB among the system's libraries.
    let Ok(folder) = env::var("DUCKDB_LIB_DIR") else {
        return;
    };
    let path = Path::new(&folder).join(library);
    println!("cargo::rerun-if-changed={}", path.display());
    if !path.exists() {
        println!(
            "cargo::error=the DuckDB library is missing: expected {}. hint: run `make lib`, or \
             build without DuckDB: --no-default-features",
            path.display()
        );
        return;
    }
    // A release binary must not depend on the folder that it was built in.
    if env::var("PROFILE").as_deref() == Ok("debug") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
