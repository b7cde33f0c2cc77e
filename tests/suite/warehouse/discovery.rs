//! Compares requests with BigQuery's discovery document, which the Cloud SDK installs.
//!
//! Every emulator of this suite checks what it was sent when it is dropped, see [`crate::support::servers::bigquery`].

use std::{
    collections::BTreeMap,
    fs,
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    sync::LazyLock,
};

use bigquery_emulator::LoggedRequest;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{
    require::{self, Tool},
    servers::{self, PROJECT, StorageServer},
};

/// A file of the Cloud SDK, below its root.
const DOCUMENT: &str = "platform/bq/discovery_next/bigquery.json";
/// Query parameters that are not checked, by method: google-cloud-bigquery for Python sends them in another form than the
/// document says, and BigQuery accepts it. finops sends none of them.
const DEVIATIONS: [(&str, &str); 2] = [
    // As for lists of jobs, where it is documented.
    ("bigquery.jobs.get", "projection"),
    // As Python's `True`.
    ("bigquery.tabledata.list", "formatOptions.useInt64Timestamp"),
];
/// The document, where the Cloud SDK is installed.
static INSTALLED: LazyLock<Option<Document>> = LazyLock::new(|| {
    let bytes = fs::read(path()?).unwrap();
    Some(serde_json::from_slice(&bytes).unwrap())
});

/// Where the Cloud SDK has the document.
pub fn path() -> Option<PathBuf> {
    ["bq", "gcloud"].iter().find_map(|program| {
        let program = fs::canonicalize(require::on_path(program)?).ok()?;
        let document = program.parent()?.parent()?.join(DOCUMENT);
        document.exists().then_some(document)
    })
}

/// Panics if BigQuery does not know a request. Without the document it checks nothing.
pub fn check(requests: &[LoggedRequest]) {
    let Some(document) = &*INSTALLED else { return };
    let wrong: Vec<String> = requests.iter().filter_map(|request| document.check(request).err()).collect();
    assert!(wrong.is_empty(), "requests that BigQuery's discovery document does not know:\n{}", wrong.join("\n"));
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    service_path: String,
    parameters: BTreeMap<String, Schema>,
    resources: BTreeMap<String, Resource>,
    schemas: BTreeMap<String, Schema>,
}

#[derive(Deserialize)]
struct Resource {
    methods: BTreeMap<String, Method>,
}

#[derive(Deserialize)]
struct Method {
    id: String,
    #[serde(rename = "httpMethod")]
    verb: String,
    path: String,
    #[serde(default)]
    parameters: BTreeMap<String, Schema>,
    request: Option<Schema>,
    #[serde(rename = "mediaUpload")]
    upload: Option<Upload>,
}

/// How a method takes data.
#[derive(Deserialize)]
struct Upload {
    protocols: BTreeMap<String, Protocol>,
}

#[derive(Deserialize)]
struct Protocol {
    path: String,
}

impl Method {
    /// Whether its path is that of a request. One parameter, `{+resource}`, is of several parts.
    fn is_at(&self, segments: &[String]) -> bool {
        let Some(verb) = self.path.strip_prefix("{+resource}") else { return matches(&self.path, segments) };
        let pattern = self.parameters["resource"].pattern.trim_matches(['^', '$']);
        matches(&format!("{}{verb}", pattern.replace("[^/]+", "{part}")), segments)
    }

    fn takes_data(&self, service_path: &str) -> bool {
        let path = format!("/upload/{service_path}{}", self.path);
        self.upload.iter().flat_map(|upload| upload.protocols.values()).any(|protocol| protocol.path == path)
    }
}

/// A value's form: of a body, of a part of it, or of a parameter.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Schema {
    #[serde(rename = "$ref")]
    reference: Option<String>,
    r#type: String,
    format: String,
    r#enum: Vec<String>,
    items: Option<Box<Schema>>,
    properties: BTreeMap<String, Schema>,
    additional_properties: Option<Box<Schema>>,
    read_only: bool,
    location: String,
    pattern: String,
    required: bool,
}

