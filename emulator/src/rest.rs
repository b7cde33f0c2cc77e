//! JSON as the service writes it.

use serde_json::{Value, json};

/// An object without its nulls: the service never echoes one, and `bq ls -j` stumbles over null labels.
pub fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(_, value)| !value.is_null());
            kept.map(|(key, value)| (key, without_nulls(value))).collect()
        }
        other => other,
    }
}

/// A 64-bit integer; null for none.
pub fn text(number: impl Into<Option<i64>>) -> Value {
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
