//! Buckets and folders, as the flow lists and reads them.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    thread,
};

use finops::{
    error::ErrorKind,
    storage::{Gcs, Local, Object, ReadRange, Store},
};
use finops_core::hint;
use jiff::Timestamp;
use tempfile::TempDir;

use crate::support::servers::StorageServer;

/// Names with characters that mean something else in a URL, a query or a shell.
const ODD_NAMES: [&str; 7] = [
    "with space.csv",
    "100%.csv",
    "a%2Fb.csv",
    "1+1=2.csv",
    "2025-04-11T16:16:37.516Z.csv",
    "größe-№.csv",
    "question?&mark#.csv",
];

/// A server whose bucket `billing` has the files, and the folder that they were read from.
pub fn seeded(files: &[(&str, &str)]) -> (StorageServer, TempDir) {
    let seed = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = seed.path().join("billing").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    (StorageServer::start(seed.path()), seed)
}

pub async fn bucket(server: &StorageServer, name: &str) -> Store {
    Store::Gcs(Box::new(Gcs::connect(name, Some(server.url())).await.unwrap()))
}

pub fn folder(path: &Path) -> Store {
    Store::Local(Local::new(path))
}

/// The object in the listing.
pub async fn listed(store: &Store, key: &str) -> Object {
    let (folder, name) = key.rsplit_once('/').unwrap_or(("", key));
    let found = store.list(folder, name).await.unwrap();
    found.into_iter().find(|object| object.key == key).unwrap_or_else(|| panic!("{key} is not in {store}"))
}

/// An object that was never listed.
fn unlisted(key: &str, bytes: u64) -> Object {
    Object { key: key.to_owned(), bytes, updated: Timestamp::UNIX_EPOCH, checksum: None, version: None }
}

fn keys(mut objects: Vec<Object>) -> Vec<String> {
    objects.sort_by(|a, b| a.key.cmp(&b.key));
    objects.into_iter().map(|object| object.key).collect()
}

#[tokio::test]
async fn a_listing_of_more_than_a_thousand_objects_is_complete() {
    let seed = tempfile::tempdir().unwrap();
    let folder = seed.path().join("billing/cur/report/20250901-20251001");
    fs::create_dir_all(&folder).unwrap();
    let names: Vec<String> = (0..2_345).map(|number| format!("report-{number:05}.csv.gz")).collect();
    for name in &names {
        fs::write(folder.join(name), name).unwrap();
    }
    let server = StorageServer::start(seed.path());

    let listed = bucket(&server, "billing").await.list("cur/report/20250901-20251001", "*.csv.gz").await.unwrap();

    let expected: Vec<String> = names.iter().map(|name| format!("cur/report/20250901-20251001/{name}")).collect();
    assert_eq!(keys(listed), expected);
}

#[tokio::test]
async fn a_missing_bucket_is_named() {
    let (server, _seed) = seeded(&[("a.csv", "x")]);
    let error = bucket(&server, "biling").await.list("", "*.csv").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.full_message().contains("gs://biling/"), "{}", error.full_message());
    assert!(error.next_step().unwrap().contains(&hint::check_bucket("biling")), "{:?}", error.next_step());
}

