//! Where access tokens come from.

use std::{future::Future, io, pin::Pin, sync::Arc};

use gcp_bigquery_client::{auth::Authenticator, error::BQError};
use google_cloud_auth::credentials::{AccessTokenCredentials, Builder};

use super::errors::no_credentials;
use crate::error::Result;

const SCOPE: &str = "https://www.googleapis.com/auth/bigquery";

#[derive(Clone)]
enum Tokens {
    ApplicationDefault(AccessTokenCredentials),
    /// A local server wants none, but the client always sends one.
    Local,
}

/// Application default credentials (metadata server, key file, workload identity federation, impersonation), or none.
pub(super) fn authenticator(local: bool) -> Result<Arc<dyn Authenticator>> {
    if local {
        return Ok(Arc::new(Tokens::Local));
    }
    let credentials = Builder::default().with_scopes([SCOPE]).build_access_token_credentials();
    Ok(Arc::new(Tokens::ApplicationDefault(credentials.map_err(no_credentials)?)))
}

impl Authenticator for Tokens {
    fn access_token<'s, 'f>(&'s self) -> Pin<Box<dyn Future<Output = Result<String, BQError>> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            match self {
                // google-cloud-auth caches tokens and retries by itself.
                Self::ApplicationDefault(credentials) => match credentials.access_token().await {
                    Ok(token) => Ok(token.token),
                    Err(error) => {
                        Err(BQError::InvalidApplicationDefaultCredentialsAuthenticator(io::Error::other(error)))
                    }
                },
                Self::Local => Ok("local".to_owned()),
            }
        })
    }
}
