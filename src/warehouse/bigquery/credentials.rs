//! Who finops is to BigQuery.

use std::{fs, path::Path};

use google_cloud_auth::credentials::{
    Builder, Credentials, external_account, impersonated,
    service_account::{self, AccessSpecifier},
    user_account,
};
use serde_json::Value;

use super::errors::{no_credentials, unusable};
use crate::error::Result;

const SCOPES: [&str; 1] = ["https://www.googleapis.com/auth/bigquery"];

/// The credentials of the key file; without one application default credentials (metadata server, key file of the
/// environment, workload identity federation, impersonation).
///
/// # Errors
/// `Credentials` where none can be made.
pub(super) fn credentials(key_file: Option<&Path>) -> Result<Credentials> {
    let Some(path) = key_file else {
        return Builder::default().with_scopes(SCOPES).build().map_err(no_credentials);
    };
    let bytes = fs::read(path).map_err(|error| unusable(path, "it cannot be read").cause(error))?;
    // What a parser says of JSON may show a part of the key.
    let json: Value = serde_json::from_slice(&bytes).map_err(|_| unusable(path, "it is not JSON"))?;
    let built = match json["type"].as_str() {
        Some("service_account") => {
            let scopes = AccessSpecifier::from_scopes(SCOPES);
            service_account::Builder::new(json).with_access_specifier(scopes).build()
        }
        Some("authorized_user") => user_account::Builder::new(json).with_scopes(SCOPES).build(),
        Some("external_account") => external_account::Builder::new(json).with_scopes(SCOPES).build(),
        Some("impersonated_service_account") => impersonated::Builder::new(json).with_scopes(SCOPES).build(),
        _ => {
            let known = "service_account, authorized_user, external_account, impersonated_service_account";
            return Err(unusable(path, &format!("its `type` is none of {known}")));
        }
    };
    built.map_err(|_| unusable(path, "a field that its type needs is missing or damaged"))
}
