//! Runs that are killed, told to stop, or that meet each other.

use std::{
    io::Read,
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use crate::{
    jobs::{CloudJob, LocalJob},
    program::{DATASET, assert_names, each},
    servers::{PROJECT, query},
    tables::{Figures, load_jobs},
    tree::Delivery,
};

fn september() -> Delivery {
    Delivery::new("2025-09", "first", &["3.5", "1"])
}

fn october() -> Delivery {
    Delivery::new("2025-10", "first", &["10"])
}

fn both() -> Figures {
    [("2025-09", (2, "4.5")), ("2025-10", (1, "10"))]
        .map(|(month, (rows, cost))| (month.to_owned(), (rows, cost.to_owned())))
        .into()
}

/// Waits until the emulator was asked for so many load jobs.
async fn wait_for_load_jobs(job: &CloudJob, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while load_jobs(&job.emulator).len() < count {
        assert!(Instant::now() < deadline, "{count} load jobs: {:?}", load_jobs(&job.emulator));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The ids of the load jobs, each once.
fn job_ids(job: &CloudJob) -> Vec<String> {
    let mut ids: Vec<String> = load_jobs(&job.emulator).into_iter().map(|(id, _)| id).collect();
    ids.sort();
    ids.dedup();
    ids
}

/// The months that the state table tells of, one a row.
async fn recorded(job: &CloudJob) -> Vec<String> {
    let sql = format!(
        "SELECT CAST(billing_period AS STRING) FROM `{PROJECT}`.`{DATASET}`.`finops_loads` ORDER BY billing_period"
    );
    query(&job.emulator, &sql).await.into_iter().map(|mut row| row.remove(0).unwrap()).collect()
}

fn end(mut run: Child) -> (ExitStatus, String) {
    tokio::task::block_in_place(|| {
        let mut stderr = String::new();
        run.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (run.wait().unwrap(), stderr)
    })
}

fn signal(run: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &run.id().to_string()]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_run_began_the_next_run_completes_without_loading_it_again() {
    let job = CloudJob::new(&[september(), october()]).await;
    job.emulator.hold_jobs("finops-");
    let mut run = job.finops.spawn();
    wait_for_load_jobs(&job, 2).await;
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(recorded(&job).await, [""; 0], "it died before it recorded anything");
    job.emulator.release();

    let report = job.finops.report(0);
    assert_eq!(each(&report, "status"), ["loaded", "loaded"], "{report:#}");
    assert_eq!(job.figures(), both());
    assert_eq!(job_ids(&job), ["finops-billing-aws_cur-202509-1", "finops-billing-aws_cur-202510-1"]);
    assert_eq!(recorded(&job).await, ["2025-09-01", "2025-10-01"]);
    assert_eq!(each(&job.finops.report(0), "status"), ["skipped", "skipped"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_the_old_month_until_the_new_one_is_complete() {
    let job = CloudJob::loaded(&[september(), october()]).await;
    job.put(&Delivery::new("2025-09", "second", &["7", "8", "9"])).await;
    job.emulator.hold_jobs("finops-");
    let run = job.finops.spawn();
    wait_for_load_jobs(&job, 3).await;
    assert_eq!(job.figures(), both(), "while the job runs");
    job.emulator.release();
    let (status, stderr) = end(run);
    assert!(status.success(), "{stderr}");
    assert_eq!(job.figures()["2025-09"], (3, "24".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_a_mirror_replaces_while_they_are_loaded_are_loaded_again_by_the_same_run() {
    let first = Delivery::new("2025-09", "same", &["3.5", "1"]).overwriting();
    let job = CloudJob::new(&[first]).await;
    job.emulator.hold_jobs("finops-");
    let run = job.finops.spawn();
    wait_for_load_jobs(&job, 1).await;
    job.put(&Delivery::new("2025-09", "same", &["7", "8", "9"]).overwriting()).await;
    job.emulator.release();
    let (status, stderr) = end(run);
    assert!(status.success(), "{stderr}");
    assert_eq!(job.figures()["2025-09"], (3, "24".to_owned()));
    assert_eq!(job_ids(&job), ["finops-billing-aws_cur-202509-1", "finops-billing-aws_cur-202509-2"]);
    assert_eq!(each(&job.finops.report(0), "status"), ["skipped"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_told_to_stop_ends_at_once_with_the_code_for_that() {
    for (name, code) in [("-TERM", 143), ("-INT", 130)] {
        let job = CloudJob::new(&[september()]).await;
        job.emulator.hold_jobs("finops-");
        let run = job.finops.spawn();
        wait_for_load_jobs(&job, 1).await;
        signal(&run, name);
        let (status, stderr) = end(run);
        assert_eq!(status.code(), Some(code), "{stderr}");
        assert_names(&stderr, &["told to stop"]);
        job.emulator.release();
        assert_eq!(each(&job.finops.report(0), "status"), ["loaded"]);
        assert_eq!(job_ids(&job), ["finops-billing-aws_cur-202509-1"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_load_each_month_once() {
    let job = CloudJob::new(&[september(), october()]).await;
    job.emulator.hold_jobs("finops-");
    let runs = [job.finops.spawn(), job.finops.spawn()];
    // Two months by two runs: whoever comes second finds the number taken.
    wait_for_load_jobs(&job, 4).await;
    job.emulator.release();
    for run in runs {
        let (status, stderr) = end(run);
        assert!(status.success(), "{stderr}");
    }
    assert_eq!(job_ids(&job), ["finops-billing-aws_cur-202509-1", "finops-billing-aws_cur-202510-1"]);
    assert_eq!(recorded(&job).await, ["2025-09-01", "2025-10-01"]);
    assert_eq!(job.figures(), both());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_came_after_a_killed_run_is_the_one_that_stands() {
    let job = CloudJob::new(&[september()]).await;
    job.emulator.hold_jobs("finops-");
    let mut run = job.finops.spawn();
    wait_for_load_jobs(&job, 1).await;
    run.kill().unwrap();
    run.wait().unwrap();
    job.put(&Delivery::new("2025-09", "second", &["7", "8", "9"])).await;
    job.emulator.release();

    let report = job.finops.report(0);
    assert_eq!((each(&report, "status"), each(&report, "execution_id")), (vec!["loaded"], vec!["second"]));
    assert_eq!(job.figures()["2025-09"], (3, "24".to_owned()));
    assert_eq!(each(&job.finops.report(0), "status"), ["skipped"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_runs_at_once_with_different_deliveries_the_newer_one_stands() {
    let job = CloudJob::new(&[september()]).await;
    job.emulator.hold_jobs("finops-");
    let first = job.finops.spawn();
    wait_for_load_jobs(&job, 1).await;
    job.put(&Delivery::new("2025-09", "second", &["7", "8", "9"])).await;
    let second = job.finops.spawn();
    // The second finds the first's number taken.
    wait_for_load_jobs(&job, 2).await;
    job.emulator.release();
    for run in [first, second] {
        let (status, stderr) = end(run);
        assert!(status.success(), "{stderr}");
    }
    assert_eq!(job.figures()["2025-09"], (3, "24".to_owned()));
    assert_eq!(job_ids(&job), ["finops-billing-aws_cur-202509-1", "finops-billing-aws_cur-202509-2"]);
    assert_eq!(each(&job.finops.report(0), "status"), ["skipped"]);
}

#[test]
fn a_second_run_on_the_same_duckdb_file_says_that_it_is_busy() {
    let job = LocalJob::new(&[september()]);
    let held = duckdb::Connection::open(&job.database).unwrap();
    let outcome = job.finops.run(&["run"]);
    assert_eq!(outcome.code, 1);
    assert_names(&outcome.stderr, &["error: ", job.database.to_str().unwrap(), "another process has it open"]);
    let report = job.finops.report(1);
    assert_eq!(report["pipelines"][0]["status"], "failed");
    assert_eq!(report["pipelines"][0]["error"]["kind"], "busy");
    drop(held);
    assert_eq!(each(&job.finops.report(0), "status"), ["loaded"]);
}

#[test]
fn a_killed_run_leaves_the_duckdb_file_as_it_was() {
    let costs = vec!["0.5"; 200_000];
    let job = LocalJob::loaded(&[september(), october()]);
    Delivery::new("2025-09", "second", &costs).write(&job.source);
    let mut run = job.finops.spawn();
    let wal = job.database.with_extension("duckdb.wal");
    let deadline = Instant::now() + Duration::from_secs(30);
    // Whether it dies before, within or after the transaction: the month is the old one or the new one.
    while !wal.exists() && run.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "the run neither writes nor ends");
        std::thread::yield_now();
    }
    run.kill().unwrap();
    run.wait().unwrap();
    let new = (200_000, "100000".to_owned());
    let found = job.figures()["2025-09"].clone();
    assert!(found == both()["2025-09"] || found == new, "{found:?}");
    job.finops.report(0);
    assert_eq!(job.figures()["2025-09"], new);
}
