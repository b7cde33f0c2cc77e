//! Programs that not every machine has, and tests that are skipped without them.
//!
//! `FINOPS_REQUIRE` lists the required ones, with commas: a test that would be skipped for one of them fails.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// What a test may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// BigQuery's own command-line client, of the Cloud SDK.
    Bq,
    /// The Cloud SDK's `gcloud storage`.
    Gcloud,
    /// BigQuery's discovery document, which is part of the Cloud SDK.
    Discovery,
    /// Google's Python client for BigQuery, and pyarrow beside it.
    PythonBigquery,
    /// A Python to install the wheel into.
    Python311,
    /// The same.
    Python313,
    /// A project and a bucket of the real services.
    Live,
}

const TOOLS: [(&str, Tool); 7] = [
    ("bq", Tool::Bq),
    ("gcloud", Tool::Gcloud),
    ("discovery", Tool::Discovery),
    ("python-bigquery", Tool::PythonBigquery),
    ("python3.11", Tool::Python311),
    ("python3.13", Tool::Python313),
    ("live", Tool::Live),
];

/// The tools of a list such as `bq,gcloud`.
fn parse(list: &str) -> Result<Vec<Tool>, String> {
    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    let tool = |name| TOOLS.iter().find(|(known, _)| *known == name).map(|(_, tool)| *tool);
    names.map(|name| tool(name).ok_or_else(|| format!("FINOPS_REQUIRE: there is no `{name}`"))).collect()
}

/// Prints that a test is skipped, and why. Fails the test where `FINOPS_REQUIRE` has the tool.
#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
pub fn skip(tool: Tool, why: &str) {
    let required = parse(&env::var("FINOPS_REQUIRE").unwrap_or_default()).unwrap();
    assert!(!required.contains(&tool), "FINOPS_REQUIRE has {tool:?}, and {why}");
    eprintln!("skipped: {why}");
}

/// A program of `PATH`.
pub fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// A program of the Cloud SDK, with a configuration of its own in `folder`; without it the test is skipped.
pub fn cloud_sdk(program: &str, tool: Tool, folder: &Path) -> Option<Command> {
    if on_path(program).is_none() {
        skip(tool, &format!("`{program}` of the Cloud SDK is not on the PATH"));
        return None;
    }
    let mut command = Command::new(program);
    command.env_clear().env("PATH", env::var_os("PATH")?).env("HOME", folder).env("CLOUDSDK_CONFIG", folder);
    // Otherwise they wait for the metadata server.
    command.env("CLOUDSDK_CORE_CHECK_GCE_METADATA", "false");
    command.env("CLOUDSDK_CORE_DISABLE_PROMPTS", "1").env("CLOUDSDK_CORE_DISABLE_USAGE_REPORTING", "true");
    Some(command)
}

/// Runs a program, which must succeed. Returns what it printed. The runtime must have several threads.
#[track_caller]
pub fn output(command: &mut Command) -> String {
    let output = tokio::task::block_in_place(|| command.output()).unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", output.status);
    stdout
}

/// The Python of `scripts/python-requirements.txt`; without it the test is skipped.
pub fn python() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/python/bin/python");
    if python.exists() {
        return Some(python);
    }
    skip(Tool::PythonBigquery, &format!("there is no {}: run `make servers`", python.display()));
    None
}

/// The real services of the live suite.
pub struct Live {
    pub project: String,
    pub bucket: String,
    /// Of the dataset. A dataset there must be able to load from the bucket.
    pub location: String,
    /// The full name of a key of Cloud KMS.
    pub kms_key: Option<String>,
    /// The full name of a policy tag.
    pub policy_tag: Option<String>,
}

/// What `make test-live` names; without it the test is skipped.
pub fn live() -> Option<Live> {
    let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
    match (set("FINOPS_LIVE_PROJECT"), set("FINOPS_LIVE_BUCKET")) {
        (Some(project), Some(bucket)) => {
            let location = set("FINOPS_LIVE_LOCATION").unwrap_or_else(|| "US".to_owned());
            let [kms_key, policy_tag] = ["FINOPS_LIVE_KMS_KEY", "FINOPS_LIVE_POLICY_TAG"].map(set);
            Some(Live { project, bucket, location, kms_key, policy_tag })
        }
        (None, None) => {
            skip(Tool::Live, "no real services are named: run `make test-live PROJECT=... BUCKET=...`");
            None
        }
        _ => panic!("set FINOPS_LIVE_PROJECT and FINOPS_LIVE_BUCKET, or neither"),
    }
}

#[test]
fn finops_require_accepts_only_known_names() {
    assert_eq!(parse("bq, python-bigquery,"), Ok(vec![Tool::Bq, Tool::PythonBigquery]));
    assert!(parse("bq,gclout").unwrap_err().contains("`gclout`"));
    let set = env::var("FINOPS_REQUIRE").unwrap_or_default();
    assert!(parse(&set).is_ok(), "{set}");
}
