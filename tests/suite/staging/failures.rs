//! The staged pipeline on a machine with problems, and when it is killed: nothing partial has a final name, and the next
//! run ends as if nothing had happened.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use assert_cmd::cargo::cargo_bin;
use billing_exports::{Delivered, Dialect, Export, Format};
use finops_core::hint;
use serde_json::Value;

use crate::{
    staging::steps::{Pipeline, statuses},
    support::{
        program::{Finops, Outcome, assert_names},
        tree::{Delivery, REPORT},
    },
};

const STEPS: [&str; 3] = ["extract-billing", "load-billing-local", "export-parquet"];

fn of_rows(rows: usize, parts: usize) -> Pipeline {
    Pipeline::new(Export { rows, parts, ..Export::new(Dialect::AwsCur, Format::CsvGzip) })
}

/// Runs a step that cannot write files of more than `blocks` blocks of 512 bytes. For the program this is a full disk.
fn run_with_little_room(pipeline: &Pipeline, step: &str, blocks: u64) -> Outcome {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" aws {step}");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(cargo_bin!("finops")).current_dir(pipeline.folder.path()).env_clear();
    let output = command.envs(pipeline.finops.environment()).envs(library_path()).output().unwrap();
    Outcome {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The folder of DuckDB's library, if it is linked at run time.
fn library_path() -> Option<(&'static str, std::ffi::OsString)> {
    std::env::var_os("LD_LIBRARY_PATH").map(|path| ("LD_LIBRARY_PATH", path))
}

/// The files below `data` with the names of complete files.
fn final_names(pipeline: &Pipeline, below: &str, ending: &str) -> Vec<std::path::PathBuf> {
    pipeline.files(below).into_iter().filter(|path| path.to_str().unwrap().ends_with(ending)).collect()
}

#[test]
fn a_database_that_another_process_has_open_ends_the_pipeline_after_the_steps_before_it() {
    let pipeline = of_rows(20, 1);
    let delivered = pipeline.deliver(1);
    fs::create_dir(pipeline.folder.path().join("data")).unwrap();
    let other_process = duckdb::Connection::open(pipeline.folder.path().join("data/finops.duckdb")).unwrap();
    let outcome = pipeline.run("run-pipeline");
    assert_eq!(outcome.code, 1);
    assert_names(&outcome.stderr, &["data/finops.duckdb", "another process has it open"]);
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let steps = report["pipelines"].as_array().unwrap();
    assert_eq!(steps.len(), 2, "{report:#}");
    assert_eq!(statuses(&steps[..1]), [["loaded", "loaded"]]);
    assert_eq!((&steps[1]["step"], &steps[1]["error"]["kind"]), (&"load-billing-local".into(), &"busy".into()));
    drop(other_process);
    assert_eq!(statuses(&pipeline.report("run-pipeline"))[0], ["skipped", "skipped"]);
    pipeline.assert_has(&delivered);
}

#[test]
fn a_step_names_the_step_that_must_run_before_it() {
    let pipeline = of_rows(20, 1);
    let remote = pipeline.finops.clone().with("FINOPS_DATABASE_BIGQUERY_PROJECT_ID", "demo");
    let remote = remote.with("FINOPS_DATABASE_BIGQUERY_DATASET_ID", "billing");
    for (finops, step, folder, before) in [
        (&pipeline.finops, "load-billing-local", "./data/staging", "extract-billing"),
        (&remote, "load-billing-remote", "./data/exports", "export-parquet"),
    ] {
        let outcome = finops.run(&["aws", step]);
        assert_eq!(outcome.code, 1, "{}", outcome.stdout);
        assert_names(&outcome.stderr, &[&format!("there is no folder {folder}"), &hint::run_step("aws", before)]);
    }
    let export = ["aws", "export-parquet", "--start-date", "2025-08"];
    for arguments in [&export[..2], &export] {
        let outcome = pipeline.finops.run(arguments);
        assert_eq!(outcome.code, 1, "{}", outcome.stdout);
        let said = "nothing is loaded yet in main.aws_billing_data of ./data/finops.duckdb";
        assert_names(&outcome.stderr, &[said, &hint::run_step("aws", "load-billing-local")]);
    }
    assert!(!pipeline.folder.path().join("data").exists(), "nothing was created");
    pipeline.deliver(1);
    pipeline.report("extract-billing");
    pipeline.report("load-billing-local");
    let none = pipeline.finops.run(&["aws", "export-parquet", "--start-date", "2025-10"]);
    assert_eq!(none.code, 0, "{}", none.stderr);
    assert_names(&none.stdout, &["nothing to do: none of the months asked for is there"]);
}

#[test]
fn all_steps_succeed_without_rows_to_load() {
    let pipeline = Pipeline::new(Export { name: REPORT.to_owned(), ..Export::new(Dialect::AwsCur, Format::CsvGzip) });
    Delivery::new("2025-09", "first", &[]).write(&pipeline.folder.path().join("delivered"));
    let outcome = pipeline.finops.run(&["aws", "run-pipeline"]);
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    assert_names(&outcome.stdout, &["the steps after that were skipped, because nothing is loaded"]);
    assert!(!pipeline.folder.path().join("data/finops.duckdb").exists());
}

/// The overview, and what is printed about places that cannot be read.
#[track_caller]
fn overview(finops: &Finops, code: i32) -> (Vec<Value>, String) {
    let outcome = finops.run(&["aws", "discover-manifests", "--output", "json"]);
    assert_eq!(outcome.code, code, "{}{}", outcome.stdout, outcome.stderr);
    (serde_json::from_str(&outcome.stdout).unwrap(), outcome.stderr)
}

#[test]
fn a_place_that_cannot_be_read_does_not_hide_the_others() {
    let pipeline = of_rows(20, 1);
    pipeline.deliver(1);
    pipeline.report("run-pipeline");
    let database = pipeline.folder.path().join("data/finops.duckdb");
    let other_process = duckdb::Connection::open(&database).unwrap();
    let (months, said) = overview(&pipeline.finops, 1);
    for month in &months {
        assert_eq!(["staging", "duckdb", "parquet"].map(|place| &month[place]), ["current", "unknown", "current"]);
    }
    assert_eq!((months.len(), said.lines().filter(|line| line.starts_with("error: ")).count()), (2, 1), "{said}");
    assert_names(&said, &["data/finops.duckdb", hint::DATABASE_OPEN]);
    let table = pipeline.finops.run(&["aws", "discover-manifests"]);
    assert_eq!(table.code, 1);
    assert_names(&table.stdout, &["2025-08", "2025-09", "unknown"]);
    let dry = pipeline.finops.run(&["aws", "run-pipeline", "--dry-run"]);
    assert_eq!(dry.code, 1, "{}", dry.stdout);
    assert_names(&dry.stderr, &[hint::DATABASE_OPEN]);
    drop(other_process);

    let remote = pipeline.finops.clone().with("FINOPS_DATABASE_BIGQUERY_PROJECT_ID", "demo");
    let remote = remote.with("FINOPS_DATABASE_BIGQUERY_DATASET_ID", "billing");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let no_answer = remote.clone().with("BIGQUERY_EMULATOR_HOST", &format!("http://{closed}"));
    let no_key = remote.with("FINOPS_DATABASE_BIGQUERY_CREDENTIALS_PATH", "no-such-key.json");
    for (finops, about) in [(no_answer, "no usable answer"), (no_key, "no-such-key.json")] {
        let (months, said) = overview(&finops, 1);
        for month in &months {
            assert_eq!(["duckdb", "parquet", "bigquery"].map(|place| &month[place]), ["current", "current", "unknown"]);
        }
        assert_eq!((months.len(), said.lines().filter(|line| line.starts_with("error: ")).count()), (2, 1), "{said}");
        assert_names(&said, &[about]);
    }
    assert_eq!(overview(&pipeline.finops, 0).1, "");
}

#[test]
fn an_export_of_another_version_than_the_settings_name_is_refused() {
    let pipeline = of_rows(20, 1);
    pipeline.deliver(1);
    for (version, code) in [("v1", 0), ("v2", 2)] {
        let outcome = pipeline.finops.clone().with("FINOPS_AWS_CUR_VERSION", version).run(&["aws", STEPS[0]]);
        assert_eq!((outcome.code, outcome.stderr.contains(hint::CUR_VERSION)), (code, code == 2), "{}", outcome.stderr);
    }
}

#[test]
fn two_runs_do_not_write_to_one_staging_folder_at_the_same_time() {
    let pipeline = of_rows(20, 1);
    let delivered = pipeline.deliver(1);
    let staging = pipeline.folder.path().join("data/staging");
    fs::create_dir_all(&staging).unwrap();
    let other = fs::File::open(&staging).unwrap();
    other.lock().unwrap();
    let outcome = pipeline.run("run-pipeline");
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert_names(&outcome.stderr, &["another run uses the folder ./data/staging", hint::WAIT_FOR_RUN]);
    assert!(pipeline.files("data").is_empty(), "nothing was created");
    drop(other);
    pipeline.report("run-pipeline");
    pipeline.assert_has(&delivered);
}

#[test]
fn a_file_where_a_folder_should_be_is_named() {
    let pipeline = of_rows(20, 1);
    let delivered = pipeline.deliver(1);
    fs::write(pipeline.folder.path().join("taken"), "mine").unwrap();
    for (variable, step) in [("FINOPS_STAGING_DIR", STEPS[0]), ("FINOPS_PARQUET_DIR", STEPS[2])] {
        let outcome = pipeline.finops.clone().with(variable, "taken").run(&["aws", step]);
        assert_eq!(outcome.code, 1, "{}", outcome.stdout);
        assert_names(&outcome.stderr, &["cannot write taken", hint::CANNOT_WRITE]);
        pipeline.report(STEPS[0]);
        pipeline.report(STEPS[1]);
    }
    assert_eq!(fs::read_to_string(pipeline.folder.path().join("taken")).unwrap(), "mine");
    pipeline.report(STEPS[2]);
    pipeline.assert_has(&delivered);
}

#[test]
fn a_full_disk_during_a_download_leaves_no_final_name() {
    let pipeline = of_rows(20, 1);
    let delivered = pipeline.deliver(1);
    let [_, september] = &delivered;
    let name = Path::new(&september.files[0].path).file_name().unwrap().to_str().unwrap();
    let id = september.execution_id.as_deref().unwrap();
    let folder = pipeline.folder.path().join("data/staging").join(&september.billing_period).join(id);
    fs::create_dir_all(&folder).unwrap();
    let partial = folder.join(format!("{name}.part"));
    symlink("/dev/full", &partial).unwrap();
    let outcome = pipeline.run("extract-billing");
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert_names(&outcome.stderr, &["cannot write", name, hint::DISK_FULL]);
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(statuses(report["pipelines"].as_array().unwrap()), [["failed", "loaded"]]);
    let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let is_partial = |path: &std::path::PathBuf| path.extension().is_some_and(|ending| ending == "part");
    assert!(left.iter().all(is_partial), "{left:?}");
    let _ = fs::remove_file(partial);
    pipeline.report("run-pipeline");
    pipeline.assert_has(&delivered);
}

#[test]
fn a_full_disk_during_load_and_export_leaves_no_part_of_a_month() {
    let pipeline = of_rows(8_000, 2);
    let delivered = pipeline.deliver(1);
    pipeline.report(STEPS[0]);
    let outcome = run_with_little_room(&pipeline, STEPS[1], 600);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert_names(&outcome.stderr, &["error: cannot replace 2025-09", "File too large"]);
    pipeline.report(STEPS[1]);
    let outcome = run_with_little_room(&pipeline, STEPS[2], 64);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    assert_names(&outcome.stderr, &["error: cannot write 2025-09", "File too large"]);
    assert_eq!(final_names(&pipeline, "data/exports", ".parquet"), [""; 0].map(std::path::PathBuf::from));
    assert_eq!(final_names(&pipeline, "data/exports", ".json"), [""; 0].map(std::path::PathBuf::from));
    pipeline.report(STEPS[2]);
    pipeline.assert_has(&delivered);
    assert_eq!(pipeline.files("data/exports").len(), 4, "{:?}", pipeline.files("data/exports"));
}

#[test]
fn a_staged_file_that_was_changed_by_hand_is_not_loaded() {
    let pipeline = of_rows(20, 1);
    let delivered = pipeline.deliver(1);
    pipeline.report(STEPS[0]);
    let staged = final_names(&pipeline, "data/staging", ".csv.gz").pop().unwrap();
    let bytes = fs::read(&staged).unwrap();
    // Longer, then as long with other bytes.
    let mut damaged = bytes.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 16].fill(0);
    for changed in [[bytes.as_slice(), b"more"].concat(), damaged] {
        fs::write(&staged, changed).unwrap();
        let outcome = pipeline.run(STEPS[1]);
        let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let month = &report["pipelines"][0]["months"][0];
        assert!(month["status"] == "waiting" || month["status"] == "failed", "{report:#}\n{}", outcome.stderr);
        let name = staged.file_name().unwrap().to_str().unwrap();
        assert_names(&month.to_string(), &["2025-09", name]);
        assert_eq!(pipeline.figures("f.main.aws_billing_data").len(), 1, "only August");
    }
    fs::remove_file(&staged).unwrap();
    pipeline.report("run-pipeline");
    pipeline.assert_has(&delivered);
}

