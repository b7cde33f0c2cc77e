//! What can be found out of a bucket without reading what lies there, and without changing anything.

use finops_core::report::check::BucketLocation;
use jiff::SignedDuration;
use serde::Deserialize;

use super::Gcs;
use crate::{error::Result, http};

/// What loading needs: `roles/storage.objectViewer` has both.
pub const NEEDED: [&str; 2] = ["storage.objects.get", "storage.objects.list"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bucket {
    location: String,
    location_type: Option<String>,
}

#[derive(Deserialize)]
struct Granted {
    /// Absent where nothing is granted.
    #[serde(default)]
    permissions: Vec<String>,
}

impl Gcs {
    /// Signs in, as the first request would.
    ///
    /// # Errors
    /// `Credentials` where no token can be had.
    pub async fn sign_in(&self) -> Result<()> {
        self.headers().await.map(drop)
    }

    /// Whether it is a local server, which wants no credentials.
    pub fn is_emulator(&self) -> bool {
        self.endpoint != super::ENDPOINT
    }

    /// How far this machine's clock is ahead of the service's; `None` where it does not tell. Nobody has to sign in for it.
    pub async fn clock_ahead(&self) -> Option<SignedDuration> {
        http::ahead_of(self.http.get(format!("{}/storage/v1/b/{}", self.endpoint, self.bucket))).await
    }

    /// Where the bucket is; `None` where the account may not know: that takes storage.buckets.get, which
    /// roles/storage.objectViewer lacks (so far a belief).
    ///
    /// # Errors
    /// What the service says otherwise.
    pub async fn place(&self) -> Result<Option<BucketLocation>> {
        let doing = format!("look at {}", self.uri(""));
        match self.get("", &[("fields", "location,locationType")], &doing, "").await {
            Ok(Bucket { location, location_type }) => {
                Ok(Some(BucketLocation { location, dual_region: location_type.as_deref() == Some("dual-region") }))
            }
            Err(refusal) if refusal.status == Some(403) => Ok(None),
            Err(refusal) => Err(refusal.error),
        }
    }

    /// Those of the permissions that loading needs which the account lacks; `None` where the server does not know the call,
    /// as fake-gcs-server 1.54 (which answers 404). Asking needs no permission, and what is answered is for people only:
    /// access may still be refused (buckets.testIamPermissions, by its documentation).
    ///
    /// # Errors
    /// What the service says otherwise.
    pub async fn missing_permissions(&self) -> Result<Option<Vec<&'static str>>> {
        let doing = format!("ask for the permissions on {}", self.uri(""));
        match self.get("/iam/testPermissions", &NEEDED.map(|name| ("permissions", name)), &doing, "").await {
            Ok(Granted { permissions }) => {
                Ok(Some(NEEDED.into_iter().filter(|name| !permissions.iter().any(|has| has == name)).collect()))
            }
            Err(refusal) if matches!(refusal.status, Some(404 | 405 | 501)) => Ok(None),
            Err(refusal) => Err(refusal.error),
        }
    }
}
