//! Settings of S3.

use finops_core::model::shown::Secret;

/// Settings of S3 that finops gets itself. For those that are missing, the AWS environment counts.
#[derive(Clone, Debug, Default)]
pub struct S3Options {
    /// An access key.
    pub access_key_id: Option<String>,
    /// Its secret.
    pub secret_access_key: Option<Secret>,
    /// Its token, where it is a temporary one.
    pub session_token: Option<Secret>,
    /// The bucket's region.
    pub region: Option<String>,
    /// The URL of a server other than AWS.
    pub endpoint_url: Option<String>,
}
