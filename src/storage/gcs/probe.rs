//! Facts about a bucket, found without reading its objects and without changing anything.

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
    /// Signs in, as the first request does.
    ///
    /// # Errors
    /// `Credentials` if there is no token.
    pub async fn sign_in(&self) -> Result<()> {
        self.headers().await.map(drop)
    }

    /// Whether it is a local server, which needs no credentials.
    pub fn is_emulator(&self) -> bool {
        self.endpoint != super::ENDPOINT
    }

    /// How far this machine's clock is ahead of the service's; `None` if the answer has no time. Needs no credentials.
    pub async fn clock_ahead(&self) -> Option<SignedDuration> {
        http::ahead_of(self.http.get(format!("{}/storage/v1/b/{}", self.endpoint, self.bucket))).await
    }

    /// Where the bucket is; `None` without the permission storage.buckets.get, which roles/storage.objectViewer lacks
    /// (not verified at Google).
    ///
    /// # Errors
    /// Any other error of the service.
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

    /// The permissions that loading needs and the account lacks; `None` if the server does not know the call, like
    /// fake-gcs-server 1.54, which answers 404. The call needs no permission. Its answer is only for people: access may
    /// still be refused (documentation of buckets.testIamPermissions).
    ///
    /// # Errors
    /// Any other error of the service.
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
