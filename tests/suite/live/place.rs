//! Where the questions are asked: a project, a bucket, a location. Everything that is created there has the run's name, and is
//! removed at the end.

use std::{
    env,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use backon::{ExponentialBuilder, Retryable};
use bigquery_emulator::Emulator;
use google_cloud_auth::credentials::{Builder, CacheableResource, Credentials, anonymous};
use http::{Extensions, HeaderMap};
use reqwest::{Client, Method, RequestBuilder, Url};
use serde_json::{Value, json};

use super::answer::Seen;
use crate::support::{
    program::{BUCKET, Finops},
    require::Live,
    servers::{PROJECT, StorageServer},
};

const UPLOAD_TYPE: &str = "X-Upload-Content-Type";
const LOCAL_KEY: &str = "projects/p/locations/us/keyRings/r/cryptoKeys/k";
const LOCAL_TAG: &str = "projects/p/locations/us/taxonomies/1/policyTags/2";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// No small job needs longer, unless the service hangs.
const LONGEST_JOB: Duration = Duration::from_mins(5);
/// The time between two requests for a job's state.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// BigQuery accepts no shorter one. The tables of finops have none, see [`super::pipeline`].
const TABLES_EXPIRE_AFTER: Duration = Duration::from_hours(1);
/// No statement of the suite reads more than a few times BigQuery's minimum.
const MOST_BYTES_BILLED: u64 = 100 << 20;
/// What google-cloud-auth and HTTP clients read of an environment.
const OF_CREDENTIALS_AND_NETWORK: [&str; 10] = [
    "HOME",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_QUOTA_PROJECT",
    "GCE_METADATA_HOST",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// Rows as text; NULL is `NULL`.
pub type Rows = Vec<Vec<String>>;

/// A project, a bucket and a location of the real services, or of local servers in place of them.
pub struct Place {
    pub project: String,
    pub bucket: String,
    pub location: String,
    /// The dataset of all tables.
    pub dataset: String,
    /// A second dataset of the same location.
    pub other_dataset: String,
    /// The full name of a key that BigQuery may use, if one was named.
    pub kms_key: Option<String>,
    /// The full name of a policy tag, if one was named.
    pub policy_tag: Option<String>,
    /// The folder of all objects, with its `/`.
    pub prefix: String,
    bigquery: Url,
    storage: Url,
    http: Client,
    credentials: Credentials,
    finops: Finops,
    run: String,
    sent: AtomicU64,
}

/// What a service answered.
pub struct Answered {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answered {
    /// The body of a success.
    pub fn accepted(self, what: &str) -> Result<Value, Seen> {
        if (200..300).contains(&self.status) {
            return Ok(self.body);
        }
        Err(Seen::NotAnswered(format!("{what}: {}", self.failure())))
    }

    /// Google's word for a failure.
    pub fn reason(&self) -> &str {
        self.body["error"]["errors"][0]["reason"].as_str().unwrap_or("no reason")
    }

    /// The status with Google's word and message for it.
    pub fn failure(&self) -> String {
        let message = self.body["error"]["message"].as_str().unwrap_or("no message");
        format!("{} {}: {message}", self.status, self.reason())
    }
}

impl Place {
    /// The real services, with the credentials that finops takes there.
    pub fn real(live: &Live) -> Self {
        // Google's client panics without one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let credentials = Builder::default().with_scopes([SCOPE]).build();
        let credentials = credentials.unwrap_or_else(|error| {
            panic!("no usable credentials ({error}): run `gcloud auth application-default login`")
        });
        let http = Client::builder().timeout(Duration::from_mins(1)).build().unwrap();
        let set = OF_CREDENTIALS_AND_NETWORK.into_iter().filter_map(|name| Some((name, env::var(name).ok()?)));
        let finops = set.fold(Finops::unconfigured(), |finops, (name, value)| finops.with(name, &value));
        let urls = ["https://bigquery.googleapis.com", "https://storage.googleapis.com"];
        let place = Self::new([&live.project, &live.bucket, &live.location], urls, http, credentials, finops);
        Self { kms_key: live.kms_key.clone(), policy_tag: live.policy_tag.clone(), ..place }
    }

    /// Servers on this machine; the storage has [`BUCKET`].
    pub fn local(storage: &StorageServer, emulator: &Emulator) -> Self {
        let urls = [emulator.url(), storage.url().to_owned()];
        let finops = Finops::unconfigured();
        let finops = finops.with("BIGQUERY_EMULATOR_HOST", &urls[0]).with("STORAGE_EMULATOR_HOST", &urls[1]);
        let names = [PROJECT, BUCKET, "US"];
        let place = Self::new(
            names,
            urls.each_ref().map(String::as_str),
            crate::support::servers::client(),
            anonymous::Builder::new().build(),
            finops,
        );
        Self { kms_key: Some(LOCAL_KEY.to_owned()), policy_tag: Some(LOCAL_TAG.to_owned()), ..place }
    }

    fn new(names: [&str; 3], urls: [&str; 2], http: Client, credentials: Credentials, finops: Finops) -> Self {
        let run = finops_core::model::run_id::run_id(jiff::Timestamp::now(), std::process::id()).to_lowercase();
        let [project, bucket, location] = names.map(str::to_owned);
        let [bigquery, storage] = urls.map(|url| url.parse().unwrap());
        let finops = finops
            .with("PIPELINE", "aws")
            .with("GCP_PROJECT_ID", &project)
            .with("BIGQUERY_LOCATION", &location)
            .with("AWS_GCS_BUCKET", &bucket);
        Self {
            dataset: format!("finops_live_{}", run.replace('-', "_")),
            other_dataset: format!("finops_live_{}_other", run.replace('-', "_")),
            kms_key: None,
            policy_tag: None,
            prefix: format!("finops-live/{run}/"),
            project,
            bucket,
            location,
            bigquery,
            storage,
            http,
            credentials,
            finops,
            run,
            sent: AtomicU64::new(0),
        }
    }

    /// The program, which loads from the folder below [`Place::prefix`] into the table.
    pub fn finops(&self, folder: &str, table: &str) -> Finops {
        let prefix = format!("{}{folder}", self.prefix);
        let finops = self.finops.clone().with("AWS_GCS_PREFIX", &prefix);
        finops.with("AWS_DATASET", &self.dataset).with("AWS_TABLE_NAME", table)
    }

    /// The key, where one was named.
    pub fn kms_key(&self) -> Result<&str, Seen> {
        self.kms_key.as_deref().ok_or(Seen::NotAsked("FINOPS_LIVE_KMS_KEY"))
    }

    /// The policy tag, where one was named.
    pub fn policy_tag(&self) -> Result<&str, Seen> {
        self.policy_tag.as_deref().ok_or(Seen::NotAsked("FINOPS_LIVE_POLICY_TAG"))
    }

    /// Creates the datasets, after a test that the bucket can be written to.
    pub async fn set_up(&self) -> Result<(), Seen> {
        self.put("begun", Vec::new()).await?;
        self.create_dataset(&self.dataset).await?;
        self.create_dataset(&self.other_dataset).await
    }

    async fn create_dataset(&self, name: &str) -> Result<(), Seen> {
        let dataset = json!({
            "datasetReference": {"projectId": self.project, "datasetId": name},
            "location": self.location,
            "description": "Created by the live suite of finops, which removes it when it ends.",
            "defaultTableExpirationMs": TABLES_EXPIRE_AFTER.as_millis().to_string(),
        });
        let created = self.call(Method::POST, &["datasets"], &dataset).await?;
        created.accepted(&format!("creating dataset {name}")).map(drop)
    }

    /// Removes everything that was created. Returns what could not be removed.
    pub async fn clean_up(&self) -> Vec<String> {
        let mut left = Vec::new();
        for name in [&self.dataset, &self.other_dataset] {
            let mut url = self.bigquery_url("bigquery/v2", &["datasets", name]);
            url.query_pairs_mut().append_pair("deleteContents", "true");
            left.extend(self.remove(url, &format!("dataset {}.{name}", self.project)).await);
        }
        match self.objects().await {
            Ok(names) => {
                for name in names {
                    let url = with_path(&self.storage, &["storage", "v1", "b", &self.bucket, "o", &name]);
                    left.extend(self.remove(url, &format!("gs://{}/{name}", self.bucket)).await);
                }
            }
            Err(why) => left.push(format!("gs://{}/{}: {why}", self.bucket, self.prefix)),
        }
        left
    }

    async fn remove(&self, url: Url, what: &str) -> Option<String> {
        match self.send(|| self.http.delete(url.clone())).await {
            Ok(answer) if answer.status == 404 => None,
            Ok(answer) => answer.accepted(what).err().map(|why| why.to_string()),
            Err(why) => Some(format!("{what}: {why}")),
        }
    }

    /// The objects that were written to the bucket.
    pub async fn objects(&self) -> Result<Vec<String>, Seen> {
        let (mut names, mut token) = (Vec::new(), String::new());
        loop {
            let url = with_path(&self.storage, &["storage", "v1", "b", &self.bucket, "o"]);
            let list = || self.http.get(url.clone()).query(&[("prefix", &self.prefix), ("pageToken", &token)]);
            let page = self.send(list).await?.accepted("listing objects")?;
            let items = page["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            names.extend(items.iter().filter_map(|item| item["name"].as_str().map(str::to_owned)));
            match page["nextPageToken"].as_str() {
                Some(next) => next.clone_into(&mut token),
                None => return Ok(names),
            }
        }
    }

    /// Puts an object below [`Place::prefix`]. Returns its URI.
    pub async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<String, Seen> {
        let url = with_path(&self.storage, &["upload", "storage", "v1", "b", &self.bucket, "o"]);
        let name = format!("{}{name}", self.prefix);
        let put = || {
            let request = self.http.post(url.clone()).query(&[("uploadType", "media"), ("name", &name)]);
            request.header("Content-Type", "application/octet-stream").body(bytes.clone())
        };
        let uri = format!("gs://{}/{name}", self.bucket);
        self.send(put).await?.accepted(&format!("writing {uri}")).map(|_| uri)
    }

    /// A name that nothing else of this run has.
    pub fn new_name(&self) -> String {
        format!("finops-live-{}-{}", self.run, self.sent.fetch_add(1, Ordering::Relaxed))
    }

    /// A job's configuration under an id.
    pub fn job(&self, id: &str, configuration: &Value) -> Value {
        let reference = json!({"projectId": self.project, "jobId": id, "location": self.location});
        json!({"jobReference": reference, "configuration": configuration})
    }

    /// Runs a job to its end, whichever that is.
    pub async fn run(&self, configuration: &Value) -> Result<Value, Seen> {
        let id = self.new_name();
        let inserted = self.call(Method::POST, &["jobs"], &self.job(&id, configuration)).await?;
        // The answer to a first insert may have been lost.
        if inserted.status != 409 {
            inserted.accepted("inserting a job")?;
        }
        self.ended(&id).await
    }

    /// The job, once it is done.
    pub async fn ended(&self, id: &str) -> Result<Value, Seen> {
        let mut url = self.bigquery_url("bigquery/v2", &["jobs", id]);
        url.query_pairs_mut().append_pair("location", &self.location);
        let begun = Instant::now();
        let mut pause = Duration::from_millis(20);
        loop {
            let answer = self.send(|| self.http.get(url.clone())).await?;
            // A new job may not be found at first.
            let job = if answer.status == 404 { answer.body } else { answer.accepted(&format!("reading job {id}"))? };
            let state = job["status"]["state"].as_str().unwrap_or("not to be found");
            if state == "DONE" {
                return Ok(job);
            }
            if begun.elapsed() > LONGEST_JOB {
                return Err(Seen::NotAnswered(format!("job {id} is {state} after {} s", LONGEST_JOB.as_secs())));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Runs a statement. Returns its rows.
    pub async fn query(&self, sql: &str) -> Result<Rows, Seen> {
        let request = json!({
            "query": sql,
            "useLegacySql": false,
            "location": self.location,
            "maximumBytesBilled": MOST_BYTES_BILLED.to_string(),
        });
        let mut answer = self.call(Method::POST, &["queries"], &request).await?.accepted(sql)?;
        if answer["jobComplete"] != true {
            let id = answer["jobReference"]["jobId"].as_str().unwrap_or_default().to_owned();
            self.ended(&id).await?;
            let mut url = self.bigquery_url("bigquery/v2", &["queries", &id]);
            url.query_pairs_mut().append_pair("location", &self.location);
            answer = self.send(|| self.http.get(url.clone())).await?.accepted(sql)?;
        }
        let rows = answer["rows"].as_array().cloned().unwrap_or_default();
        let text = |cell: &Value| cell["v"].as_str().unwrap_or("NULL").to_owned();
        Ok(rows.iter().map(|row| row["f"].as_array().into_iter().flatten().map(text).collect()).collect())
    }

    /// A request to BigQuery, with the path's components after `projects/<project>`; `body` is left out where it is NULL.
    pub async fn call(&self, method: Method, path: &[&str], body: &Value) -> Result<Answered, Seen> {
        let url = self.bigquery_url("bigquery/v2", path);
        let request = || {
            let request = self.http.request(method.clone(), url.clone());
            if body.is_null() { request } else { request.json(body) }
        };
        self.send(request).await
    }

    /// Who runs the questions.
    pub async fn account(&self) -> Result<String, Seen> {
        let reference = json!({"projectId": self.project, "location": self.location});
        let query = json!({"query": "SELECT 1", "useLegacySql": false});
        let job = json!({"jobReference": reference, "configuration": {"dryRun": true, "query": query}});
        let answer = self.call(Method::POST, &["jobs"], &job).await?.accepted("inserting a dry run")?;
        let account = answer["user_email"].as_str().map(str::to_owned);
        account.ok_or_else(|| Seen::NotAnswered("a dry run does not name the account".to_owned()))
    }

    /// The names of the dataset's tables. They fit on one page.
    pub async fn tables(&self) -> Result<Vec<String>, Seen> {
        let mut url = self.bigquery_url("bigquery/v2", &["datasets", &self.dataset, "tables"]);
        url.query_pairs_mut().append_pair("maxResults", "1000");
        let list = self.send(|| self.http.get(url.clone())).await?.accepted("listing tables")?;
        let tables = list["tables"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(tables.iter().filter_map(|table| table["tableReference"]["tableId"].as_str().map(str::to_owned)).collect())
    }

    /// The texts of a column of a table or of one of its months, in order; a list of rows costs nothing.
    pub async fn texts(&self, dataset: &str, table: &str, column: &str) -> Result<Vec<String>, Seen> {
        let mut url = self.bigquery_url("bigquery/v2", &["datasets", dataset, "tables", table, "data"]);
        url.query_pairs_mut().append_pair("selectedFields", column);
        let list = self.send(|| self.http.get(url.clone())).await?.accepted(&format!("listing rows of {table}"))?;
        let rows = list["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut texts: Vec<_> = rows.iter().map(|row| row["f"][0]["v"].as_str().unwrap_or("NULL").to_owned()).collect();
        texts.sort();
        Ok(texts)
    }

    /// Begins to send data along with a job.
    pub async fn begin_upload(&self, job: &Value) -> Result<Answered, Seen> {
        let url = self.bigquery_url("upload/bigquery/v2", &["jobs"]);
        self.send(|| {
            self.http
                .post(url.clone())
                .query(&[("uploadType", "resumable")])
                .header(UPLOAD_TYPE, "application/octet-stream")
                .json(job)
        })
        .await
    }

    /// Sends all data to the URL that [`Place::begin_upload`] gave.
    pub async fn upload(&self, session: &str, data: &[u8]) -> Result<Answered, Seen> {
        let range = format!("bytes 0-{}/{}", data.len() - 1, data.len());
        self.send(|| self.http.put(session).header("Content-Range", &range).body(data.to_vec())).await
    }

    fn bigquery_url(&self, root: &str, path: &[&str]) -> Url {
        let root: Vec<&str> = root.split('/').chain(["projects", &self.project]).collect();
        with_path(&self.bigquery, &[&root, path].concat())
    }

    /// Sends the request again until there is an answer that is not a temporary failure.
    async fn send(&self, request: impl Fn() -> RequestBuilder) -> Result<Answered, Seen> {
        let attempt = async || {
            let headers = match self.credentials.headers(Extensions::new()).await {
                Ok(CacheableResource::New { data, .. }) => data,
                Ok(CacheableResource::NotModified) => HeaderMap::new(),
                Err(error) => return Err((format!("no usable credentials: {}", chain(&error)), error.is_transient())),
            };
            let no_answer = |error: reqwest::Error| (format!("no answer: {}", chain(&error.without_url())), true);
            let answer = request().headers(headers).send().await.map_err(no_answer)?;
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            let body = serde_json::from_slice(&answer.bytes().await.map_err(no_answer)?).unwrap_or_default();
            let answered = Answered { status, headers, body };
            match status {
                429 | 500 | 502..=504 => Err((answered.failure(), true)),
                // So many tables cannot be created at once.
                403 if answered.reason() == "rateLimitExceeded" => Err((answered.failure(), true)),
                _ => Ok(answered),
            }
        };
        let answered = attempt.retry(ExponentialBuilder::default()).when(|(_, goes_away)| *goes_away).await;
        answered.map_err(|(why, _)| Seen::NotAnswered(why))
    }
}

fn with_path(url: &Url, path: &[&str]) -> Url {
    let mut url = url.clone();
    url.path_segments_mut().unwrap().pop_if_empty().extend(path);
    url
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", chain(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}
