//! The bytes of files: equal for equal settings, and in the requested form.

use std::{collections::BTreeMap, fs};

use billing_exports::{Dialect, Export, Format, Run};

use crate::{each_export, september, tree};

fn bytes(export: &Export, run: &Run) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    export.deliver(folder.path(), run).unwrap();
    let below = |(path, bytes): (String, Vec<u8>)| (path[folder.path().to_str().unwrap().len()..].to_owned(), bytes);
    tree(folder.path()).into_iter().map(below).collect()
}

#[test]
fn the_same_settings_write_the_same_bytes_and_others_do_not() {
    each_export(|export| {
        let first = bytes(&export, &september());
        assert!(first == bytes(&export, &september()), "{export:?}");
        let others = [
            bytes(&Export { seed: 2, ..export.clone() }, &september()),
            bytes(&Export { name: "weekly".to_owned(), ..export.clone() }, &september()),
            bytes(&export, &Run::again(september().month, 2)),
            bytes(&export, &Run::of("2025-10".parse().unwrap())),
        ];
        for other in others {
            assert!(first.values().all(|bytes| other.values().all(|changed| bytes != changed)), "{export:?}");
        }
    });
}

#[test]
fn csv_files_have_the_line_ends_marks_and_dates_of_their_settings() {
    let start = |export: Export| {
        let folder = tempfile::tempdir().unwrap();
        let delivered = export.deliver(folder.path(), &september()).unwrap();
        fs::read_to_string(folder.path().join(&delivered.files[0].path)).unwrap()
    };
    let plain = Export::new(Dialect::AzureActualCustomer, Format::Csv);
    let text = start(plain.clone());
    assert!(text.starts_with("invoiceId,") && text.contains("unitPrice\r\n") && text.contains(",09/01/2025,"));
    let text = start(Export { byte_order_mark: true, iso_dates: true, ..plain });
    assert!(text.starts_with("\u{feff}invoiceId,") && text.contains(",2025-09-01,"));
    // Seconds came with 1.0r2.
    for (dialect, period) in [
        (Dialect::AzureFocus10Preview, ",2025-09-01T00:00Z,"),
        (Dialect::AzureFocus10, ",2025-09-01T00:00Z,"),
        (Dialect::AzureFocus10r2, ",2025-09-01T00:00:00Z,"),
        (Dialect::AzureFocus12, ",2025-09-01T00:00:00Z,"),
    ] {
        assert!(start(Export::new(dialect, Format::Csv)).contains(period), "{dialect:?}");
    }
}