#[tokio::test]
async fn a_missing_object_is_named() {
    let (server, _seed) = seeded(&[("a.csv", "x")]);
    let store = bucket(&server, "billing").await;
    let error = store.read(&unlisted("cur/b.csv", 10), ReadRange::First(10)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{store}");
    assert!(error.full_message().contains(&store.uri("cur/b.csv")), "{}", error.full_message());
}

#[tokio::test]
async fn a_missing_folder_is_empty() {
    let (server, seed) = seeded(&[("a.csv", "x")]);
    for store in [bucket(&server, "billing").await, folder(&seed.path().join("billing"))] {
        assert_eq!(store.list("nowhere", "*").await.unwrap(), [], "{store}");
    }
}

#[tokio::test]
async fn the_first_and_last_bytes_have_the_requested_length_or_that_of_the_object() {
    let (server, seed) = seeded(&[("cur/a.csv", "0123456789"), ("cur/empty.csv", "")]);
    for store in [bucket(&server, "billing").await, folder(&seed.path().join("billing"))] {
        let (object, empty) = (listed(&store, "cur/a.csv").await, listed(&store, "cur/empty.csv").await);
        assert_eq!(store.read(&object, ReadRange::First(4)).await.unwrap(), "0123", "{store}");
        assert_eq!(store.read(&object, ReadRange::First(10)).await.unwrap(), "0123456789", "{store}");
        assert_eq!(store.read(&object, ReadRange::First(4096)).await.unwrap(), "0123456789", "{store}");
        assert_eq!(store.read(&object, ReadRange::Last(4)).await.unwrap(), "6789", "{store}");
        assert_eq!(store.read(&object, ReadRange::Last(4096)).await.unwrap(), "0123456789", "{store}");
        assert_eq!(store.read(&empty, ReadRange::First(10)).await.unwrap(), "", "{store}");
        assert_eq!(store.read(&empty, ReadRange::Last(10)).await.unwrap(), "", "{store}");
    }
}

#[tokio::test]
async fn names_with_special_characters_are_listed_and_read_unchanged() {
    let seed = tempfile::tempdir().unwrap();
    let local = seed.path().join("billing/cur");
    fs::create_dir_all(&local).unwrap();
    let server = StorageServer::start(seed.path());
    let mut expected = Vec::new();
    for name in ODD_NAMES {
        fs::write(local.join(name), name).unwrap();
        server.put("billing", &format!("cur/{name}"), name).await;
        expected.push(format!("cur/{name}"));
    }
    expected.sort();

    for store in [bucket(&server, "billing").await, folder(&seed.path().join("billing"))] {
        assert_eq!(keys(store.list("cur", "*.csv").await.unwrap()), expected, "{store}");
        for key in &expected {
            let copy = seed.path().join("copy");
            // A name with `?` would be a pattern.
            let object = store.list("cur", "*").await.unwrap().into_iter().find(|object| object.key == *key).unwrap();
            store.fetch(&object, &copy, &|_| {}).await.unwrap();
            assert_eq!(format!("cur/{}", fs::read_to_string(&copy).unwrap()), *key);
            assert_eq!(
                format!("cur/{}", String::from_utf8_lossy(&store.read(&object, ReadRange::First(1000)).await.unwrap())),
                *key
            );
        }
    }
}

#[tokio::test]
async fn a_local_file_has_the_checksum_that_its_bucket_lists() {
    let (server, seed) = seeded(&[("cur/a.csv", "identity/LineItemId\n1\n"), ("cur/b.csv", "another")]);
    let (bucket, folder) = (bucket(&server, "billing").await, folder(&seed.path().join("billing")));
    for object in bucket.list("cur", "*.csv").await.unwrap() {
        let listed = object.checksum.clone().unwrap();
        let unlisted = Object { checksum: None, ..object };
        let local = super::stores::listed(&folder, &unlisted.key).await;
        assert_eq!(folder.checksum(&local).await.unwrap(), listed, "{}", unlisted.key);
        assert_eq!(bucket.checksum(&unlisted).await.unwrap(), listed, "{}", unlisted.key);
    }
}

/// Answers each connection with `answer`, then sends nothing more.
fn silent_after(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut open = Vec::new();
        for mut connection in listener.incoming().flatten() {
            let _ = connection.read(&mut [0; 4096]);
            let _ = connection.write_all(answer.as_bytes());
            open.push(connection);
        }
    });
    url
}

// Paused time advances as soon as all tasks wait: time-outs end at once.
#[tokio::test(start_paused = true)]
async fn a_server_that_stops_answering_fails() {
    let begun = "HTTP/1.1 206 Partial Content\r\nContent-Length: 100\r\nContent-Range: bytes 0-99/100\r\n\
                 x-goog-generation: 1\r\n\r\nbegun";
    for answer in ["", begun] {
        let url = silent_after(answer);
        let store = Store::Gcs(Box::new(Gcs::connect("billing", Some(&url)).await.unwrap()));
        let error = store.read(&unlisted("cur/manifest.json", 1_000), ReadRange::First(100)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Storage);
        assert!(error.full_message().contains("gs://billing/cur/manifest.json"), "{}", error.full_message());
    }
}
