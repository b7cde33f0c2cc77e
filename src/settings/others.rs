//! Variables that others read: the libraries and tools of the clouds, deployments, and the original of finops.

use super::{
    definition::{Definition, Reader},
    registry,
};

/// The variables of the clouds' libraries that `.env` may set: who signs in, and where. Other variables choose servers, or programs
/// to run; a file in the working directory must not.
pub const CLOUDS_IN_FILE: [&str; 7] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "GOOGLE_APPLICATION_CREDENTIALS",
];

/// Variables that the libraries and tools of the clouds read; `*` is any text.
pub const CLOUDS: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_ACCOUNT_ID",
    "AWS_CA_BUNDLE",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_*",
    "AWS_DEFAULT_*",
    "AWS_EC2_METADATA_*",
    "AWS_ENDPOINT_URL*",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_*",
    "AWS_MAX_ATTEMPTS",
    "AWS_PAGER",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_REQUEST_CHECKSUM_CALCULATION",
    "AWS_RESPONSE_CHECKSUM_VALIDATION",
    "AWS_RETRY_MODE",
    "AWS_ROLE_*",
    "AWS_SDK_*",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_*",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_SIGNIN_*",
    "AWS_SSO_*",
    "AWS_STS_*",
    "AWS_USE_*",
    "AWS_VAULT*",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AZURE_AUTHORITY_HOST",
    "AZURE_CLIENT_*",
    "AZURE_CONFIG_DIR",
    "AZURE_CORE_*",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_LOCATION",
    "AZURE_PASSWORD",
    "AZURE_RESOURCE_GROUP",
    "AZURE_STORAGE_*",
    "AZURE_SUBSCRIPTION_ID",
    "AZURE_TENANT_ID",
    "AZURE_USERNAME",
    "CLOUDSDK_*",
    "GCE_METADATA_*",
    "GCLOUD_PROJECT",
    "GOOGLE_*",
];

/// Variables that the original of finops, in Python, read from `.env`, and finops does not.
pub const OF_ORIGINAL: &[&str] = &["IMAGE_TAG"];

/// Whether the clouds' libraries and tools read the variable.
fn is_of_cloud(name: &str) -> bool {
    CLOUDS.iter().any(|known| known.strip_suffix('*').map_or(*known == name, |begin| name.starts_with(begin)))
}

/// Whether others read the variable: the clouds, deployments, or the original of finops.
pub fn is_known_elsewhere(name: &str) -> bool {
    let of_deployment = |setting: &Definition| {
        let providers = setting.providers.iter().copied().map(Some);
        setting.name == name || providers.into_iter().any(|provider| setting.variable(provider) == name)
    };
    let mut deployment = registry::all().filter(|setting| setting.reader == Reader::Deployment);
    is_of_cloud(name) || OF_ORIGINAL.contains(&name) || deployment.any(of_deployment)
}
