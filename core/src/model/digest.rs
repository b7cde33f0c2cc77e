//! The hash behind fingerprints and names.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The first 40 hexadecimal digits of a SHA-256 over `parts`: fits BigQuery's label values.
pub fn hash(parts: impl IntoIterator<Item: AsRef<[u8]>>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().iter().take(20).fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
