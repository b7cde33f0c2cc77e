//! A credential that is pasted into any setting is never printed.

use std::{collections::BTreeMap, fs, thread};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    flow::hostile::refusing,
    support::{
        jobs::LocalJob,
        program::{Finops, Outcome},
    },
};

const CANARY: &str = "CaNaRy";

/// URLs with a signature and with a password, at a server that refuses everything; the same without their scheme; and a
/// bucket with a key.
fn signed(server: &str) -> [String; 5] {
    let host = server.trim_start_matches("http://");
    [
        format!("{server}/billing?sv=2024-08-04&spr=https,http&sig={CANARY}%3D"),
        format!("http://user:{CANARY}@{host}"),
        format!("{host}/billing?sv=2024-08-04&spr=https,http&sig={CANARY}"),
        format!("user:{CANARY}@{host}"),
        format!("s3://AKIA:SE/{CANARY}@bucket/p"),
    ]
}

#[track_caller]
fn assert_hidden(outcome: &Outcome, setting: &str, value: &str, command: &[&str]) {
    let Outcome { stdout, stderr, .. } = outcome;
    assert!(!format!("{stdout}{stderr}").contains(CANARY), "{setting}={value} {command:?}\n{stdout}\n{stderr}");
}

/// Each setting with each URL that may be pasted there. A path may look like a user and a host.
fn pairs<'a>(names: &'a [String], server: &str) -> Vec<(&'a String, String)> {
    let of = |name: &'a String| {
        let ends = |ends: &[&str]| ends.iter().any(|end| name.to_ascii_lowercase().ends_with(end));
        let (is_path, is_host) = (ends(&["source", "path", "dir"]), ends(&["bucket", "host", "endpoint_url"]));
        let is_place = ends(&["source", "bucket"]);
        let [signature, password, signed_host, user, key] = signed(server);
        let others = [(is_path || is_host, signed_host), (is_host, user), (is_place, key)];
        let others = others.into_iter();
        let (fragment, account) = (format!("https://host/#{CANARY}"), format!("AccountName=a;AccountKey={CANARY}"));
        let key_file = format!("{{\"private_key\":\"{CANARY}\"}}");
        let others = others.chain([(is_place, fragment), (is_place, account), (ends(&["credentials_path"]), key_file)]);
        let others = others.filter(|(may, _)| *may).map(|(_, value)| value);
        [signature, password].into_iter().chain(others).map(move |value| (name, value))
    };
    names.iter().flat_map(of).collect()
}

/// Every setting that `finops config` shows, and those that the AWS client reads itself.
fn settings(finops: &Finops) -> Vec<String> {
    let shown: Value = serde_json::from_str(&finops.run(&["config", "--output", "json"]).stdout).unwrap();
    shown.as_array().unwrap().iter().map(|setting| setting["name"].as_str().unwrap().to_owned()).collect()
}

/// The job's settings, for both warehouses and both providers.
fn jobs(server: &str, local: &LocalJob) -> [Finops; 2] {
    let both = |finops: Finops| {
        finops
            .with("PIPELINE", "all")
            .with("AZURE_DATASET", "d")
            .with("AZURE_TABLE_NAME", "t")
            .with("RUST_LOG", "finops=trace")
    };
    let cloud = Finops::unconfigured()
        .with("GCP_PROJECT_ID", "p")
        .with("AWS_DATASET", "d")
        .with("AWS_TABLE_NAME", "a")
        .with("AWS_GCS_BUCKET", "b")
        .with("AZURE_GCS_BUCKET", "b")
        .with("STORAGE_EMULATOR_HOST", server)
        .with("BIGQUERY_EMULATOR_HOST", server);
    [both(cloud), both(local.finops.clone()).with("AZURE_SOURCE", local.source.to_str().unwrap())]
}

const JSON: [&str; 2] = ["--output", "json"];

