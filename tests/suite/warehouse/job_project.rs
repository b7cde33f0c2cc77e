//! `BIGQUERY_JOB_PROJECT` and `LABELS`: where jobs run, and what they and new objects are labelled with.

use std::collections::BTreeSet;

use bigquery_emulator::LoggedRequest;
use finops_core::{hint, model::load_record::STATE_TABLE};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    support::{
        bigquery::until,
        harness::DATASET,
        jobs::CloudJob,
        program::{assert_names, each},
        servers::PROJECT,
        tree::Delivery,
    },
    warehouse::swap::{call, swaps},
};

fn is_write(request: &LoggedRequest) -> bool {
    request.method != "GET" && !request.path.ends_with("/queries")
}

/// Runs with jobs in a project, which the state table must refuse without any change. Returns the hint.
fn refused(job: &CloudJob, project: &str) -> String {
    let before = job.emulator.requests().len();
    let report = job.finops.clone().with("BIGQUERY_JOB_PROJECT", project).report(2);
    let error = &report["pipelines"][0]["error"];
    assert_eq!(error["kind"], "configuration", "{report:#}");
    assert_names(error["message"].as_str().unwrap(), &["demo.billing.finops_loads", project]);
    let dry = |request: &LoggedRequest| request.body["configuration"]["dryRun"] == true;
    let requests = job.emulator.requests();
    let changes: Vec<_> = requests[before..].iter().filter(|request| is_write(request) && !dry(request)).collect();
    assert!(changes.is_empty(), "{changes:?}");
    error["hint"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_run_in_the_named_project_and_everything_new_has_the_labels() {
    let job = CloudJob::new(&[Delivery::new("2025-09", "first", &["3.5", "1"])]).await;
    let finops = job.finops.clone().with("BIGQUERY_JOB_PROJECT", "compute").with("LABELS", "team=a-1, finops_rows=7");
    assert_eq!(each(&finops.report(0), "status"), ["loaded"]);
    assert_eq!(job.figures()["2025-09"], (2, "4.5".to_owned()));

    let requests = job.emulator.requests();
    let project = |request: &LoggedRequest| request.path.split('/').nth(4).unwrap().to_owned();
    let (of_jobs, others): (Vec<_>, Vec<_>) = requests
        .iter()
        .partition(|request| ["jobs", "queries"].iter().any(|of| request.path.contains(&format!("/{of}"))));
    let projects = |requests: &[&LoggedRequest]| requests.iter().map(|of| project(of)).collect::<BTreeSet<_>>();
    assert_eq!(projects(&of_jobs), BTreeSet::from(["compute".to_owned()]));
    assert_eq!(projects(&others), BTreeSet::from([PROJECT.to_owned()]));

    let label = |body: &Value| body["labels"]["team"].as_str().map(str::to_owned);
    let mut labelled = 0;
    for request in requests.iter().filter(|request| request.method == "POST") {
        let (body, path) = (&request.body, &request.path);
        let table = body["tableReference"]["tableId"].as_str().unwrap_or_default();
        let found = match body {
            job if job["configuration"]["dryRun"] == true => continue,
            job if job["configuration"].is_object() => label(&job["configuration"]),
            query if query["query"].is_string() => label(query),
            dataset if dataset["datasetReference"].is_object() => label(dataset),
            staging if table.starts_with("finops_staging") => label(staging),
            _ => continue,
        };
        labelled += 1;
        assert_eq!(found.as_deref(), Some("a-1"), "{path}: {body:#}");
    }
    // The dataset, the staging table, its load, the sum, the swap, and the query that records it, at least.
    assert!(labelled >= 6, "{labelled}");
    let swap = requests.iter().find(|request| request.body["configuration"]["copy"].is_object()).unwrap();
    assert_eq!(swap.body["configuration"]["labels"]["finops_rows"], "2", "finops's own labels win");

    let (again, checked) = (finops.report(0), finops.report_of(&["check", "--output", "json"], 0));
    assert_eq!(each(&again, "status"), ["skipped"], "{again:#}");
    let jobs = checked["checks"].as_array().unwrap().iter().find(|check| check["check"] == "jobs");
    assert_eq!(jobs.unwrap()["object"], "project compute", "{checked:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_jobs_in_another_project_is_refused_while_one_is_killed_in_its_swap() {
    let job = CloudJob::new(&[Delivery::new("2025-09", "first", &["3.5"])]).await;
    let finops = job.finops.clone().with("BIGQUERY_JOB_PROJECT", "compute");
    job.emulator.hold_jobs("finops-billing-aws_cur-202509-1");
    let mut killed = finops.spawn();
    until(|| !swaps(&job.emulator).is_empty()).await;
    killed.kill().unwrap();
    killed.wait().unwrap();

    // Its job is still at work. A newer delivery, loaded by a job in another project, would be replaced by it.
    job.put(&Delivery::new("2025-09", "second", &["7"])).await;
    let hint = refused(&job, "other");
    assert_eq!(refused(&job, PROJECT).replace(&format!(":{PROJECT} "), ":other "), hint);
    let state = format!("{PROJECT}:{DATASET}.{STATE_TABLE}");
    assert_eq!(hint, hint::move_jobs("compute", "finops_jobs", "other", state));

    job.emulator.release();
    assert_eq!(each(&finops.report(0), "status"), ["loaded"]);
    assert_eq!(job.figures()["2025-09"], (1, "7".to_owned()));

    // As the hint says.
    let (_, command) = hint.split_once("--set_label ").unwrap();
    let (key, value) = command.split(' ').next().unwrap().split_once(':').unwrap();
    let table = format!("/datasets/{DATASET}/tables/{STATE_TABLE}");
    call(&job, Method::PATCH, &table, json!({"labels": {key: value}})).await;
    job.put(&Delivery::new("2025-09", "third", &["8"])).await;
    refused(&job, "compute");
    let finops = job.finops.clone().with("BIGQUERY_JOB_PROJECT", "other");
    assert_eq!(each(&finops.report(0), "status"), ["loaded"]);
    assert_eq!(job.figures()["2025-09"], (1, "8".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_table_without_the_label_has_its_jobs_in_its_own_project() {
    let job = CloudJob::loaded(&[Delivery::new("2025-09", "first", &["3.5"])]).await;
    let table = call(&job, Method::GET, &format!("/datasets/{DATASET}/tables/{STATE_TABLE}"), Value::Null).await;
    assert_eq!(table["labels"], json!({"managed_by": "finops"}));
    job.put(&Delivery::new("2025-09", "second", &["7"])).await;
    assert_names(&refused(&job, "compute"), &["to demo.", "--set_label finops_jobs:compute demo:billing.finops_loads"]);
    assert_eq!(each(&job.finops.clone().with("BIGQUERY_JOB_PROJECT", PROJECT).report(0), "status"), ["loaded"]);
}