/// Kills a step as soon as `is_under_way`, or lets it end if it is quicker.
fn kill(pipeline: &Pipeline, step: &str, is_under_way: impl Fn() -> bool) {
    let finops = library_path()
        .map_or(pipeline.finops.clone(), |(name, path)| pipeline.finops.clone().with(name, path.to_str().unwrap()));
    let mut run = finops.start(&["aws", step]);
    let deadline = Instant::now() + Duration::from_mins(1);
    while !is_under_way() && run.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "{step} neither writes nor ends");
        std::thread::yield_now();
    }
    run.kill().unwrap();
    run.wait().unwrap();
}

fn has_partial(pipeline: &Pipeline, below: &str) -> bool {
    let folder = pipeline.folder.path().join(below);
    // Files come and go meanwhile: a folder at a time.
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.path().extension().is_some_and(|ending| ending == "part") {
                return true;
            }
        }
    }
    false
}

/// Asserts that the months that `source` has are each one of the deliveries, whole.
fn assert_whole(pipeline: &Pipeline, source: &str, delivered: &[&Delivered]) {
    for ((month, id), (rows, cost)) in pipeline.figures(source) {
        let whole = delivered.iter().find(|d| d.billing_period == month && d.execution_id.as_ref() == Some(&id));
        assert_eq!(whole.map(|d| (d.rows, d.cost["USD"].clone())), Some((rows, cost)), "{month} in {source}");
    }
}

