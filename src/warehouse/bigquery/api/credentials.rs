//! The credentials for BigQuery.

use std::{fs, path::Path};

use google_cloud_auth::credentials::{
    Builder, Credentials, external_account, impersonated,
    service_account::{self, AccessSpecifier},
    user_account,
};
use serde_json::Value;

use super::failure::unusable;
use crate::{credentials::no_google, error::Result};

const SCOPES: [&str; 1] = ["https://www.googleapis.com/auth/bigquery"];

/// The credentials of the key file, or application default credentials (metadata server, key file of the environment,
/// workload identity federation, impersonation).
///
/// # Errors
/// `Credentials` where there are no usable ones.
pub fn credentials(key_file: Option<&Path>) -> Result<Credentials> {
    let Some(path) = key_file else {
        return Builder::default().with_scopes(SCOPES).build().map_err(|error| no_google(&error));
    };
    let bytes = fs::read(path).map_err(|error| unusable(path, "it cannot be read").cause(error))?;
    // A JSON parser's message may show a part of the key.
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

#[cfg(test)]
mod tests {
    use google_cloud_auth::credentials::CacheableResource;
    use http::Extensions;
    use serde_json::json;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::error::ErrorKind;

    fn of_file(content: &str) -> Result<Credentials> {
        let _ = crate::http::client();
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), content).unwrap();
        credentials(Some(file.path())).inspect_err(|error| {
            assert_eq!(error.kind(), ErrorKind::Credentials);
            let name = file.path().to_str().unwrap();
            assert!(error.full_message().contains(name), "{error:?}");
            assert!(error.next_step().unwrap().contains("credentials_path"), "{error:?}");
        })
    }

    #[test]
    fn a_key_file_that_is_of_no_use_is_named_and_its_content_is_not() {
        for (content, why) in [
            ("sesame".to_owned(), "not JSON"),
            ("{\"type\": \"sesame\", ".to_owned(), "not JSON"),
            (json!({"private_key": "sesame"}).to_string(), "`type`"),
            (json!({"type": "sesame"}).to_string(), "`type`"),
            (json!({"type": "service_account", "private_key": ["sesame"]}).to_string(), "damaged"),
            (json!({"type": "authorized_user", "refresh_token": ["sesame"]}).to_string(), "damaged"),
            (json!({"type": "external_account", "audience": ["sesame"]}).to_string(), "damaged"),
            (json!({"type": "impersonated_service_account", "delegates": "sesame"}).to_string(), "damaged"),
        ] {
            let error = of_file(&content).unwrap_err();
            assert!(error.full_message().contains(why), "{content}: {error:?}");
            assert!(!format!("{error:?}").contains("sesame"), "{content}: {error:?}");
        }
        let error = credentials(Some(Path::new("/no/such/key.json"))).unwrap_err();
        assert!(error.full_message().contains("/no/such/key.json: it cannot be read"), "{error:?}");
    }

    #[tokio::test]
    async fn the_token_of_a_key_file_is_what_is_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 10_000];
            let read = connection.read(&mut request).await.unwrap();
            assert!(read > 0);
            let body = json!({"access_token": "of-the-file", "token_type": "Bearer", "expires_in": 3600}).to_string();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
            connection.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.unwrap();
        });
        let key = json!({
            "type": "authorized_user",
            "client_id": "a",
            "client_secret": "b",
            "refresh_token": "c",
            "token_uri": url,
        });
        let credentials = of_file(&key.to_string()).unwrap();
        match credentials.headers(Extensions::new()).await.unwrap() {
            CacheableResource::New { data, .. } => assert_eq!(data["authorization"], "Bearer of-the-file"),
            CacheableResource::NotModified => panic!("no headers"),
        }
    }
}