impl Document {
    fn check(&self, request: &LoggedRequest) -> Result<(), String> {
        let LoggedRequest { method, path, query, body, .. } = request;
        let unknown = || format!("{method} {path}: no method has this path");
        let below_upload = path.strip_prefix("/upload").filter(|rest| rest.starts_with('/'));
        let segments = segments(below_upload.unwrap_or(path), &self.service_path);
        let segments = segments.map_err(|why| format!("{method} {path}: {why}"))?;
        // The document says nothing about the URL that takes the data.
        let is_session = below_upload.is_some() && method == "PUT" && query.contains_key("upload_id");
        let verb = if is_session { "POST" } else { method.as_str() };
        let mut methods = self.resources.values().flat_map(|resource| resource.methods.values());
        let called = methods.find(|known| {
            let is_there = below_upload.is_none() || known.takes_data(&self.service_path);
            known.verb == verb && known.is_at(&segments) && is_there
        });
        let called = called.ok_or_else(unknown)?;
        if is_session {
            return Ok(());
        }
        let wrong = |why: String| format!("{method} {path} ({}): {why}", called.id);
        let checked = |name: &str| !DEVIATIONS.contains(&(&called.id, name));
        for (name, value) in query.iter().filter(|(name, _)| checked(name)) {
            let known = called.parameters.get(name).filter(|known| known.location == "query");
            let schema = known.or_else(|| self.parameters.get(name));
            let schema = schema.ok_or_else(|| wrong(format!("it has no query parameter `{name}`")))?;
            schema.check_text(value).map_err(|why| wrong(format!("query parameter `{name}`: {why}")))?;
        }
        let mut needed = called.parameters.iter().filter(|(_, schema)| schema.required && schema.location == "query");
        if let Some((name, _)) = needed.find(|(name, _)| !query.contains_key(*name)) {
            return Err(wrong(format!("it needs the query parameter `{name}`")));
        }
        match &called.request {
            Some(schema) => self.check_value(schema, body, "body").map_err(wrong),
            None if body.is_null() => Ok(()),
            None => Err(wrong("it has a body".to_owned())),
        }
    }

    /// `at` is where the value is, such as `body.labels`.
    fn check_value(&self, schema: &Schema, value: &Value, at: &str) -> Result<(), String> {
        if let Some(name) = &schema.reference {
            return self.check_value(&self.schemas[name], value, at);
        }
        let wrong = |expected: &str| Err(format!("{at}: {expected} expected, {value} found"));
        match (schema.r#type.as_str(), value) {
            ("object", Value::Object(object)) => object.iter().try_for_each(|(name, value)| {
                let at = format!("{at}.{name}");
                let known = schema.properties.get(name).or(schema.additional_properties.as_deref());
                let known = known.ok_or_else(|| format!("{at}: not a known property"))?;
                if known.read_only {
                    return Err(format!("{at}: only the service sets it"));
                }
                // In JSON of Google's APIs null is the same as leaving the property out, or in a patch clears it.
                if value.is_null() { Ok(()) } else { self.check_value(known, value, &at) }
            }),
            ("array", Value::Array(items)) => {
                let of = schema.items.as_ref().ok_or_else(|| format!("{at}: the document does not say of what"))?;
                items.iter().enumerate().try_for_each(|(i, item)| self.check_value(of, item, &format!("{at}[{i}]")))
            }
            ("string", Value::String(text)) => schema.check_text(text).map_err(|why| format!("{at}: {why}")),
            ("any", _) | ("boolean", Value::Bool(_)) | ("number", Value::Number(_)) => Ok(()),
            ("integer", Value::Number(number)) => {
                schema.check_text(&number.to_string()).map_err(|why| format!("{at}: {why}"))
            }
            (expected, _) => wrong(expected),
        }
    }
}

