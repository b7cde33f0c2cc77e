//! An S3 bucket, through AWS's own client: its credentials, endpoints and retries are those that every AWS tool has.

use std::{env, path::Path};

use aws_config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_s3::{
    Client,
    config::{Builder, Credentials, ProvideCredentials},
    error::{ProvideErrorMetadata, SdkError},
    operation::get_object::{GetObjectError, GetObjectOutput},
    primitives::ByteStream,
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use tokio::io::AsyncWriteExt;

use super::{Got, Object, Part, S3Options};
use crate::{
    error::{Error, Kind, Result},
    http,
};

/// Folders listed at once.
const CONCURRENT: usize = 16;
const ATTEMPTS: u32 = 3;
const DEFAULT_REGION: &str = "us-east-1";

/// A bucket.
#[derive(Clone, Debug)]
pub struct S3 {
    bucket: String,
    client: Client,
}

impl S3 {
    /// The bucket, with the endpoint, region and credentials that are given, or else of the AWS environment, profile or
    /// machine.
    ///
    /// # Errors
    /// `Credentials` where none can be found; `Storage` where the machine has no root certificates.
    pub async fn connect(bucket: &str, given: &S3Options) -> Result<Self> {
        // aws-smithy-http-client 1.5 panics without them, for any endpoint.
        if rustls_native_certs::load_native_certs().certs.is_empty() {
            return Err(Error::new(Kind::Storage, "no root certificates are found, which HTTPS needs")
                .hint("install the system's ca-certificates, or set SSL_CERT_FILE"));
        }
        let tls = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
        let timeouts =
            TimeoutConfig::builder().connect_timeout(http::CONNECT).operation_attempt_timeout(http::DEADLINE);
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some((id, secret)) = given.access_key_id.as_ref().zip(given.secret_access_key.as_ref()) {
            let token = given.session_token.as_ref().map(|token| token.expose().to_owned());
            loader = loader.credentials_provider(Credentials::new(id, secret.expose(), token, None, "config.toml"));
        }
        if let Some(region) = &given.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(url) = &given.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        let aws = loader
            .http_client(tls.build_https())
            .timeout_config(timeouts.build())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .load()
            .await;
        if let Some(provider) = aws.credentials_provider() {
            provider.provide_credentials().await.map_err(|error| {
                Error::new(Kind::Credentials, format!("no usable AWS credentials for s3://{bucket}/"))
                    .hint(
                        "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role is given",
                    )
                    .cause(error)
            })?;
        }
        let region = aws.region().cloned().unwrap_or(Region::from_static(DEFAULT_REGION));
        // Other servers than AWS's have no host name for each bucket.
        let own_endpoint = aws.endpoint_url().is_some() || env::var_os("AWS_ENDPOINT_URL_S3").is_some();
        let config = Builder::from(&aws).region(region).force_path_style(own_endpoint).build();
        Ok(Self { bucket: bucket.to_owned(), client: Client::from_conf(config) })
    }

    pub(super) fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// S3 has no glob: goes down one component of the pattern after the other, so that what lies deeper, or beside a
    /// component without a wildcard, is never enumerated.
    pub(super) async fn list(&self, folder: &str, pattern: &str) -> Result<Vec<Object>> {
        let folder = folder.trim_matches('/');
        let mut folders = vec![if folder.is_empty() { String::new() } else { format!("{folder}/") }];
        let (above, last) = pattern.rsplit_once('/').map_or((None, pattern), |(above, last)| (Some(above), last));
        for part in above.into_iter().flat_map(|above| above.split('/')) {
            folders = if part.contains(['*', '?']) {
                self.pages(folders, part).map_ok(|page| page.folders).try_concat().await?
            } else {
                folders.into_iter().map(|folder| format!("{folder}{part}/")).collect()
            };
        }
        self.pages(folders, last).map_ok(|page| page.objects).try_concat().await
    }

    /// What lies directly in each of the folders, as far as it begins like `part`.
    fn pages(&self, folders: Vec<String>, part: &str) -> impl futures::Stream<Item = Result<Folder>> {
        let literal = part.split(['*', '?']).next().unwrap_or_default();
        let prefixes: Vec<String> = folders.into_iter().map(|folder| format!("{folder}{literal}")).collect();
        stream::iter(prefixes).map(|prefix| self.folder(prefix)).buffer_unordered(CONCURRENT)
    }

    async fn folder(&self, prefix: String) -> Result<Folder> {
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(&prefix).delimiter("/");
        let mut pages = request.into_paginator().send();
        let mut found = Folder::default();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| self.refused(&prefix, error))?;
            found.folders.extend(page.common_prefixes().iter().filter_map(|folder| folder.prefix().map(str::to_owned)));
            for object in page.contents() {
                let (Some(key), Some(Ok(bytes))) = (object.key(), object.size().map(u64::try_from)) else {
                    let what = format!("{} is listed with an object without name or size", self.uri(&prefix));
                    return Err(Error::new(Kind::Storage, what));
                };
                let updated = object.last_modified().and_then(|time| Timestamp::from_second(time.secs()).ok());
                let updated = updated.unwrap_or(Timestamp::UNIX_EPOCH);
                found.objects.push(Object { key: key.to_owned(), bytes, updated, checksum: object.e_tag().map(bare) });
            }
        }
        Ok(found)
    }

    pub(super) async fn read_part(&self, key: &str, part: Part) -> Result<Bytes> {
        let range = match part {
            Part::Head(length) => format!("bytes=0-{}", length.saturating_sub(1)),
            Part::Tail(length) => format!("bytes=-{length}"),
        };
        let body = match self.get(key, Some(range)).await {
            Ok(output) => output.body,
            // An empty object has no first byte, so no range of it can be had.
            Err(error) if error.raw_response().is_some_and(|response| response.status().as_u16() == 416) => {
                return Ok(Bytes::new());
            }
            Err(error) => return Err(self.refused(key, error)),
        };
        let bytes = body.collect().await.map_err(|error| self.broken_off(key, error))?.into_bytes();
        Ok(part.of(&bytes))
    }

    pub(super) async fn checksum(&self, key: &str) -> Result<String> {
        let head = self.client.head_object().bucket(&self.bucket).key(key).send().await;
        let head = head.map_err(|error| self.refused(key, error))?;
        let without = || Error::new(Kind::Storage, format!("{} has no ETag", self.uri(key)));
        head.e_tag().map(bare).ok_or_else(without)
    }

    pub(super) async fn fetch(&self, key: &str, to: &Path, got: Got<'_>) -> Result<()> {
        let unwritable = |error| super::unwritable(to, error);
        let mut body: ByteStream = self.get(key, None).await.map_err(|error| self.refused(key, error))?.body;
        let mut file = tokio::fs::File::create(to).await.map_err(unwritable)?;
        while let Some(chunk) = body.try_next().await.map_err(|error| self.broken_off(key, error))? {
            file.write_all(&chunk).await.map_err(unwritable)?;
            got(chunk.len() as u64);
        }
        file.flush().await.map_err(unwritable)
    }

    async fn get(&self, key: &str, range: Option<String>) -> Result<GetObjectOutput, SdkError<GetObjectError>> {
        self.client.get_object().bucket(&self.bucket).key(key).set_range(range).send().await
    }

    fn broken_off(&self, key: &str, error: aws_sdk_s3::primitives::ByteStreamError) -> Error {
        Error::new(Kind::Storage, format!("reading {} broke off", self.uri(key))).cause(error)
    }

    fn refused<E>(&self, key: &str, error: SdkError<E>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let object = self.uri(key);
        let Some(response) = error.raw_response() else {
            return Error::new(Kind::Storage, format!("no answer for {object}"))
                .hint("check the network, AWS_REGION, and AWS_ENDPOINT_URL where one is set")
                .cause(error);
        };
        let code = error.code().unwrap_or_default();
        let said = format!("{code} {}", error.message().unwrap_or_default());
        match (response.status().as_u16(), code) {
            (301 | 307, _) | (_, "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException") => {
                let region = response.headers().get("x-amz-bucket-region");
                let hint = region.map_or("set AWS_REGION to the bucket's region".to_owned(), |region| {
                    format!("the bucket lies in {region}: set AWS_REGION={region}")
                });
                Error::new(Kind::Configuration, format!("{object} is in another region: {said}")).hint(hint)
            }
            (401, _) | (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken") => {
                Error::new(Kind::Credentials, format!("the credentials are not accepted for {object}: {said}"))
                    .hint("renew them, or choose others with AWS_PROFILE")
            }
            (403, _) => Error::new(Kind::Permission, format!("no permission to read {object}: {said}"))
                .hint(format!("allow s3:ListBucket and s3:GetObject on bucket {} to the job's role", self.bucket)),
            (404, _) => Error::new(Kind::NotFound, format!("there is no {object}: {said}"))
                .hint(format!("check the bucket's name, `{}`, and the prefix", self.bucket)),
            (status, _) => {
                Error::new(Kind::Storage, format!("{object} was answered with status {status}: {said}")).cause(error)
            }
        }
    }
}

/// What lies directly in a folder.
#[derive(Default)]
struct Folder {
    folders: Vec<String>,
    objects: Vec<Object>,
}

/// An ETag without its quotation marks.
fn bare(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}
