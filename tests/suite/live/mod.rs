//! What finops believes of BigQuery and Cloud Storage, asked there.
//!
//! A month is staged and then swapped in by a copy or a query: [`staging`], [`copies`], [`kept`], [`keys`]. The other questions
//! are about values, jobs and the program as a whole.
//!
//! `make test-live` asks the real services. In the ordinary suite the emulator and a storage server answer, which shows
//! that the questions are right.

mod answer;
mod copies;
mod csv;
mod jobs;
mod kept;
mod keys;
mod pair;
mod parquet;
mod pipeline;
mod place;
mod scratch;
mod staging;
mod tables;

use std::{collections::BTreeSet, fs, path::Path};

use bigquery_emulator::{Emulator, Fault, FaultKind, Options, When};
use futures::{StreamExt, stream};
use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;

use self::{
    answer::{Answer, Asking, table},
    place::Place,
};
use crate::support::{
    program::{BUCKET, assert_names},
    require,
    servers::{PROJECT, StorageServer, bigquery},
};

/// Questions that are asked at the same time.
const AT_ONCE: usize = 8;

/// Asks all questions, and removes what was created for them. Also returns what could not be removed.
async fn ask(place: &Place) -> (Vec<Answer>, Vec<String>) {
    let set_up = place.set_up().await;
    let mut answers = Vec::new();
    if set_up.is_ok() {
        let of_bigquery = [
            csv::questions,
            parquet::questions,
            tables::questions,
            jobs::questions,
            copies::questions,
            kept::questions,
            keys::questions,
            staging::questions,
        ];
        let askings = of_bigquery.into_iter().flat_map(|questions| questions(place));
        answers = stream::iter(askings).map(Asking::answer).buffered(AT_ONCE).collect().await;
        answers.sort_by_key(|answer| number(answer.question.id));
        for asking in pipeline::questions(place) {
            answers.push(asking.answer().await);
        }
    }
    let left = place.clean_up().await;
    if let Err(why) = set_up {
        panic!("nothing was asked: {why}\nnot removed: {left:?}");
    }
    (answers, left)
}

/// `1a` before `2`, and `2` before `10`.
fn number(id: &str) -> (usize, String) {
    let digits: String = id.chars().take_while(char::is_ascii_digit).collect();
    (digits.parse().unwrap_or(usize::MAX), id.to_owned())
}

/// A bucket without objects.
fn empty_bucket() -> (TempDir, StorageServer) {
    let seed = TempDir::new().unwrap();
    fs::create_dir(seed.path().join(BUCKET)).unwrap();
    let storage = StorageServer::start(seed.path());
    (seed, storage)
}