#[test]
fn no_setting_of_the_job_is_shown_with_the_credentials_in_it() {
    let (server, local) = (refusing("no"), LocalJob::new(&[]));
    let commands: [&[&str]; 6] =
        [&["check"], &["run"], &["config"], &["config", JSON[0], JSON[1]], &["plan", JSON[0], JSON[1]], &["status"]];
    let [cloud, local_job] = jobs(&server, &local);
    // The shown settings do not depend on the warehouse.
    let jobs = [(cloud, &commands[..]), (local_job, &commands[..2])];
    let names = settings(&Finops::unconfigured());
    assert!(names.contains(&"AZURE_SOURCE".to_owned()) && names.len() > 20, "{names:?}");
    let s3 = local.finops.clone().with("AWS_SOURCE", "s3://b/p").with("AWS_ACCESS_KEY_ID", "AKIA");
    let s3 = s3.with("AWS_SECRET_ACCESS_KEY", CANARY).with("AWS_REGION", "us-east-1");
    for value in &signed(&server)[..2] {
        let command = ["check"];
        assert_hidden(&s3.clone().with("AWS_ENDPOINT_URL", value).run(&command), "AWS_ENDPOINT_URL", value, &command);
    }
    thread::scope(|scope| {
        for (job, commands) in &jobs {
            scope.spawn(|| {
                for (name, value) in pairs(&names, &server) {
                    // A location is shown in one of two forms.
                    let instead = name.strip_suffix("_SOURCE").map(|of| format!("{of}_GCS_BUCKET"));
                    let job = instead.into_iter().fold(job.clone(), |job, instead| job.without(&instead));
                    let job = job.with(name, &value);
                    for command in *commands {
                        assert_hidden(&job.run(command), name, &value, command);
                    }
                }
            });
        }
    });
}

#[test]
fn no_setting_of_the_staged_pipeline_is_shown_with_the_credentials_in_it() {
    let (server, folder) = (refusing("no"), TempDir::new().unwrap());
    let finops = Finops::unconfigured()
        .within(folder.path())
        .with("RUST_LOG", "finops=trace")
        .with("STORAGE_EMULATOR_HOST", &server)
        .with("BIGQUERY_EMULATOR_HOST", &server)
        .with("AWS_MAX_ATTEMPTS", "1");
    let config = |name: &str, value: &str| {
        let mut values = BTreeMap::from([
            ("aws.bucket", "b"),
            ("aws.region", "us-east-1"),
            ("aws.endpoint_url", &server),
            ("aws.aws_access_key_id", "AKIA"),
            ("aws.aws_secret_access_key", CANARY),
            ("aws.aws_session_token", CANARY),
            ("azure.source", "exports"),
            ("database.bigquery.project_id", "p"),
            ("database.bigquery.dataset_id", "d"),
        ]);
        if !name.is_empty() {
            values.insert(name, value);
        }
        let lines = values.iter().map(|(name, value)| format!("{name} = {value:?}\n"));
        fs::write(folder.path().join("config.toml"), lines.collect::<String>()).unwrap();
    };
    config("", "");
    let names: Vec<String> = settings(&finops).into_iter().filter(|name| !name.contains(char::is_uppercase)).collect();
    assert_eq!(names.len(), 36, "{names:?}");
    let steps =
        ["discover-manifests", "extract-billing", "load-billing-local", "export-parquet", "load-billing-remote"];
    for (name, value) in pairs(&names, &server) {
        config(name, &value);
        let command = ["config"];
        assert_hidden(&finops.run(&command), name, &value, &command);
        let of = name.split('.').next().filter(|of| ["aws", "azure"].contains(of));
        let provider = of.unwrap_or("aws");
        // The settings of a provider are for the first steps, except its table.
        for step in of.filter(|_| !name.ends_with("table_id")).map_or(&steps[..], |_| &steps[..2]) {
            let command = [provider, step, JSON[0], JSON[1]];
            assert_hidden(&finops.run(&command), name, &value, &command);
        }
    }
    config("", "");
    for value in &signed(&server)[..3] {
        for flags in [
            &["aws", "discover-manifests", "--bucket", value][..],
            &["azure", "discover-manifests", "--bucket", value],
            &["aws", "discover-manifests", "--prefix", value, "--export-name", value],
            &["aws", "extract-billing", "--staging-dir", value],
            &["aws", "export-parquet", "--output-dir", value],
            &["aws", "load-billing-local", "--start-date", value],
            &["config", "--config", value],
            &["run", value],
            &["run", "aws", "--end-date", value],
            &["run", "aws", value],
            &["run", "--output", value],
        ] {
            assert_hidden(&finops.run(flags), "flag", value, flags);
        }
    }
}
