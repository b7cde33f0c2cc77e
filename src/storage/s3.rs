//! An S3 bucket. AWS's own client: credentials, endpoints and retries are those of all AWS tools.

use std::{cell::Cell, env, ops::Range};

use aws_config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_s3::{
    Client,
    config::{
        Builder, Credentials, ProvideCredentials,
        interceptors::InterceptorContext,
        retry::{ClassifyRetry, RetryAction},
    },
    error::{ProvideErrorMetadata, SdkError},
    operation::get_object::GetObjectOutput,
    types::ServerSideEncryption,
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use finops_core::hint;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;

use super::{
    errors::replaced,
    hashes::ChecksumKind,
    keys::{inside, names_in},
    limit::{Limit, REQUESTS},
    object::Object,
    read::{Body, Failure},
    s3_options::S3Options,
};
use crate::{
    credentials::no_aws,
    error::{Error, ErrorKind, Result},
    http,
};

const ATTEMPTS: u32 = 3;
const DEFAULT_REGION: &str = "us-east-1";

/// A bucket.
#[derive(Clone, Debug)]
pub struct S3 {
    bucket: String,
    client: Client,
    /// Whether a region or an endpoint is set.
    knows_region: bool,
    pub(super) limit: Limit,
}

impl S3 {
    /// The bucket, with the endpoint, region and credentials that are `given`. For those that are not, the AWS environment,
    /// profile or machine counts.
    ///
    /// # Errors
    /// `Credentials` if there are none; `Storage` if the machine has no root certificates.
    pub async fn connect(bucket: &str, given: &S3Options) -> Result<Self> {
        // aws-smithy-http-client 1.5 panics without them, for any endpoint.
        if rustls_native_certs::load_native_certs().certs.is_empty() {
            return Err(Error::new(ErrorKind::Storage, "this machine has no root certificates, and HTTPS needs them")
                .hint(hint::ROOT_CERTIFICATES));
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
            provider.provide_credentials().await.map_err(|error| no_aws(bucket, &error))?;
        }
        let given_region = aws.region().cloned();
        // Servers other than AWS have no host name for each bucket.
        let own_endpoint = aws.endpoint_url().is_some() || env::var_os("AWS_ENDPOINT_URL_S3").is_some();
        let knows_region = given_region.is_some() || own_endpoint;
        let region = given_region.unwrap_or(Region::from_static(DEFAULT_REGION));
        let config = Builder::from(&aws).region(region).force_path_style(own_endpoint);
        let config = config.retry_classifier(TooManyRequests).build();
        Ok(Self { bucket: bucket.to_owned(), client: Client::from_conf(config), knows_region, limit: Limit::new() })
    }

    pub(super) fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// S3 has no glob. This lists one component of the pattern after the other, so it never lists deeper folders, or folders
    /// beside a component without a wildcard.
    pub(super) async fn list(&self, folder: &str, pattern: &str) -> Result<Vec<Object>> {
        let mut folders = vec![inside(folder)];
        let (above, last) = pattern.rsplit_once('/').map_or((None, pattern), |(above, last)| (Some(above), last));
        for part in above.into_iter().flat_map(|above| above.split('/')) {
            folders = if part.contains(['*', '?']) {
                self.pages(folder, folders, part).map_ok(|page| page.folders).try_concat().await?
            } else {
                folders.into_iter().map(|folder| format!("{folder}{part}/")).collect()
            };
        }
        self.pages(folder, folders, last).map_ok(|page| page.objects).try_concat().await
    }

    /// The objects and folders directly in each of the folders that begin like `part`. Errors name `asked`, the folder that is
    /// listed as a whole: nobody set the folders in it.
    fn pages(&self, asked: &str, folders: Vec<String>, part: &str) -> impl futures::Stream<Item = Result<Folder>> {
        let literal = part.split(['*', '?']).next().unwrap_or_default();
        let prefixes: Vec<String> = folders.into_iter().map(|folder| format!("{folder}{literal}")).collect();
        stream::iter(prefixes).map(move |prefix| self.folder(asked, prefix)).buffer_unordered(REQUESTS)
    }

    async fn folder(&self, asked: &str, prefix: String) -> Result<Folder> {
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(&prefix).delimiter("/");
        let mut pages = request.into_paginator().send();
        let mut found = Folder::default();
        loop {
            let permit = self.limit.permit().await;
            let Some(page) = pages.next().await else { break };
            drop(permit);
            let page = page.map_err(|error| self.refused(asked, error))?;
            found.folders.extend(page.common_prefixes().iter().filter_map(|folder| folder.prefix().map(str::to_owned)));
            for object in page.contents() {
                let (Some(key), Some(Ok(bytes))) = (object.key(), object.size().map(u64::try_from)) else {
                    let what = format!("the listing of {} has an object without name or size", self.uri(&prefix));
                    return Err(Error::new(ErrorKind::Storage, what));
                };
                let updated = object.last_modified().and_then(|time| Timestamp::from_second(time.secs()).ok());
                let updated = updated.unwrap_or(Timestamp::UNIX_EPOCH);
                let (checksum, version) = (object.e_tag().map(bare), object.e_tag().map(bare));
                found.objects.push(Object { key: key.to_owned(), bytes, updated, checksum, version });
            }
        }
        Ok(found)
    }

    pub(super) async fn folders(&self, folder: &str) -> Result<Vec<String>> {
        let prefix = inside(folder);
        let _permit = self.limit.permit().await;
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(&prefix).delimiter("/");
        let page = request.send().await.map_err(|error| self.refused(folder, error))?;
        Ok(names_in(&prefix, page.common_prefixes().iter().filter_map(|folder| folder.prefix())))
    }

    /// Requests a range of the object, if it still has its ETag; sets `kind` to what that ETag is.
    pub(super) async fn open(
        &self,
        object: &Object,
        range: Range<u64>,
        kind: &Cell<ChecksumKind>,
    ) -> Result<Body<'_>, Failure> {
        let Range { start, end } = range;
        let is_part = range != (0..object.bytes);
        let request = self.client.get_object().bucket(&self.bucket).key(&object.key);
        let request = request.set_if_match(object.version.as_ref().map(|etag| format!("\"{etag}\"")));
        let request = request.set_range(is_part.then(|| format!("bytes={start}-{}", end.saturating_sub(1))));
        let output = request.send().await.map_err(|error| {
            let status = error.raw_response().map(|response| response.status().as_u16());
            let error = match (status, &object.version) {
                (Some(404 | 412), Some(_)) => replaced(&self.uri(&object.key)).cause(error),
                _ => self.refused(&object.key, error),
            };
            Failure::Lasting(error)
        })?;
        let given = output.content_range();
        if is_part && !given.is_some_and(|given| given.starts_with(&format!("bytes {start}-"))) {
            let given = given.unwrap_or("the whole object");
            let what = format!(
                "bytes {start} to {end} of {} were requested, and the answer has {given}",
                self.uri(&object.key)
            );
            return Err(Failure::Lasting(Error::new(ErrorKind::Storage, what).hint(hint::NEEDS_RANGES)));
        }
        kind.set(checksum_kind(&output));
        let key = object.key.clone();
        let chunks =
            stream::unfold(output.body, |mut body| async move { body.next().await.map(|chunk| (chunk, body)) });
        let ended_early = move |error| {
            let error = Error::new(ErrorKind::Storage, format!("reading {} ended early", self.uri(&key))).cause(error);
            Failure::Passing(error.hint(hint::NETWORK_OR_ENDPOINT))
        };
        Ok(chunks.map(move |chunk| chunk.map_err(&ended_early)).boxed())
    }

    /// The error for an object without the ETag that every object has.
    pub(super) fn without_etag(&self, key: &str) -> Error {
        Error::new(ErrorKind::Storage, format!("{} is listed without an ETag", self.uri(key)))
            .hint(hint::SERVER_AT_FAULT)
    }

    fn refused<E>(&self, key: &str, error: SdkError<E>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let object = self.uri(key);
        let Some(response) = error.raw_response() else {
            let hint = if self.knows_region { hint::S3_UNREACHABLE } else { hint::S3_WITHOUT_REGION };
            return Error::new(ErrorKind::Storage, format!("no answer for {object}")).hint(hint).cause(error);
        };
        let code = error.code().unwrap_or_default();
        let said = format!("{code} {}", error.message().unwrap_or_default());
        match (response.status().as_u16(), code) {
            (301 | 307, _) | (_, "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException") => {
                let region = response.headers().get("x-amz-bucket-region");
                let hint = region.map_or(hint::AWS_REGION.to_owned(), hint::aws_region);
                Error::new(ErrorKind::Configuration, format!("{object} is in another region: {said}")).hint(hint)
            }
            (401, _) | (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken") => {
                let hint = if code == "ExpiredToken" { hint::SIGN_IN } else { hint::RENEW_CREDENTIALS };
                Error::new(ErrorKind::Credentials, format!("the credentials are not accepted for {object}: {said}"))
                    .hint(hint)
            }
            (_, "RequestTimeTooSkewed") => {
                let what = format!("the clock of this machine differs from that of S3, which refuses {object}: {said}");
                Error::new(ErrorKind::Credentials, what).hint(hint::SET_CLOCK)
            }
            // The storage class in a listing is no sign: a restored copy keeps it, and can be read.
            (_, "InvalidObjectState") => {
                Error::new(ErrorKind::Archived, format!("{object} is archived: {said}")).hint(hint::RESTORE_ARCHIVED)
            }
            (_, "AccessDenied" | "KMS.DisabledException") if is_of_key(&said) => {
                Error::new(ErrorKind::Permission, format!("no permission to decrypt {object}: {said}"))
                    .hint(hint::ALLOW_DECRYPT)
            }
            // The same answer comes from a bucket whose requesters pay (aws/aws-cli#2557).
            (403, _) => Error::new(ErrorKind::Permission, format!("no permission to read {object}: {said}"))
                .hint(hint::allow_s3(&self.bucket)),
            (404, _) => Error::new(ErrorKind::NotFound, format!("there is no {object}: {said}"))
                .hint(hint::check_bucket(&self.bucket)),
            (status, _) => Error::new(ErrorKind::Storage, format!("{object} returned status {status}: {said}"))
                .hint(hint::RUN_AGAIN_LATER)
                .cause(error),
        }
    }
}