impl Schema {
    /// A query parameter's value, or a text or a whole number in a body.
    fn check_text(&self, text: &str) -> Result<(), String> {
        let legal = match (self.r#type.as_str(), self.format.as_str()) {
            ("boolean", _) => matches!(text, "true" | "false"),
            (_, "int32") => text.parse::<i32>().is_ok(),
            (_, "uint32") => text.parse::<u32>().is_ok(),
            (_, "int64") => text.parse::<i64>().is_ok(),
            (_, "uint64") => text.parse::<u64>().is_ok(),
            _ => self.r#enum.is_empty() || self.r#enum.iter().any(|known| known == text),
        };
        let expected = if self.r#enum.is_empty() { &self.format } else { &self.r#enum.join(", ") };
        if legal { Ok(()) } else { Err(format!("{} ({expected}) expected, `{text}` found", self.r#type)) }
    }
}

/// The path's parts below the service's own, decoded.
fn segments(path: &str, service_path: &str) -> Result<Vec<String>, String> {
    let below = path.strip_prefix('/').and_then(|path| path.strip_prefix(service_path));
    below.ok_or_else(|| format!("it is not below /{service_path}"))?.split('/').map(decode).collect()
}

/// A part of a path without its percent-encoding, which RFC 3986 requires for all other characters than these.
fn decode(segment: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let hex: String = rest.by_ref().take(2).map(char::from).collect();
                let code = u8::from_str_radix(&hex, 16).ok().filter(|_| hex.len() == 2);
                code.ok_or_else(|| format!("`%{hex}` encodes nothing"))?
            }
            byte if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte) => byte,
            other => return Err(format!("`{}` must be percent-encoded", char::from(other))),
        });
    }
    String::from_utf8(bytes).map_err(|_| format!("`{segment}` is not UTF-8"))
}

/// Whether a method's path, such as `projects/{+projectId}/jobs`, is that of a request. No parameter may be empty.
fn matches(template: &str, segments: &[String]) -> bool {
    let template: Vec<&str> = template.split('/').collect();
    template.len() == segments.len()
        && template.iter().zip(segments).all(|(part, found)| {
            let Some(parameter) = part.strip_prefix('{') else { return part == found };
            let (_, verb) = parameter.split_once('}').unwrap_or_default();
            // Some end in a verb: `{+tableId}:getIamPolicy`.
            found.strip_suffix(verb).is_some_and(|id| !id.is_empty() && !id.contains('/'))
        })
}

/// A request about jobs or tables, with a load job as its body.
fn load(path: &str, method: &str, query: &[(&str, &str)], load: Value) -> LoggedRequest {
    LoggedRequest {
        method: method.to_owned(),
        path: format!("/bigquery/v2/{path}"),
        query: query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: if load.is_null() { load } else { json!({"configuration": {"load": load, "labels": {"a": "b"}}}) },
        uploaded: 0,
    }
}

