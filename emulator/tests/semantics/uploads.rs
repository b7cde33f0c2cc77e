//! Resumable uploads: jobs with data.

use bigquery_emulator::{Fault, FaultKind, When};
use reqwest::Response;
use serde_json::{Value, json};

use crate::harness::Harness;

const UNIT: usize = 256 * 1024;

/// A CSV file of more than three units, and its number of rows.
fn data() -> (Vec<u8>, usize) {
    let rows = 4 * UNIT / 50;
    let line = |row| format!("2025-09-01,{row},{}\n", "x".repeat(40));
    let lines: String = (0..rows).map(line).collect();
    (format!("month,cost,note\n{lines}").into_bytes(), rows)
}

fn job(id: &str) -> Value {
    let load = json!({
        "destinationTable": {"projectId": "demo", "datasetId": "d", "tableId": "t$202509"},
        "writeDisposition": "WRITE_TRUNCATE",
        "skipLeadingRows": 1,
        "schema": {"fields": [
            {"name": "month", "type": "TIMESTAMP"}, {"name": "cost", "type": "BIGNUMERIC"}, {"name": "note", "type": "STRING"},
        ]},
    });
    json!({"jobReference": {"projectId": "demo", "jobId": id, "location": "US"}, "configuration": {"load": load}})
}

struct Session<'a>(&'a Harness, String);

impl<'a> Session<'a> {
    async fn request(h: &Harness, job: &Value) -> Response {
        let url = format!("{}/upload/bigquery/v2/projects/demo/jobs?uploadType=resumable", h.emulator.url());
        h.client.post(url).json(job).send().await.unwrap()
    }

    async fn begin(h: &'a Harness, id: &str) -> Self {
        let answer = Self::request(h, &job(id)).await;
        assert_eq!(answer.status(), 200);
        Self(h, answer.headers()["Location"].to_str().unwrap().to_owned())
    }

