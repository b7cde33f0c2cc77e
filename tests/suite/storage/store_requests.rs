//! The requests of a store: how many at once, on which condition, and repeated if an answer ends early.

use std::{
    fs, io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use finops::{
    error::ErrorKind,
    storage::{Gcs, Object, REQUESTS, ReadRange, Store},
};
use finops_core::hint;
use futures::{StreamExt, future::join_all, stream};
use tokio::sync::{Barrier, Notify};

use crate::{
    storage::{
        s3::{self, S3Server},
        stores::{bucket, folder, listed, seeded},
    },
    support::{
        jobs::CloudJob,
        program::{BUCKET, assert_names, each, month},
        servers::{client, pass_on},
        tables::load_jobs,
        tree::{Delivery, REPORT},
    },
};

/// Keys and bytes.
type Objects = Vec<(String, Vec<u8>)>;

/// What a front does with each request.
#[derive(Clone)]
enum Does {
    /// Waits until there are as many requests as a store may have. Counts the requests, and their highest number.
    Gather(Arc<(AtomicUsize, AtomicUsize, Barrier)>),
    /// Ends the first answer for an object after some bytes.
    BreakOff(Arc<(AtomicUsize, Notify)>),
    /// Puts these objects into the bucket, or deletes those without bytes, before it answers to the first read of a data file.
    Replace(Arc<tokio::sync::Mutex<Objects>>),
    /// Answers as a bucket with SSE-KMS, whose ETags are no MD5.
    Encrypt,
    /// Answers like S3 for archived objects: those with this in their key are listed but cannot be read.
    Archive(String),
}

#[derive(Clone)]
struct Front {
    server: String,
    does: Does,
    /// Range and `If-Match` of each request of an object.
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Front {
    /// Listens on a free port. Returns the URL too.
    async fn before(server: &str, does: Does) -> (Self, String) {
        let front = Self { server: server.to_owned(), does, asked: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(front.clone());
        tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        (front, url)
    }
}

/// Another ETag with as many digits as the MD5.
fn opaque(md5: &str) -> String {
    md5.chars().rev().collect()
}

async fn answer(State(front): State<Front>, mut request: Request) -> Response {
    let header = |request: &Request, name| {
        request.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    let is_object =
        !request.uri().query().unwrap_or_default().contains("list-type") && request.uri().path().contains("csv");
    if is_object {
        front.asked.lock().unwrap().push((header(&request, "range"), header(&request, "if-match")));
    }
    match &front.does {
        Does::Gather(gathered) => {
            let (running, most, all) = &**gathered;
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            all.wait().await;
            let answer = pass_on(&client(), &front.server, request).await;
            running.fetch_sub(1, Ordering::SeqCst);
            answer
        }
        Does::BreakOff(broken) => {
            let (mut head, body) = pass_on(&client(), &front.server, request).await.into_parts();
            let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            if !is_object || broken.0.fetch_add(1, Ordering::SeqCst) > 0 {
                return Response::from_parts(head, Body::from(bytes));
            }
            head.headers.insert("content-length", bytes.len().into());
            let half = stream::iter([Ok(bytes.slice(..bytes.len() / 2))]);
            let broken = Arc::clone(broken);
            let end = stream::once(async move {
                broken.1.notified().await;
                Err(io::Error::other("broken off"))
            });
            Response::from_parts(head, Body::from_stream(half.chain(end)))
        }
        Does::Replace(objects) => {
            // Other reads wait until all are there.
            let mut objects = objects.lock().await;
            let replaced = if is_object { std::mem::take(&mut *objects) } else { Vec::new() };
            for (key, bytes) in replaced {
                if bytes.is_empty() {
                    let mut url: reqwest::Url = front.server.parse().unwrap();
                    url.path_segments_mut().unwrap().extend(["storage", "v1", "b", BUCKET, "o", &key]);
                    assert!(client().delete(url).send().await.unwrap().status().is_success());
                    continue;
                }
                let url = format!("{}/upload/storage/v1/b/{BUCKET}/o", front.server);
                let put = client().post(url).query(&[("uploadType", "media"), ("name", &key)]).body(bytes);
                assert!(put.send().await.unwrap().status().is_success());
            }
            drop(objects);
            pass_on(&client(), &front.server, request).await
        }
        Does::Archive(part) => {
            let is_listing = request.uri().query().unwrap_or_default().contains("list-type");
            if is_listing || !request.uri().path().contains(part.as_str()) {
                return pass_on(&client(), &front.server, request).await;
            }
            let body = "<Error><Code>InvalidObjectState</Code><Message>The operation is not valid for the object's storage \
                        class</Message></Error>";
            (StatusCode::FORBIDDEN, body).into_response()
        }
        Does::Encrypt => {
            let wanted = header(&request, "if-match");
            if !wanted.is_empty() {
                request.headers_mut().insert("if-match", opaque(&wanted).parse().unwrap());
            }
            let (mut head, body) = pass_on(&client(), &front.server, request).await.into_parts();
            let mut bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
            if is_object {
                let etag = head.headers["etag"].to_str().unwrap().to_owned();
                head.headers.insert("etag", opaque(&etag).parse().unwrap());
                head.headers.insert("x-amz-server-side-encryption", "aws:kms".parse().unwrap());
            } else {
                // The ETags, and nothing else, are words of 32 characters.
                let text = String::from_utf8(bytes).unwrap();
                let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
                let words = words.map(|word| match word.split_at_checked(32) {
                    Some((etag, end)) if end.len() == 1 => opaque(etag) + end,
                    _ => word.to_owned(),
                });
                bytes = words.collect::<String>().into_bytes();
                head.headers.remove("content-length");
            }
            Response::from_parts(head, Body::from(bytes))
        }
    }
}

async fn gcs(url: &str) -> Store {
    Store::Gcs(Box::new(Gcs::connect("billing", Some(url)).await.unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_never_has_more_requests_at_once_than_its_limit() {
    let (storage, _seed) = seeded(&[("cur/a.csv", "0123456789")]);
    let s3_server = S3Server::start().await;
    s3_server.put("cur/a.csv".to_owned(), b"0123456789".to_vec()).await;
    let (gcs_object, s3_object) = (
        listed(&bucket(&storage, "billing").await, "cur/a.csv").await,
        listed(&s3::store(&s3_server.url).await, "cur/a.csv").await,
    );
    for (server, object) in [(storage.url(), gcs_object), (&s3_server.url, s3_object)] {
        let gathered = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0), Barrier::new(REQUESTS)));
        let (_, url) = Front::before(server, Does::Gather(Arc::clone(&gathered))).await;
        let store = if server == storage.url() { gcs(&url).await } else { s3::store(&url).await };
        let lists = join_all((0..REQUESTS).map(|_| store.list("cur", "*.csv")));
        let reads = join_all((0..2 * REQUESTS).map(|_| store.read(&object, ReadRange::First(5))));
        let folders = join_all((0..REQUESTS).map(|_| store.folders("")));
        let (folders, lists, reads) = futures::future::join3(folders, lists, reads).await;
        assert!(folders.into_iter().all(|folders| folders.unwrap() == ["cur"]), "{store}");
        assert!(lists.into_iter().all(|listed| listed.unwrap().len() == 1), "{store}");
        assert!(reads.into_iter().all(|read| read.unwrap() == "01234"), "{store}");
        assert_eq!(gathered.1.load(Ordering::SeqCst), REQUESTS, "{store}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_was_replaced_or_removed_after_it_was_listed_is_not_read() {
    let (storage, seed) = seeded(&[("cur/a.csv", "0123456789")]);
    let s3_server = S3Server::start().await;
    s3_server.put("cur/a.csv".to_owned(), b"0123456789".to_vec()).await;
    let local = seed.path().join("billing");
    let stores = [bucket(&storage, "billing").await, s3::store(&s3_server.url).await, folder(&local)];
    let objects = join_all(stores.iter().map(|store| listed(store, "cur/a.csv"))).await;
    for (store, object) in stores.iter().zip(&objects) {
        assert_eq!(store.read(object, ReadRange::First(4)).await.unwrap(), "0123", "{store}");
    }

    storage.put("billing", "cur/a.csv", "abcdefghij").await;
    s3_server.put("cur/a.csv".to_owned(), b"abcdefghij".to_vec()).await;
    fs::write(local.join("cur/a.csv"), "abcdefghij").unwrap();

    let copy = seed.path().join("copy");
    for (store, object) in stores.iter().zip(&objects) {
        let refusals = [
            store.read(object, ReadRange::First(4)).await.map(drop),
            store.read(object, ReadRange::Last(4)).await.map(drop),
            store.fetch(object, &copy, &|_| {}).await.map(drop),
        ];
        for refusal in refusals {
            let error = refusal.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Busy, "{store}: {}", error.full_message());
            assert!(error.full_message().contains("cur/a.csv was replaced"), "{}", error.full_message());
            assert!(error.next_step().unwrap().contains(hint::WAIT_FOR_WRITER), "{store}");
        }
    }

    let again = join_all(stores.iter().map(|store| listed(store, "cur/a.csv"))).await;
    for (store, object) in stores.iter().zip(&again) {
        assert_eq!(store.read(object, ReadRange::First(4)).await.unwrap(), "abcd", "{store}");
    }
    storage.delete("billing", "cur/a.csv").await;
    s3_server.delete("cur/a.csv").await;
    fs::remove_file(local.join("cur/a.csv")).unwrap();
    for (store, object) in stores.iter().zip(&again) {
        let error = store.read(object, ReadRange::First(4)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy, "{store}: {}", error.full_message());
        assert!(error.full_message().contains("cur/a.csv was replaced or removed"), "{}", error.full_message());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_an_answer_that_ends_early_is_requested_again() {
    let text = "0123456789\n".repeat(10_000) + "end";
    let (storage, seed) = seeded(&[("cur/a.csv", &text)]);
    let s3_server = S3Server::start().await;
    s3_server.put("cur/a.csv".to_owned(), text.clone().into_bytes()).await;
    for server in [storage.url(), &s3_server.url] {
        let is_s3 = server != storage.url();
        let broken = Arc::new((AtomicUsize::new(0), Notify::new()));
        let (front, url) = Front::before(server, Does::BreakOff(Arc::clone(&broken))).await;
        let store = if is_s3 { s3::store(&url).await } else { gcs(&url).await };
        let object = listed(&store, "cur/a.csv").await;
        let copy = seed.path().join("copy");
        let got = AtomicUsize::new(0);
        let count = |bytes: u64| {
            got.fetch_add(usize::try_from(bytes).unwrap(), Ordering::SeqCst);
            broken.1.notify_one();
        };
        store.fetch(&object, &copy, &count).await.unwrap();
        assert_eq!(fs::read_to_string(&copy).unwrap(), text, "{store}");
        assert_eq!(got.into_inner(), text.len(), "each byte counts once");
        let asked = front.asked.lock().unwrap().clone();
        assert_eq!(asked.len(), 2, "{asked:?}");
        assert_eq!(asked[0].0, "", "{store}");
        assert!(asked[1].0.starts_with("bytes=") && !asked[1].0.starts_with("bytes=0-"), "{asked:?}");
        if is_s3 {
            assert!(
                asked.iter().all(|(_, etag)| etag.trim_matches('"') == object.version.as_deref().unwrap()),
                "{asked:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_etag_is_an_md5_only_if_the_encryption_allows_it() {
    let server = S3Server::start().await;
    server.put("cur/a.csv".to_owned(), b"0123456789".to_vec()).await;
    let (_, encrypted) = Front::before(&server.url, Does::Encrypt).await;
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let mut etags = Vec::new();
    for (url, is_md5) in [(&server.url, true), (&encrypted, false)] {
        let store = s3::store(url).await;
        let object: Object = listed(&store, "cur/a.csv").await;
        store.fetch(&object, &copy, &|_| {}).await.unwrap();
        assert_eq!(fs::read_to_string(&copy).unwrap(), "0123456789");
        // As if other bytes had arrived.
        let other = Object { checksum: Some("0".repeat(32)), ..object.clone() };
        match store.fetch(&other, &copy, &|_| {}).await {
            Err(error) if is_md5 => {
                assert_names(&error.full_message(), &["cur/a.csv differs from the listing"]);
                assert_eq!(error.next_step(), Some(hint::REPLACED_MEANWHILE));
            }
            fetched => assert!(fetched.is_ok() && !is_md5, "{fetched:?}"),
        }
        etags.push(object.version.unwrap());
    }
    assert_eq!(etags[0], opaque(&etags[1]));
    assert_eq!(etags[1].len(), 32);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_is_replaced_while_its_headers_are_read_is_planned_again_and_loaded_once() {
    let september = |id: &str, costs: &[&str]| Delivery::new("2025-09", id, costs).overwriting();
    let job = CloudJob::new(&[september("first", &["1"])]).await;
    let second = september("second", &["2", "3"]).files().into_iter();
    let second = second.map(|(key, bytes)| (format!("cur/{REPORT}/{key}"), bytes)).collect::<Vec<_>>().into();
    let (_, url) = Front::before(job.storage.url(), Does::Replace(Arc::new(second))).await;
    let report = job.finops.clone().with("STORAGE_EMULATOR_HOST", &url).report(0);
    assert_eq!(each(&report, "status"), ["loaded"], "{report:#}");
    assert_eq!(month(&report, "2025-09")["execution_id"], "second");
    assert_eq!(job.figures()["2025-09"], (2, "5".to_owned()));
    assert_eq!(load_jobs(&job.emulator).len(), 1, "of the first delivery nothing is loaded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_is_removed_while_its_headers_are_read_is_reported_as_failed() {
    let september = Delivery::new("2025-09", "first", &["1"]);
    let job = CloudJob::new(&[september.clone(), Delivery::new("2025-08", "first", &["2"])]).await;
    let gone = september.files().into_iter().map(|(key, _)| (format!("cur/{REPORT}/{key}"), Vec::new()));
    let gone = gone.collect::<Vec<_>>().into();
    let (_, url) = Front::before(job.storage.url(), Does::Replace(Arc::new(gone))).await;
    let report = job.finops.clone().with("STORAGE_EMULATOR_HOST", &url).report(1);
    assert_eq!(each(&report, "billing_period"), ["2025-09", "2025-08"], "{report:#}");
    assert_eq!(each(&report, "status"), ["failed", "loaded"], "{report:#}");
    assert_names(month(&report, "2025-09")["error"]["message"].as_str().unwrap(), &["was replaced or removed"]);
}

/// A server before the S3 server that answers as a bucket with SSE-KMS does.
pub async fn encrypting(s3: &str) -> String {
    Front::before(s3, Does::Encrypt).await.1
}

/// A server before the S3 server that has the objects with this in their key in an archive.
pub async fn archiving(s3: &str, part: &str) -> String {
    Front::before(s3, Does::Archive(part.to_owned())).await.1
}