#[test]
fn steps_that_are_killed_are_finished_by_the_next_run() {
    let pipeline = of_rows(12_000, 6);
    let first = pipeline.deliver(1);
    pipeline.report("run-pipeline");
    let later = pipeline.deliver(2);
    let both: Vec<&Delivered> = first.iter().chain(&later).collect();

    kill(&pipeline, STEPS[0], || has_partial(&pipeline, "data/staging"));
    let sizes: Vec<u64> = both.iter().flat_map(|d| &d.files).map(|file| file.bytes).collect();
    for whole in final_names(&pipeline, "data/staging", ".csv.gz") {
        assert!(sizes.contains(&fs::metadata(&whole).unwrap().len()), "{}", whole.display());
    }
    pipeline.report(STEPS[0]);
    assert!(!has_partial(&pipeline, "data/staging"));

    let (wal, table) = (pipeline.folder.path().join("data/finops.duckdb.wal"), "f.main.aws_billing_data");
    kill(&pipeline, STEPS[1], || wal.exists());
    assert_eq!(pipeline.figures(table).len(), 2, "each month once");
    assert_whole(&pipeline, table, &both);
    pipeline.report(STEPS[1]);

    kill(&pipeline, STEPS[2], || has_partial(&pipeline, "data/exports"));
    let written = final_names(&pipeline, "data/exports", ".parquet");
    assert_eq!(written.len(), 2);
    for whole in written {
        assert_whole(&pipeline, &format!("'{}'", whole.display()), &both);
    }
    pipeline.report(STEPS[2]);
    pipeline.assert_has(&later);
    assert_eq!(pipeline.files("data/exports").len(), 4, "{:?}", pipeline.files("data/exports"));
}
