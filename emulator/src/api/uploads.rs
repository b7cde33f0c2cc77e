//! jobs.insert with uploaded data: resumable uploads.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex},
};

use axum::{
    body::Body,
    http::{
        HeaderMap,
        header::{CONTENT_RANGE, HOST},
    },
};
use futures::StreamExt as _;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{datasets, jobs, unknown};
use crate::{
    error::ApiError,
    faults::{Fault, FaultKind},
    lock::lock,
    server::{Answer, LoggedRequest, Server},
};

/// Every chunk except the last is a multiple of this. A chunk that breaks off is kept in multiples of this.
const UNIT: usize = 256 * 1024;

/// The upload sessions by id.
#[derive(Default)]
pub struct Uploads(Mutex<HashMap<String, Arc<Mutex<Upload>>>>);

struct Upload {
    project: String,
    job: Value,
    data: Vec<u8>,
    /// The answer to the last chunk.
    answer: Option<Result<Answer, ApiError>>,
}

/// Starts a session.
pub fn begin(server: &Server, call: &LoggedRequest, headers: &HeaderMap) -> Result<Answer, ApiError> {
    let segments: Vec<&str> = call.path.split('/').collect();
    let ["", "upload", "bigquery", "v2", "projects", project, "jobs"] = segments.as_slice() else {
        return Err(unknown(call));
    };
    let kind = call.query.get("uploadType").map_or("", String::as_str);
    if (call.method.as_str(), kind) != ("POST", "resumable") {
        return Err(ApiError::not_implemented(format!("{} {} with uploadType {kind}", call.method, call.path)));
    }
    let project = percent_decode_str(project).decode_utf8_lossy().into_owned();
    datasets::refuse_hidden(server, &call.body)?;
    let (id, _) = jobs::load_job(server, &project, &call.body, Some(Vec::new()))?;
    server.jobs.refuse_used(&id)?;
    let upload = Upload { project, job: call.body.clone(), data: Vec::new(), answer: None };
    let mut uploads = lock(&server.uploads.0);
    let id = format!("upload-{}", uploads.len() + 1);
    uploads.insert(id.clone(), Arc::new(Mutex::new(upload)));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).ok_or_else(|| ApiError::missing("Host"))?;
    Ok(Answer::Session(format!("http://{host}{}?uploadType=resumable&upload_id={id}", call.path)))
}

/// Reads the data of a chunk until it ends, breaks off, or a fault cuts it.
pub async fn receive(body: Body, fault: Option<&Fault>) -> Vec<u8> {
    let end = match fault {
        Some(Fault { kind: FaultKind::Cut(bytes), .. }) => *bytes,
        _ => usize::MAX,
    };
    let (mut data, mut stream) = (Vec::new(), body.into_data_stream());
    while data.len() < end
        && let Some(Ok(bytes)) = stream.next().await
    {
        data.extend_from_slice(&bytes);
    }
    data.truncate(end);
    data
}

/// Stores a chunk, or reports how many bytes were received.
pub fn put(server: &Arc<Server>, call: &LoggedRequest, headers: &HeaderMap, data: &[u8]) -> Result<Answer, ApiError> {
    let id = call.query.get("upload_id").map_or("", String::as_str);
    let upload = lock(&server.uploads.0).get(id).cloned().ok_or_else(|| ApiError::not_found("Upload session"))?;
    let mut upload = lock(&upload);
    if let Some(answer) = &upload.answer {
        return answer.clone();
    }
    let text = headers.get(CONTENT_RANGE).and_then(|range| range.to_str().ok()).unwrap_or_default();
    let range = Range::read(text).ok_or_else(|| ApiError::invalid(format!("Invalid Content-Range: {text}")))?;
    let received = upload.data.len();
    let Some((first, end)) = range.chunk else { return Ok(Answer::Incomplete(received)) };
    let is_last = range.total == Some(end);
    let fits = first == received && data.len() <= end - first && range.total.is_none_or(|total| end <= total);
    if !fits || !(is_last || (end - first).is_multiple_of(UNIT)) {
        return Err(ApiError::invalid(format!("Invalid chunk {text} of {} bytes after {received} bytes", data.len())));
    }
    upload.data.extend_from_slice(data);
    if upload.data.len() < end {
        upload.data.truncate((received + data.len()) / UNIT * UNIT);
    }
    if upload.data.len() < end || !is_last {
        return Ok(Answer::Incomplete(upload.data.len()));
    }
    let data = mem::take(&mut upload.data);
    let answer = jobs::insert(server, &upload.project, &upload.job, Some(data));
    upload.answer.insert(answer).clone()
}

/// A `Content-Range`.
struct Range {
    /// The first byte, and the byte after the last; `None` asks how many bytes were received.
    chunk: Option<(usize, usize)>,
    total: Option<usize>,
}

impl Range {
    fn read(text: &str) -> Option<Self> {
        let (chunk, total) = text.strip_prefix("bytes ")?.split_once('/')?;
        let total = if total == "*" { None } else { Some(total.parse().ok()?) };
        if chunk == "*" {
            return Some(Self { chunk: None, total });
        }
        let (first, last) = chunk.split_once('-')?;
        let (first, end) = (first.parse().ok()?, last.parse::<usize>().ok()?.checked_add(1)?);
        (first < end).then_some(Self { chunk: Some((first, end)), total })
    }
}