    /// Sends bytes as the range. Returns status, received range and body.
    async fn put(&self, range: &str, data: &[u8]) -> Result<(u16, Option<String>, Value), reqwest::Error> {
        let request = self.0.client.put(&self.1).header("Content-Range", range).body(data.to_vec());
        let answer = request.send().await?;
        let range = answer.headers().get("Range").map(|range| range.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        Ok((status, range, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default()))
    }

    /// Sends the bytes from `from` on.
    async fn put_rest(&self, data: &[u8], from: usize) -> (u16, Value) {
        let (total, last) = (data.len(), data.len() - 1);
        let (status, _, body) = self.put(&format!("bytes {from}-{last}/{total}"), &data[from..]).await.unwrap();
        (status, body)
    }

    async fn received(&self) -> (u16, Option<String>) {
        let (status, range, _) = self.put("bytes */*", &[]).await.unwrap();
        (status, range)
    }
}

fn on_chunk(after: usize, kind: FaultKind, when: When) -> Fault {
    Fault { method: "PUT".to_owned(), path_contains: "/upload/".to_owned(), after, times: 1, kind, when }
}

fn up_to(bytes: usize) -> String {
    format!("bytes=0-{}", bytes - 1)
}

#[tokio::test]
async fn k1_data_is_uploaded_in_chunks_and_the_last_chunk_creates_the_job() {
    let h = Harness::new().await;
    h.table().await;
    let (data, rows) = data();
    let session = Session::begin(&h, "j").await;
    assert_eq!(session.received().await, (308, None));
    let (status, range, _) = session.put(&format!("bytes 0-{}/*", UNIT - 1), &data[..UNIT]).await.unwrap();
    assert_eq!((status, range), (308, Some(up_to(UNIT))));
    assert_eq!(h.get("/jobs/j?location=US").await.0, 404, "the job does not exist before the data is complete");
    let (status, answer) = session.put_rest(&data, UNIT).await;
    assert_eq!((status, answer["jobReference"]["jobId"].as_str()), (200, Some("j")));
    let job = h.wait("j").await;
    assert_eq!(job["statistics"]["load"]["outputRows"], rows.to_string());
    assert_eq!(job["statistics"]["load"]["inputFiles"], "1");
    assert_eq!(job["statistics"]["load"]["inputFileBytes"], data.len().to_string());
    let (status, again) = session.put_rest(&data, UNIT).await;
    assert_eq!((status, &again["jobReference"]), (200, &answer["jobReference"]), "the answer is repeated");
}

#[tokio::test]
async fn k2_a_chunk_that_breaks_off_is_kept_in_whole_units_and_the_upload_continues() {
    let h = Harness::new().await;
    h.table().await;
    let (data, rows) = data();
    let total = data.len();
    let session = Session::begin(&h, "j").await;
    h.emulator.add_fault(on_chunk(0, FaultKind::Cut(2 * UNIT + 1000), When::AfterEffect));
    session.put(&format!("bytes 0-{}/{total}", total - 1), &data).await.unwrap_err();
    assert_eq!(session.received().await, (308, Some(up_to(2 * UNIT))));
    for wrong in [
        format!("bytes 0-{}/{total}", UNIT - 1),
        format!("bytes {}-{}/{total}", 2 * UNIT + 1, total - 1),
        format!("bytes {}-{}/{total}", 2 * UNIT, 2 * UNIT + 999),
        "bytes 5-4/10".to_owned(),
        "all".to_owned(),
    ] {
        let (status, _, answer) = session.put(&wrong, &data[..1000]).await.unwrap();
        assert_eq!((status, answer["error"]["errors"][0]["reason"].as_str()), (400, Some("invalid")), "{wrong}");
    }
    assert_eq!(session.put_rest(&data, 2 * UNIT).await.0, 200);
    assert_eq!(h.wait("j").await["statistics"]["load"]["outputRows"], rows.to_string());
    let puts = h.emulator.requests().into_iter().filter(|request| request.method == "PUT");
    let sent: Vec<usize> = puts.map(|request| request.uploaded).filter(|bytes| *bytes > 1000).collect();
    assert_eq!(sent, [2 * UNIT + 1000, total - 2 * UNIT], "the log has the received bytes");
}

#[tokio::test]
async fn k3_a_used_id_is_refused_before_and_after_the_upload() {
    let h = Harness::new().await;
    h.table().await;
    let (data, _) = data();
    let (first, second) = (Session::begin(&h, "j").await, Session::begin(&h, "j").await);
    assert_eq!(first.put_rest(&data, 0).await.0, 200);
    let (status, answer) = second.put_rest(&data, 0).await;
    assert_eq!((status, answer["error"]["errors"][0]["reason"].as_str()), (409, Some("duplicate")));
    assert_eq!(second.received().await.0, 409, "the session repeats its last answer");
    assert_eq!(Session::request(&h, &job("j")).await.status(), 409);
    h.wait("j").await;
}

#[tokio::test]
async fn k4_invalid_uploads_are_refused() {
    let h = Harness::new().await;
    h.table().await;
    let unknown = Session(&h, format!("{}/upload/bigquery/v2/projects/demo/jobs?upload_id=none", h.emulator.url()));
    assert_eq!(unknown.received().await.0, 404);
    let mut with_uris = job("j");
    with_uris["configuration"]["load"]["sourceUris"] = json!(["gs://b/k"]);
    assert_eq!(Session::request(&h, &with_uris).await.status(), 400);
    assert_eq!(Session::request(&h, &json!({"configuration": {"query": {"query": "SELECT 1"}}})).await.status(), 400);
    for path in ["projects/demo/jobs?uploadType=multipart", "projects/demo/tables?uploadType=resumable"] {
        let url = format!("{}/upload/bigquery/v2/{path}", h.emulator.url());
        assert_eq!(h.client.post(url).json(&job("j")).send().await.unwrap().status(), 501, "{path}");
    }
}

#[tokio::test]
async fn k5_a_fault_of_a_chunk_comes_before_or_after_its_effect() {
    let h = Harness::new().await;
    h.table().await;
    let (data, _) = data();
    let session = Session::begin(&h, "j").await;
    let unavailable = || FaultKind::Status(503, "backendError".to_owned());
    h.emulator.add_fault(on_chunk(0, unavailable(), When::BeforeEffect));
    h.emulator.add_fault(on_chunk(1, unavailable(), When::AfterEffect));
    assert_eq!(session.put_rest(&data, 0).await.0, 503);
    assert_eq!(session.received().await, (308, None));
    assert_eq!(session.put_rest(&data, 0).await.0, 503);
    assert_eq!(session.received().await.0, 200, "the job exists");
    h.wait("j").await;
}