/// The lists of rules in `emulator/SEMANTICS.md`: those that are there, and those that the live suite is said to ask about.
fn semantics() -> (BTreeSet<String>, BTreeSet<String>) {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("emulator/SEMANTICS.md")).unwrap();
    let rules = text.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" |")).map(|(id, _)| id.to_owned());
    let (_, asked) = text.split_once("It asks about").unwrap();
    let (asked, _) = asked.split_once('.').unwrap();
    (rules.collect(), asked.split([',', '\n']).map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_emulator_answers_every_question_as_its_semantics_say() {
    let (_seed, storage) = empty_bucket();
    let emulator = bigquery(&storage).await;
    let place = Place::local(&storage, &emulator);
    let (answers, left) = ask(&place).await;
    insta::assert_snapshot!("answers_of_the_emulator", table(&answers, false));
    assert_eq!(left, Vec::<String>::new());
    for answer in &answers {
        let (id, seen) = (answer.question.id, answer.seen());
        assert!(seen == "held" || seen.contains(" 501 notImplemented"), "{id}: {seen}");
    }
    let (rules, said) = semantics();
    let asked = answers.iter().map(|answer| answer.question.rule.to_owned()).filter(|rule| !rule.is_empty()).collect();
    assert_eq!(said, asked, "emulator/SEMANTICS.md names the rules that are asked about");
    assert!(asked.is_subset(&rules), "{:?}", asked.difference(&rules));

    let tables = format!("FROM duckdb_tables() WHERE schema_name LIKE '{PROJECT}:{}%'", place.dataset);
    assert_eq!(emulator.query(&tables).unwrap().len(), 0);
    assert_eq!(place.objects().await.unwrap_or_else(|why| panic!("{why}")), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_otherwise_is_seen() {
    let (_seed, storage) = empty_bucket();
    let storage_url = Some(storage.url().to_owned());
    let options = Options {
        project: PROJECT.to_owned(),
        storage: storage_url,
        // This question needs a service that exists already.
        hide_new_datasets: false,
        ..Options::alternative()
    };
    let emulator = Emulator::start(options).await.unwrap();
    let place = Place::local(&storage, &emulator);
    place.set_up().await.unwrap_or_else(|why| panic!("{why}"));
    let mut seen = Vec::new();
    for asking in csv::questions(&place) {
        let answer = asking.answer().await;
        if answer.outcome.is_err() {
            seen.push(format!("{} {}", answer.question.id, answer.seen()));
            assert!(!answer.is_wrong(), "{seen:?}");
        }
    }
    let [subset, exponent, empty] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!(subset, "1a differs: taken");
    assert_names(exponent, &["2a differs: refused, invalid"]);
    assert_eq!(empty, "6a differs: it is an empty string");
}

#[tokio::test(flavor = "multi_thread")]
async fn swaps_that_end_in_another_way_are_seen_and_finops_relies_on_none_of_them() {
    let (_seed, storage) = empty_bucket();
    let options = Options {
        project: PROJECT.to_owned(),
        storage: Some(storage.url().to_owned()),
        truncates_keep_annotations: true,
        refused_copies_free_their_id: true,
        ..Options::default()
    };
    let emulator = Emulator::start(options).await.unwrap();
    let mut place = Place::local(&storage, &emulator);
    (place.kms_key, place.policy_tag) = (None, None);
    place.set_up().await.unwrap_or_else(|why| panic!("{why}"));
    let mut seen = Vec::new();
    for asking in [copies::questions, kept::questions, keys::questions].into_iter().flat_map(|of| of(&place)) {
        let answer = asking.answer().await;
        if answer.outcome.is_err() {
            seen.push(format!("{} {}", answer.question.id, answer.seen()));
            assert!(!answer.is_wrong(), "{seen:?}");
        }
    }
    let (key, tag) = ("not asked: FINOPS_LIVE_KMS_KEY is not set", "not asked: FINOPS_LIVE_POLICY_TAG is not set");
    assert_eq!(
        seen,
        [
            "30a differs: its id is free".to_owned(),
            "30b differs: its id is free".to_owned(),
            "31c differs: found Some(\"Money.\"), believed None".to_owned(),
            "31d differs: found Some(\"Money.\"), believed None".to_owned(),
            format!("31e {tag}"),
            "31f differs: found [\"finops_live\"], believed []".to_owned(),
            format!("33d {tag}"),
            format!("34a {key}"),
            format!("34b {key}"),
            format!("34c {key}"),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_cannot_be_asked_is_not_answered_and_what_cannot_be_removed_is_named() {
    let (_seed, storage) = empty_bucket();
    let emulator = bigquery(&storage).await;
    let place = Place::local(&storage, &emulator);
    place.set_up().await.unwrap_or_else(|why| panic!("{why}"));
    let refuse = |method: &str, path: &str| {
        let kind = FaultKind::Status(403, "accessDenied".to_owned());
        let (method, path_contains, when) = (method.to_owned(), path.to_owned(), When::BeforeEffect);
        emulator.add_fault(Fault { method, path_contains, after: 0, times: usize::MAX, kind, when });
    };
    refuse("POST", "/jobs");
    refuse("DELETE", &place.dataset);
    for asking in tables::questions(&place) {
        let answer = asking.answer().await;
        assert_names(&answer.seen(), &["not answered: ", "inserting a job: 403 accessDenied"]);
        assert_eq!(answer.is_wrong(), ["3b", "21"].contains(&answer.question.id));
    }
    let left = place.clean_up().await;
    assert_eq!(left.len(), 2, "{left:?}");
    assert_names(&left[0], &["dataset", &place.dataset, "403"]);
    assert_names(&left[1], &["dataset", &place.other_dataset, "403"]);
    assert_eq!(place.objects().await.unwrap_or_else(|why| panic!("{why}")), Vec::<String>::new());
    let found = place.call(Method::GET, &["datasets", &place.dataset], &Value::Null).await;
    assert_eq!(found.unwrap_or_else(|why| panic!("{why}")).status, 200);
}

/// Run by `make test-live`, which needs it under this name.
#[tokio::test(flavor = "multi_thread")]
async fn the_real_services_do_as_finops_believes() {
    let Some(live) = require::live() else { return };
    let place = Place::real(&live);
    println!(
        "datasets {}.{} and {}, objects gs://{}/{}",
        place.project, place.dataset, place.other_dataset, place.bucket, place.prefix
    );
    let (answers, left) = ask(&place).await;
    println!("{}", table(&answers, true));
    let markdown = Path::new(env!("CARGO_TARGET_TMPDIR")).join("live.md");
    fs::write(&markdown, format!("{}\n", table(&answers, false))).unwrap();
    println!("the same for documents: {}", markdown.display());
    let confirmed = answers.iter().filter(|answer| answer.outcome.is_ok()).count();
    let asked = answers.iter().filter(|answer| answer.is_asked()).count();
    println!("{confirmed} of {asked} held, {} not asked", answers.len() - asked);
    for what in &left {
        println!("not removed: {what}");
    }
    let wrong: Vec<String> = answers
        .iter()
        .filter(|answer| answer.is_wrong())
        .map(|answer| format!("{}: {}", answer.question.id, answer.seen()))
        .collect();
    assert!(wrong.is_empty(), "finops relies on what was not seen to hold:\n{}", wrong.join("\n"));
    assert!(left.is_empty(), "what is named above was not removed");
}
