//! The program `billing-exports`.

use std::process::Command;

use tempfile::TempDir;

#[test]
fn all_months_are_written_if_the_reader_of_the_figures_leaves_early() {
    let folder = TempDir::new().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut program = Command::new(env!("CARGO_BIN_EXE_billing-exports"));
    program.arg("aws-cur").arg(folder.path()).args(["--months", "2025-08,2025-09", "--rows", "5"]).stdout(writer);
    let output = program.output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
    let months = folder.path().join("daily").read_dir().unwrap().count();
    assert_eq!(months, 2);
}
