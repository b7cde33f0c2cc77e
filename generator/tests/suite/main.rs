//! Compares the files with the figures that the generator reports.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic in a test is its report")]

mod bill;
mod bytes;
mod figures;
mod manifests;
mod program;
mod reader;

use std::{collections::BTreeMap, fs, path::Path};

use billing_exports::{Dialect, Export, Run};

/// Calls the check for every dialect in every format, with several files and currencies, and a byte order mark.
fn each_export(mut check: impl FnMut(Export)) {
    for dialect in Dialect::ALL {
        for format in dialect.formats() {
            let currencies = vec!["EUR".to_owned(), "USD".to_owned()];
            check(Export { rows: 61, parts: 3, currencies, byte_order_mark: true, ..Export::new(dialect, *format) });
        }
    }
}

fn september() -> Run {
    Run::of("2025-09".parse().unwrap())
}

/// All files below a folder.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(tree(&path));
        } else {
            files.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    files
}
