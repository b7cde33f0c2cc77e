//! Settings of S3.

use finops_core::model::shown::Secret;

/// What is said of S3 beside the AWS environment, which counts where this is silent.
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
    /// The URL of a server that is not AWS's.
    pub endpoint_url: Option<String>,
}