#[test]
fn the_discovery_document_refuses_what_bigquery_does_not_know() {
    let Some(document) = &*INSTALLED else {
        return require::skip(Tool::Discovery, &format!("there is no Cloud SDK with {DOCUMENT}"));
    };
    let legal = json!({
        "sourceUris": ["gs://b/k"], "skipLeadingRows": 1, "allowQuotedNewlines": true,
        "decimalTargetTypes": ["BIGNUMERIC"], "schema": {"fields": [{"name": "x", "type": "STRING"}]},
    });
    let with = |key: &str, value: Value| {
        let mut load = legal.clone();
        load[key] = value;
        load
    };
    let jobs = "projects/p/jobs";
    let accepted = [
        load(jobs, "POST", &[("prettyPrint", "false")], legal.clone()),
        load(jobs, "POST", &[], with("schema", Value::Null)),
        load("projects/p/jobs/finops-1", "GET", &[("location", "US")], Value::Null),
        load("projects/p/datasets/d/tables/t%24202509", "GET", &[], Value::Null),
        load("projects/p/datasets/d/tables/t$202509", "DELETE", &[], Value::Null),
        LoggedRequest {
            body: json!({"permissions": ["bigquery.tables.get"]}),
            ..load("projects/p/datasets/d/tables/t:testIamPermissions", "POST", &[], Value::Null)
        },
    ];
    for request in accepted {
        document.check(&request).unwrap();
    }
    let uploaded = |path: &str, method: &str, key: &str| {
        let body = if method == "PUT" { Value::Null } else { legal.clone() };
        let path = format!("/upload/bigquery/v2/projects/p/{path}");
        document.check(&LoggedRequest { path, ..load(jobs, method, &[(key, "resumable")], body) })
    };
    uploaded("jobs", "POST", "uploadType").unwrap();
    uploaded("jobs", "PUT", "upload_id").unwrap();
    for (path, method, key) in
        [("queries", "POST", "uploadType"), ("jobs", "PUT", "uploadType"), ("jobs", "POST", "upload_id")]
    {
        uploaded(path, method, key).expect_err(path);
    }
    let refused = [
        (
            load(jobs, "POST", &[], with("skipLeadingRow", json!(1))),
            "body.configuration.load.skipLeadingRow: not a known",
        ),
        (load(jobs, "POST", &[], with("skipLeadingRows", json!("1"))), "integer expected"),
        (load(jobs, "POST", &[], with("skipLeadingRows", json!(1.5))), "int32"),
        (load(jobs, "POST", &[], with("allowQuotedNewlines", json!("true"))), "boolean expected"),
        (load(jobs, "POST", &[], with("sourceUris", json!("gs://b/k"))), "array expected"),
        (load(jobs, "POST", &[], with("sourceUris", json!([1]))), "sourceUris[0]: string expected"),
        (load(jobs, "POST", &[], with("decimalTargetTypes", json!(["BIGDECIMAL"]))), "decimalTargetTypes[0]"),
        (
            load(jobs, "POST", &[], with("schema", json!({"fields": [{"nam": "x"}]}))),
            "schema.fields[0].nam: not a known",
        ),
        (load(jobs, "POST", &[], Value::Null), "object expected"),
        (load(jobs, "GET", &[], legal.clone()), "it has a body"),
        (load(jobs, "PUT", &[], legal.clone()), "no method has this path"),
        (load("projects/p/job", "POST", &[], legal.clone()), "no method has this path"),
        (load("projects//jobs", "POST", &[], legal.clone()), "no method has this path"),
        (load("projects/p/datasets/d/tables/t%2F1", "GET", &[], Value::Null), "no method has this path"),
        (load("projects/p/datasets/d/tables/t%2", "GET", &[], Value::Null), "encodes nothing"),
        (load("projects/p/datasets/d/tables/t\"", "GET", &[], Value::Null), "must be percent-encoded"),
        (load("projects/p/tables/t:testIamPermissions", "POST", &[], Value::Null), "no method has this path"),
        (load(jobs, "GET", &[("locations", "US")], Value::Null), "no query parameter `locations`"),
        (load(jobs, "GET", &[("projectId", "p")], Value::Null), "no query parameter `projectId`"),
        (load(jobs, "GET", &[("maxResults", "many")], Value::Null), "query parameter `maxResults`"),
        (load(jobs, "GET", &[("projection", "all")], Value::Null), "query parameter `projection`"),
    ];
    for (request, expected) in refused {
        let error = document.check(&request).expect_err(expected);
        assert!(error.contains(expected), "`{expected}` is not in: {error}");
    }
    let mut job = load(jobs, "POST", &[], legal);
    job.body["statistics"] = json!({});
    assert!(document.check(&job).unwrap_err().contains("body.statistics: only the service sets it"));
    job.body = json!({"configuration": {"jobTimeoutMs": 1000}});
    assert!(document.check(&job).unwrap_err().contains("body.configuration.jobTimeoutMs: string expected"));
    job.body = json!({"configuration": {"labels": {"a": 1}}});
    assert!(document.check(&job).unwrap_err().contains("body.configuration.labels.a: string expected"));
}

#[tokio::test]
async fn an_emulator_of_this_suite_fails_the_test_that_sent_it_something_unknown() {
    if INSTALLED.is_none() {
        return require::skip(Tool::Discovery, &format!("there is no Cloud SDK with {DOCUMENT}"));
    }
    let seed = tempfile::tempdir().unwrap();
    let emulator = servers::bigquery(&StorageServer::start(seed.path())).await;
    let url = format!("{}/bigquery/v2/projects/{PROJECT}/datasets", emulator.url());
    servers::client().post(url).json(&json!({"place": "US"})).send().await.unwrap();
    let dropped = panic::catch_unwind(AssertUnwindSafe(|| drop(emulator)));
    let message = *dropped.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("(bigquery.datasets.insert): body.place: not a known property"), "{message}");
}
