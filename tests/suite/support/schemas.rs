//! docs/schema: what `--output json` prints, as JSON Schema. All JSON that the tests see is compared with it.

use std::{collections::BTreeMap, fs, path::Path, sync::LazyLock};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

const REPORTS: [&str; 6] = ["run", "status", "check", "config", "months", "error"];

static VALIDATORS: LazyLock<BTreeMap<&str, Validator>> =
    LazyLock::new(|| REPORTS.into_iter().map(|report| (report, validator(report))).collect());

/// Panics if a command with these arguments prints other JSON than its schema describes.
#[track_caller]
pub fn assert_described(arguments: &[&str], stdout: &str) {
    if stdout.is_empty() || !arguments.ends_with(&["--output", "json"]) {
        return;
    }
    let value: Value = serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"));
    let report = if value.get("error").is_some() { "error" } else { report_of(arguments) };
    let errors: Vec<String> =
        VALIDATORS[report].iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "docs/schema/{report}.json does not describe what {arguments:?} prints:\n{errors:#?}");
}

fn report_of(arguments: &[&str]) -> &'static str {
    let has = |word: &str| arguments.contains(&word);
    if has("discover-manifests") || has("run-pipeline") && has("--dry-run") {
        return "months";
    }
    ["status", "check", "config"].into_iter().find(|command| has(command)).unwrap_or("run")
}

/// The schema of a report, which allows no keys but those that it names: the documented one allows more, because later versions
/// may add keys.
fn validator(report: &str) -> Validator {
    jsonschema::validator_for(&strict(&read(report), &read("common")["$defs"])).unwrap()
}

fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema").join(format!("{name}.json"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Puts the common definitions in place of their references, and forbids further keys.
fn strict(schema: &Value, common: &Value) -> Value {
    match schema {
        Value::Array(parts) => parts.iter().map(|part| strict(part, common)).collect(),
        Value::Object(parts) => {
            let mut all: Map<String, Value> =
                parts.iter().map(|(key, part)| (key.clone(), strict(part, common))).collect();
            let reference =
                parts.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix("common.json#/$defs/"));
            if let Some(name) = reference {
                all.remove("$ref");
                all.insert("allOf".to_owned(), json!([strict(&common[name], common)]));
            }
            if parts.get("properties").is_some_and(Value::is_object) && parts.get("type") == Some(&json!("object")) {
                all.entry("additionalProperties").or_insert(json!(false));
            }
            Value::Object(all)
        }
        _ => schema.clone(),
    }
}

#[test]
fn a_key_that_is_not_documented_is_found() {
    let known = r#"{"checks": [{"check": "clock", "object": "x", "status": "ok", "found": "y", "hint": null}]}"#;
    assert_described(&["check", "--output", "json"], known);
    for (from, to) in [("\"ok\"", "\"fine\""), ("\"hint\"", "\"fix\""), ("null", "null, \"new\": 1"), ("null", "1")] {
        let changed = known.replace(from, to);
        assert!(!VALIDATORS["check"].is_valid(&serde_json::from_str(&changed).unwrap()), "{changed}");
    }
}
