//! Values in the JSON form of the REST API.

use serde_json::{Value, json};

/// Removes the nulls of an object. BigQuery never returns them, and `bq ls -j` fails on null labels.
pub fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(_, value)| !value.is_null());
            kept.map(|(key, value)| (key, without_nulls(value))).collect()
        }
        other => other,
    }
}

/// A 64-bit integer as text; null for none.
pub fn int64_text(number: impl Into<Option<i64>>) -> Value {
    json!(number.into().map(|number| number.to_string()))
}

/// An entity tag that changes with the modification time.
pub fn etag(modified: i64) -> String {
    format!("\"{modified:x}\"")
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
