//! Runs that are killed or stopped, or that meet each other.

use std::{
    io::Read,
    net::TcpListener,
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use crate::support::{
    bigquery::until,
    jobs::{CloudJob, LocalJob},
    program::{DATASET, assert_names, each},
    servers::{PROJECT, query},
    tables::{Figures, copy_jobs, load_jobs},
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

const SEPTEMBER: &str = "finops-billing-aws_cur-202509-1";
const SEPTEMBER_2: &str = "finops-billing-aws_cur-202509-2";
const OCTOBER: &str = "finops-billing-aws_cur-202510-1";

/// Waits until the emulator has `count` requests for staging loads.
async fn wait_for_loads(job: &CloudJob, count: usize) {
    until(|| load_jobs(&job.emulator).len() >= count).await;
}

/// Waits until the emulator has `count` requests for swaps.
async fn wait_for_swaps(job: &CloudJob, count: usize) {
    until(|| copy_jobs(&job.emulator).len() >= count).await;
}

/// The ids of the swaps, each once.
fn swaps(job: &CloudJob) -> Vec<String> {
    let mut ids: Vec<String> = copy_jobs(&job.emulator).into_iter().map(|(id, _)| id).collect();
    ids.sort();
    ids.dedup();
    ids
}

/// Pauses the jobs whose ids begin with one of `jobs`.
fn pause(job: &CloudJob, jobs: &[&str]) {
    for prefix in jobs {
        job.emulator.hold_jobs(prefix);
    }
}

/// How often files were loaded into a staging table.
fn staged(job: &CloudJob) -> usize {
    load_jobs(&job.emulator).len()
}

/// How many queries were sent.
fn queries(job: &CloudJob) -> usize {
    job.emulator.requests().iter().filter(|r| r.method == "POST" && r.path.ends_with("/queries")).count()
}

/// The months in the state table, one a row.
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
async fn the_next_run_completes_the_swap_of_a_killed_run_without_another_load() {
    let job = CloudJob::new(&[september(), october()]).await;
    pause(&job, &[SEPTEMBER, OCTOBER]);
    let mut run = job.finops.spawn();
    wait_for_swaps(&job, 2).await;
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(recorded(&job).await, [""; 0], "it died before it recorded anything");
    job.emulator.release();

    let report = job.finops.report(0);
    assert_eq!(each(&report, "status"), ["loaded", "loaded"], "{report:#}");
    assert_eq!(job.figures(), both());
    assert_eq!((swaps(&job), staged(&job)), (vec![SEPTEMBER.to_owned(), OCTOBER.to_owned()], 2));
    assert_eq!(recorded(&job).await, ["2025-09-01", "2025-10-01"]);
    assert_eq!(each(&job.finops.report(0), "status"), ["skipped", "skipped"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_the_old_month_until_the_new_one_is_complete() {
    let job = CloudJob::loaded(&[september(), october()]).await;
    job.put(&Delivery::new("2025-09", "second", &["7", "8", "9"])).await;
    job.emulator.hold_jobs(SEPTEMBER_2);
    let run = job.finops.spawn();
    wait_for_swaps(&job, 3).await;
    assert_eq!(job.figures(), both(), "while the swap runs");
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
    wait_for_loads(&job, 1).await;
    job.put(&Delivery::new("2025-09", "same", &["7", "8", "9"]).overwriting()).await;
    job.emulator.release();
    let (status, stderr) = end(run);
    assert!(status.success(), "{stderr}");
    assert_eq!(job.figures()["2025-09"], (3, "24".to_owned()));
    assert_eq!((swaps(&job), staged(&job)), (vec![SEPTEMBER.to_owned()], 2), "what was read before is not swapped");
    assert_eq!(each(&job.finops.report(0), "status"), ["skipped"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_at_once_at_a_signal_with_the_code_for_that() {
    let whiles = ["finops-", SEPTEMBER].map(|paused| [("-TERM", 143, paused), ("-INT", 130, paused)]);
    for (name, code, paused) in whiles.concat() {
        let job = CloudJob::new(&[september()]).await;
        job.emulator.hold_jobs(paused);
        let run = job.finops.spawn();
        until(|| staged(&job) == 1 && (paused != SEPTEMBER || !swaps(&job).is_empty())).await;
        signal(&run, name);
        let (status, stderr) = end(run);
        assert_eq!(status.code(), Some(code), "{stderr}");
        assert_names(&stderr, &["stopped by a signal"]);
        job.emulator.release();
        assert_eq!(each(&job.finops.report(0), "status"), ["loaded"]);
        assert_eq!(
            (swaps(&job), job.figures()["2025-09"].clone()),
            (vec![SEPTEMBER.to_owned()], both()["2025-09"].clone())
        );
    }
}

/// The signals that the program handles, according to Linux.
fn handled(run: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", run.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_gets_a_signal_at_its_first_request_ends_with_the_code_for_that() {
    // Signals 2 and 15.
    const BOTH: u64 = 1 << 1 | 1 << 14;
    let job = CloudJob::new(&[]).await;
    for _ in 0..20 {
        // A listener of its own for each run: a second connection of the run before may still be in the queue of a shared one.
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        let finops = job.finops.clone().with("STORAGE_EMULATOR_HOST", &url).with("BIGQUERY_EMULATOR_HOST", &url);
        let run = finops.spawn();
        let connection = server.accept().unwrap();
        assert_eq!(handled(&run) & BOTH, BOTH, "signals are handled before the first request");
        signal(&run, "-TERM");
        let (status, stderr) = end(run);
        assert_eq!(status.code(), Some(143), "{stderr}");
        assert_names(&stderr, &["stopped by a signal"]);
        drop(connection);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_swap_each_month_once() {
    let job = CloudJob::new(&[september(), october()]).await;
    pause(&job, &["finops-"]);
    let runs = [job.finops.spawn(), job.finops.spawn()];
    // Both have seen that no swap is there, and stage the months.
    wait_for_loads(&job, 4).await;
    job.emulator.release();
    pause(&job, &[SEPTEMBER, OCTOBER]);
    // Two months by two runs: the second run finds the number taken.
    wait_for_swaps(&job, 4).await;
    job.emulator.release();
    for run in runs {
        let (status, stderr) = end(run);
        assert!(status.success(), "{stderr}");
    }
    assert_eq!(swaps(&job), [SEPTEMBER, OCTOBER]);
    assert_eq!(recorded(&job).await, ["2025-09-01", "2025-10-01"]);
    assert_eq!(job.figures(), both());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_after_a_killed_run_is_loaded() {
    let job = CloudJob::new(&[september()]).await;
    job.emulator.hold_jobs(SEPTEMBER);
    let mut run = job.finops.spawn();
    wait_for_swaps(&job, 1).await;
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
async fn the_newer_delivery_of_two_runs_at_once_is_loaded() {
    let job = CloudJob::new(&[september()]).await;
    job.emulator.hold_jobs(SEPTEMBER);
    let first = job.finops.spawn();
    wait_for_swaps(&job, 1).await;
    job.put(&Delivery::new("2025-09", "second", &["7", "8", "9"])).await;
    let before = queries(&job);
    let second = job.finops.spawn();
    // The second run has read the state, which does not have the swap of the first.
    until(|| queries(&job) > before).await;
    job.emulator.release();
    for run in [first, second] {
        let (status, stderr) = end(run);
        assert!(status.success(), "{stderr}");
    }
    assert_eq!(job.figures()["2025-09"], (3, "24".to_owned()));
    assert_eq!(swaps(&job), [SEPTEMBER, SEPTEMBER_2]);
    assert_eq!(each(&job.finops.report(0), "status"), ["skipped"]);
}

#[test]
fn a_second_run_on_the_same_duckdb_file_says_that_it_is_busy() {
    let job = LocalJob::new(&[september()]);
    let other_process = duckdb::Connection::open(&job.database).unwrap();
    let outcome = job.finops.run(&["run"]);
    assert_eq!(outcome.code, 1);
    assert_names(&outcome.stderr, &["error: ", job.database.to_str().unwrap(), "another process has it open"]);
    let report = job.finops.report(1);
    assert_eq!(report["pipelines"][0]["status"], "failed");
    assert_eq!(report["pipelines"][0]["error"]["kind"], "busy");
    drop(other_process);
    assert_eq!(each(&job.finops.report(0), "status"), ["loaded"]);
}

#[test]
fn a_killed_run_does_not_change_the_duckdb_file() {
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
