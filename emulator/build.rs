//! Sets the paths where binaries find the DuckDB library at run time. Fails with a hint where the library is missing.
//! The root package uses this file too.

use std::{env, path::Path};

/// The build script. The root package's build script calls it for DuckDB.
pub fn main() {
    println!("cargo::rerun-if-env-changed=DUCKDB_LIB_DIR");
    let (origin, library) = match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("macos") => ("@loader_path", "libduckdb.dylib"),
        _ => ("$ORIGIN", "libduckdb.so"),
    };
    // The library is beside the binary (`make bin`), or where the Python wheel puts it (`make wheel`).
    for folder in ["", "/../lib/finops"] {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{origin}{folder}");
    }

    // Without the variable, the linker searches the system's libraries for DuckDB.
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
    // A release binary must not depend on the build folder.
    if env::var("PROFILE").as_deref() == Ok("debug") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
