//! Reads objects of a bucket through the JSON API of the storage server.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::StatusCode;

use crate::{error::JobError, server::Server};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The stored bytes of an object.
pub async fn fetch(server: &Server, uri: &str) -> Result<Vec<u8>, JobError> {
    let storage = server.options.storage.as_deref().ok_or_else(|| {
        JobError::invalid(format!("The emulator has no storage server to read {uri} from: start it with --storage URL"))
    })?;
    let not_found = || JobError::new("notFound", format!("Not found: URI {uri}")).at(uri);
    if uri.strip_prefix("gs://").is_some_and(|name| name.contains("//")) {
        return Err(not_found());
    }
    let (bucket, object) = uri.strip_prefix("gs://").and_then(|rest| rest.split_once('/')).unwrap_or((uri, ""));
    let object = utf8_percent_encode(object, NON_ALPHANUMERIC);
    let url = format!("{}/storage/v1/b/{bucket}/o/{object}?alt=media", storage.trim_end_matches('/'));
    let failed = |error: reqwest::Error| {
        JobError::new("backendError", format!("Cannot read {uri} from the storage server: {error}")).at(uri)
    };
    // Without this header, the storage server decompresses objects with content encoding gzip.
    let response = server.http.get(url).header("accept-encoding", "gzip").send().await.map_err(failed)?;
    if response.status() == StatusCode::NOT_FOUND {
        return Err(not_found());
    }
    let response = response.error_for_status().map_err(failed)?;
    Ok(response.bytes().await.map_err(failed)?.to_vec())
}

/// Whether the bytes are gzip, whatever the object's name.
pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&GZIP_MAGIC)
}

/// Decompresses gzip; other bytes are returned unchanged.
pub fn decompress(uri: &str, bytes: Vec<u8>) -> Result<Vec<u8>, JobError> {
    if !is_gzip(&bytes) {
        return Ok(bytes);
    }
    let mut decompressed = Vec::new();
    MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut decompressed).map_err(|error| {
        JobError::invalid(format!(
            "Error while reading data, error message: Failed to decompress gzip: {error} File: {uri}"
        ))
        .at(uri)
    })?;
    Ok(decompressed)
}
