//! What other programs' Python libraries make of the sample exports.

use std::{path::Path, process::Command};

use serde_json::Value;

use crate::{
    figures::{example, expected},
    require,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_expected_figures_are_those_of_the_committed_parquet_files_and_their_costs_those_of_csv() {
    let Some(python) = require::python() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/expected.py");
    for name in ["parquet-athena", "parquet-versioned"] {
        let computed = require::output(Command::new(&python).arg(&script).arg(example(name)));
        let computed: Value = serde_json::from_str(&computed).unwrap();
        assert_eq!(computed, expected(name), "examples/aws/{name}.expected.json");
        for (month, csv) in expected("first").as_object().unwrap() {
            for figure in ["rows", "unblended_cost"] {
                assert_eq!(computed[month][figure], csv[figure], "{figure} of {month} in {name}");
            }
        }
    }
}
