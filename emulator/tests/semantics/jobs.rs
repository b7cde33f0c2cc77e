//! Job ids, states and locations.

use std::time::Duration;

use bigquery_emulator::Options;
use serde_json::{Value, json};

use crate::harness::Harness;

#[tokio::test]
async fn j1_a_failed_job_uses_up_its_id() {
    let h = Harness::new().await;
    h.table().await;
    let job = h.load("same", "t$202509", &["gs://b/none.csv"], json!({})).await;
    assert_eq!(job["status"]["errorResult"]["reason"], "notFound");
    let (status, body) = h.insert_load("same", "t$202509", &["gs://b/none.csv"], json!({})).await;
    assert_eq!((status, body["error"]["errors"][0]["reason"].as_str()), (409, Some("duplicate")));
    assert_eq!(body["error"]["message"], "Already Exists: Job demo:US.same");
}

#[tokio::test]
async fn j1_of_many_inserts_with_one_id_only_one_succeeds() {
    let h = Harness::new().await;
    h.table().await;
    let file = h.put("a.csv", "month,cost,note\n2025-09-01,1,x\n");
    let uris = [file.as_str()];
    let append = json!({"writeDisposition": "WRITE_APPEND"});
    let tries = (0..8).map(|_| h.insert_load("race", "t", &uris, append.clone()));
    let mut statuses = Vec::new();
    for answer in futures::future::join_all(tries).await {
        statuses.push(answer.0);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
    h.wait("race").await;
    assert_eq!(h.rows("SELECT COUNT(*) FROM d.t").await, [["1"]]);
}

#[tokio::test]
async fn j2_a_job_is_found_only_in_its_location() {
    let h = Harness::new().await;
    let place = "europe-west1";
    let dataset = json!({"datasetReference": {"datasetId": "west"}, "location": place});
    h.call("POST", "/datasets", dataset).await;
    let body = json!({
        "jobReference": {"jobId": "q", "location": place},
        "configuration": {"query": {"query": "SELECT 1 AS one", "useLegacySql": false}},
    });
    assert_eq!(h.call("POST", "/jobs", body).await.0, 200);
    assert_eq!(h.get("/jobs/q?location=europe-west1").await.0, 200);
    for path in ["/jobs/q", "/jobs/q?location=US", "/jobs/other?location=europe-west1"] {
        let (status, body) = h.get(path).await;
        assert_eq!((status, body["error"]["errors"][0]["reason"].as_str()), (404, Some("notFound")), "{path}");
    }
    let (_, result) = h.get("/queries/q?location=europe-west1").await;
    assert_eq!(result["rows"][0]["f"][0]["v"], "1");
}

#[tokio::test]
async fn j3_a_job_is_asynchronous_and_keeps_its_labels_and_times() {
    let h = Harness::with(Options { job_duration: Duration::from_millis(50), ..Options::default() }).await;
    h.table().await;
    let file = h.put("a.csv", "month,cost,note\n2025-09-01,1,x\n");
    let (_, job) = h.insert_load("slow", "t$202509", &[&file], json!({})).await;
    assert!(["PENDING", "RUNNING"].contains(&job["status"]["state"].as_str().unwrap()));
    let job = h.wait("slow").await;
    assert_eq!(job["configuration"]["labels"], json!({"work": "abc"}));
    assert_eq!(job["configuration"]["jobType"], "LOAD");
    assert_eq!(job["jobReference"], json!({"projectId": "demo", "jobId": "slow", "location": "US"}));
    let time = |key: &str| job["statistics"][key].as_str().unwrap().parse::<i64>().unwrap();
    assert!(time("creationTime") <= time("startTime") && time("endTime") - time("startTime") >= 50);
    let (_, list) = h.get("/jobs?stateFilter=done").await;
    assert_eq!(list["jobs"][0]["jobReference"]["jobId"], "slow");
    assert_eq!(list["jobs"][0]["state"], "DONE");
}

#[tokio::test]
async fn j4_a_cancelled_job_ends_as_stopped_without_effect() {
    let h = Harness::new().await;
    h.table().await;
    let file = h.put("a.csv", "month,cost,note\n2025-09-01,1,x\n");
    h.emulator.hold_jobs("");
    h.insert_load("held", "t$202509", &[&file], json!({})).await;
    assert_eq!(h.call("POST", "/jobs/held/cancel?location=US", Value::Null).await.0, 200);
    let job = h.wait("held").await;
    assert_eq!(job["status"]["errorResult"]["reason"], "stopped");
    h.emulator.release();
    assert_eq!(h.rows("SELECT COUNT(*) FROM d.t").await, [["0"]]);
}

#[tokio::test]
async fn j5_a_load_must_run_where_its_dataset_is() {
    let h = Harness::new().await;
    let dataset = json!({"datasetReference": {"datasetId": "eu"}, "location": "EU"});
    h.call("POST", "/datasets", dataset).await;
    let settings = json!({"destinationTable": {"projectId": "demo", "datasetId": "eu", "tableId": "t"}});
    let (status, body) = h.insert_load("j", "t", &["gs://b/a.csv"], settings).await;
    let message = "Not found: Dataset demo:eu was not found in location US";
    assert_eq!((status, body["error"]["message"].as_str()), (404, Some(message)));
}

#[tokio::test]
async fn j6_jobs_are_listed_newest_first_by_state_time_and_projection() {
    let h = Harness::new().await;
    h.table().await;
    let file = h.put("a.csv", "month,cost,note\n2025-09-01,1,x\n");
    h.load("first", "t$202509", &[&file], json!({})).await;
    let failed = h.load("failed", "t$202509", &["gs://b/none.csv"], json!({})).await;
    h.emulator.hold_jobs("held");
    h.insert_load("held", "t$202509", &[&file], json!({})).await;
    let list = async |parameters: &str| {
        let (_, list) = h.get(&format!("/jobs?{parameters}")).await;
        list["jobs"].as_array().cloned().unwrap_or_default()
    };
    let done = list("stateFilter=done&projection=full&allUsers=True").await;
    let ids: Vec<&Value> = done.iter().map(|job| &job["jobReference"]["jobId"]).collect();
    assert!(ids.len() == 2 && ids.contains(&&json!("first")) && ids.contains(&&json!("failed")), "{ids:?}");
    assert!(done.iter().all(|job| job["configuration"]["jobType"] == "LOAD"));
    let created = failed["statistics"]["creationTime"].as_str().unwrap();
    let then = list(&format!("minCreationTime={created}&maxCreationTime={created}&projection=minimal")).await;
    let one = then.iter().find(|job| job["jobReference"]["jobId"] == "failed").unwrap();
    assert_eq!((&one["errorResult"]["reason"], one.get("configuration")), (&json!("notFound"), None));
    let later = created.parse::<i64>().unwrap() + 3_600_000;
    assert!(list(&format!("minCreationTime={later}")).await.is_empty());
}

#[tokio::test]
async fn j7_a_job_in_another_project_than_its_tables_has_its_id_there() {
    let h = Harness::new().await;
    h.table().await;
    let file = h.put("a.csv", "month,cost,note\n2025-09-01,1,x\n");
    h.load("first", "t", &[&file], json!({})).await;
    let query = json!({"query": "SELECT note FROM demo.d.t", "useLegacySql": false});
    let job =
        |query: &Value| json!({"jobReference": {"jobId": "same", "location": "US"}, "configuration": {"query": query}});
    assert_eq!(h.call_in("compute", "POST", "/jobs", job(&query)).await.0, 200);
    let (status, result) = h.call_in("compute", "GET", "/queries/same?location=US", Value::Null).await;
    assert_eq!((status, &result["rows"][0]["f"][0]["v"]), (200, &json!("x")));

    assert_eq!(h.call_in("compute", "POST", "/jobs", job(&query)).await.0, 409, "the id is used up there");
    assert_eq!(h.get("/jobs/same?location=US").await.0, 404);
    let query = json!({"query": "SELECT 1 AS one", "useLegacySql": false});
    assert_eq!(h.call_in("other", "POST", "/jobs", job(&query)).await.0, 200, "and free elsewhere");
    let (status, found) = h.call_in("compute", "GET", "/jobs/same?location=US", Value::Null).await;
    assert_eq!((status, found["jobReference"]["projectId"].as_str()), (200, Some("compute")));
}