/// Whether a refusal is about the key that encrypts the object.
fn is_of_key(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    said.contains("kms") || said.contains("ciphertext")
}

/// AWS's client repeats a request after the 503 of AWS, and not after the 429 of other servers (seen on 1.157).
#[derive(Debug)]
struct TooManyRequests;

impl ClassifyRetry for TooManyRequests {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response().map(|response| response.status().as_u16()) {
            Some(429) => RetryAction::throttling_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "too many requests"
    }
}

/// The objects and folders directly in a folder.
#[derive(Default)]
struct Folder {
    folders: Vec<String>,
    objects: Vec<Object>,
}

/// What the object's ETag is. AWS: the MD5 of an object that was uploaded in one piece and is encrypted with S3's own keys or
/// not at all. Under SSE-KMS, DSSE-KMS and SSE-C it has as many digits and is not the MD5.
fn checksum_kind(output: &GetObjectOutput) -> ChecksumKind {
    let etag = output.e_tag().map(bare).unwrap_or_default();
    let own_keys = matches!(output.server_side_encryption(), None | Some(ServerSideEncryption::Aes256));
    let looks_so = etag.len() == 32 && etag.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_md5 = looks_so && own_keys && output.sse_customer_algorithm().is_none();
    if is_md5 { ChecksumKind::Md5 } else { ChecksumKind::Opaque }
}

/// An ETag without its quotation marks.
fn bare(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}
