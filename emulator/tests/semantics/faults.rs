//! Injected faults, and the log of requests.

use std::time::{Duration, Instant};

use bigquery_emulator::{Fault, FaultKind, JobFault, Options, When};
use serde_json::json;

use crate::harness::Harness;

fn fault(kind: FaultKind, when: When) -> Fault {
    Fault { method: "POST".to_owned(), path_contains: "/jobs".to_owned(), after: 0, times: 1, kind, when }
}

#[tokio::test]
async fn x2_a_status_fault_comes_before_or_after_the_effect() {
    let h = Harness::new().await;
    h.table().await;
    let file = h.put("a.csv", "month,cost,note\n2025-09-01,1,x\n");
    let status = FaultKind::Status(503, "backendError".to_owned());
    h.emulator.add_fault(fault(status.clone(), When::BeforeEffect));
    let (code, body) = h.insert_load("j1", "t$202509", &[&file], json!({})).await;
    assert_eq!((code, body["error"]["errors"][0]["reason"].as_str()), (503, Some("backendError")));
    assert_eq!(h.get("/jobs/j1?location=US").await.0, 404);
    h.emulator.add_fault(fault(status, When::AfterEffect));
    assert_eq!(h.insert_load("j1", "t$202509", &[&file], json!({})).await.0, 503);
    assert_eq!(h.insert_load("j1", "t$202509", &[&file], json!({})).await.0, 409);
    h.wait("j1").await;
}

#[tokio::test]
async fn x3_a_reset_ends_the_connection_without_an_answer() {
    let h = Harness::new().await;
    h.table().await;
    let file = h.put("a.csv", "month,cost,note\n2025-09-01,1,x\n");
    h.emulator.add_fault(Fault {
        path_contains: "/datasets".to_owned(),
        method: String::new(),
        after: 1,
        ..fault(FaultKind::Reset, When::BeforeEffect)
    });
    assert_eq!(h.get("/datasets/d").await.0, 200);
    let url = format!("{}/bigquery/v2/projects/demo/datasets/d", h.emulator.url());
    let error = h.client.get(url).send().await.unwrap_err();
    assert!(error.is_request(), "{error:?}");
    assert_eq!(h.get("/datasets/d").await.0, 200);
    h.load("j", "t$202509", &[&file], json!({})).await;
}

#[tokio::test]
async fn x2_an_answer_fault_has_its_own_headers_and_body() {
    let h = Harness::new().await;
    let page = "<html>Bad Gateway</html>";
    for (status, when) in [(502, When::BeforeEffect), (200, When::AfterEffect)] {
        let headers = [("Retry-After", "1"), ("Content-Type", "text/html")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let kind = FaultKind::Answer { status, headers, body: page.to_owned() };
        h.emulator.add_fault(Fault { path_contains: "/tables".to_owned(), ..fault(kind, when) });
        let url = format!("{}/bigquery/v2/projects/demo/datasets/d/tables", h.emulator.url());
        let table =
            json!({"tableReference": {"tableId": "t"}, "schema": {"fields": [{"name": "a", "type": "STRING"}]}});
        let answer = h.client.post(url).json(&table).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].as_bytes()), (status, &b"1"[..]));
        assert_eq!(answer.text().await.unwrap(), page);
        let created = h.get("/datasets/d/tables/t").await.0 == 200;
        assert_eq!(created, when == When::AfterEffect);
    }
}

#[tokio::test]
async fn x3_a_hang_affects_only_its_own_request() {
    let h = Harness::new().await;
    h.emulator.add_fault(Fault {
        path_contains: "/datasets".to_owned(),
        method: "GET".to_owned(),
        ..fault(FaultKind::Hang, When::AfterEffect)
    });
    let url = format!("{}/bigquery/v2/projects/demo/datasets/d", h.emulator.url());
    let error = h.client.get(url).timeout(Duration::from_millis(100)).send().await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(h.get("/datasets/d").await.0, 200);
}

#[tokio::test]
async fn x4_a_job_fault_ends_the_job_before_any_effect() {
    let h = Harness::new().await;
    h.table().await;
    let file = h.put("a.csv", "month,cost,note\n2025-09-01,1,x\n");
    h.emulator.add_job_fault(JobFault {
        job_id_contains: "202509".to_owned(),
        times: 1,
        reason: "backendError".to_owned(),
        message: "try again".to_owned(),
    });
    let job = h.load("load-202509-1", "t$202509", &[&file], json!({})).await;
    assert_eq!(job["status"]["errorResult"], json!({"reason": "backendError", "message": "try again"}));
    assert_eq!(h.rows("SELECT COUNT(*) FROM d.t").await, [["0"]]);
    let job = h.load("load-202509-2", "t$202509", &[&file], json!({})).await;
    assert_eq!(job["status"].get("errorResult"), None);
}

#[tokio::test]
async fn x5_latency_is_added_and_requests_are_logged() {
    let h = Harness::with(Options { latency: Duration::from_millis(30), ..Options::default() }).await;
    let start = Instant::now();
    h.table().await;
    assert!(start.elapsed() >= Duration::from_millis(30));
    h.get("/datasets/d?x=1").await;
    let log = h.emulator.requests();
    let seen: Vec<_> = log.iter().map(|request| (request.method.as_str(), request.path.as_str())).collect();
    assert_eq!(
        seen,
        [("POST", "/bigquery/v2/projects/demo/datasets/d/tables"), ("GET", "/bigquery/v2/projects/demo/datasets/d")]
    );
    assert_eq!(log[0].body["tableReference"]["tableId"], "t");
    assert_eq!(log[1].query["x"], "1");
}

#[tokio::test]
async fn x6_a_dropped_emulator_no_longer_answers() {
    let h = Harness::new().await;
    let url = format!("{}/bigquery/v2/projects/demo/datasets/d", h.emulator.url());
    let client = h.client.clone();
    assert!(client.get(&url).send().await.is_ok());
    drop(h);
    assert!(client.get(&url).send().await.is_err());
}

#[tokio::test]
async fn x7_a_received_request_takes_effect_even_if_its_client_is_gone() {
    let h = Harness::with(Options { latency: Duration::from_millis(100), ..Options::default() }).await;
    let received = async {
        while h.emulator.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        () = h.table() => {}
        () = received => {}
    }
    let created = async { while h.get("/datasets/d/tables/t").await.0 != 200 {} };
    tokio::time::timeout(Duration::from_secs(20), created).await.expect("the table is created");
}
