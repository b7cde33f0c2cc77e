//! Where a case is delivered, and finops with the settings to load it from there.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use tempfile::TempDir;

use crate::formats::cases::truth::{self, FromS3, Run, Step};
use crate::{
    storage::{
        s3::{S3Server, SECRET, files},
        store_requests::{archiving, encrypting},
    },
    support::{
        harness::Rows,
        program::{BUCKET, DATASET, Finops, Outcome},
        servers::{BigQueryServer, PROJECT, StorageServer, bigquery},
    },
};

/// How finops loads.
#[derive(Clone, Copy, PartialEq)]
pub enum Way {
    /// The job, from a folder or S3 into DuckDB.
    DuckDb,
    /// The job, from a bucket into the BigQuery emulator.
    BigQuery,
    /// The staged pipeline, from a folder or S3 by way of a staging folder into DuckDB and Parquet files.
    Staged,
}

/// The texts that a query returns.
type Query<'a> = dyn Fn(&str) -> Result<Rows, String> + 'a;

pub struct Place {
    way: Way,
    folder: TempDir,
    s3: Option<S3Server>,
    cloud: Option<(StorageServer, BigQueryServer)>,
}

impl Place {
    pub async fn new(way: Way, steps: &[Step]) -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir_all(folder.path().join("seed").join(BUCKET)).unwrap();
        let is_s3 = steps.iter().flat_map(|step| &step.runs).any(|run| run.s3.is_some());
        let s3 = if is_s3 { Some(S3Server::start().await) } else { None };
        let cloud = if way == Way::BigQuery {
            let storage = StorageServer::start(&folder.path().join("seed"));
            let emulator = bigquery(&storage).await;
            Some((storage, emulator))
        } else {
            None
        };
        Self { way, folder, s3, cloud }
    }

    fn exports(&self) -> PathBuf {
        self.folder.path().join("exports")
    }

    /// The files that runs with a table write beside the exports.
    fn files_of(&self, table: &str, name: &str) -> PathBuf {
        self.folder.path().join("work").join(table).join(name)
    }

    /// Delivers the files of a step: older files first, and manifests last among files of one age.
    pub async fn deliver(&self, case: &str, number: usize, step: &Step) {
        let from = truth::folder().join(case).join(number.to_string());
        let mut paths: Vec<String> = files(&from).iter().map(|path| key(path, &from)).collect();
        assert!(step.modified.keys().all(|path| paths.contains(path)), "a file of `modified` is not there");
        let age = |path: &String| step.modified.get(path).copied().unwrap_or(u64::MAX);
        paths.sort_by_key(|path| (age(path), path.to_ascii_lowercase().ends_with("manifest.json"), path.clone()));
        for path in &paths {
            let (bytes, to) = (fs::read(from.join(path)).unwrap(), self.exports().join(path));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(&to, &bytes).unwrap();
            if let Some(seconds) = step.modified.get(path) {
                let at = SystemTime::UNIX_EPOCH + Duration::from_secs(*seconds);
                File::options().write(true).open(&to).unwrap().set_modified(at).unwrap();
            }
            if let Some((storage, _)) = &self.cloud {
                storage.put(BUCKET, path, bytes).await;
            }
        }
        for from in step.runs.iter().filter_map(|run| run.s3.as_ref()) {
            self.put_in_s3(from).await;
        }
    }

    async fn put_in_s3(&self, from: &FromS3) {
        let folder = self.exports().join(&from.folder);
        for path in files(&folder) {
            let name = format!("{}{}", from.above, key(&path, &folder));
            self.s3.as_ref().unwrap().put(name, fs::read(&path).unwrap()).await;
        }
    }

    /// Runs once, into a table.
    pub async fn run(&self, run: &Run, table: &str) -> Outcome {
        let (provider, is_staged) = (run.pipeline.to_uppercase(), self.way == Way::Staged);
        let set = |finops: Finops, name: &str, value: &str| {
            finops.with(&format!("{}{provider}_{name}", if is_staged { "FINOPS_" } else { "" }), value)
        };
        let finops = run
            .settings
            .iter()
            .fold(self.program(&run.pipeline, table), |finops, (name, value)| set(finops, name, value));
        let finops = set(finops, "EXPORT_NAME", &run.export);
        if is_staged {
            let (finops, source) = self.source(set(finops, "TABLE_ID", table), run).await;
            return set(finops, "SOURCE", &source).run(&[&run.pipeline, "run-pipeline", "--output", "json"]);
        }
        let finops = set(set(finops, "DATASET", DATASET), "TABLE_NAME", table);
        let finops = if self.cloud.is_some() {
            set(set(finops, "GCS_BUCKET", BUCKET), "GCS_PREFIX", &run.source)
        } else {
            let (finops, source) = self.source(finops, run).await;
            set(finops, "SOURCE", &source)
        };
        finops.run(&["run", "--output", "json"])
    }

    /// The program with the settings of a table's warehouse.
    fn program(&self, pipeline: &str, table: &str) -> Finops {
        let work = |name: &str| self.files_of(table, name).to_str().unwrap().to_owned();
        let (finops, database) = (Finops::unconfigured(), work("finops.duckdb"));
        match (&self.cloud, self.way) {
            (Some((storage, emulator)), _) => finops
                .with("PIPELINE", pipeline)
                .with("GCP_PROJECT_ID", PROJECT)
                .with("STORAGE_EMULATOR_HOST", storage.url())
                .with("BIGQUERY_EMULATOR_HOST", &emulator.url()),
            (None, Way::Staged) => finops
                .with("FINOPS_DATABASE_DUCKDB_DATABASE_PATH", &database)
                .with("FINOPS_DATABASE_DUCKDB_SCHEMA", DATASET)
                .with("FINOPS_STAGING_DIR", &work("staging"))
                .with("FINOPS_PARQUET_DIR", &work("parquet")),
            (None, _) => finops.with("PIPELINE", pipeline).with("WAREHOUSE", "duckdb").with("DUCKDB_PATH", &database),
        }
    }

    /// The source's address, and what finops needs to read it.
    async fn source(&self, finops: Finops, run: &Run) -> (Finops, String) {
        let Some(from) = &run.s3 else {
            return (finops, self.exports().join(&run.source).to_str().unwrap().to_owned());
        };
        let server = &self.s3.as_ref().unwrap().url;
        let url = match &from.archived {
            Some(part) => archiving(server, part).await,
            None if from.encrypted => encrypting(server).await,
            None => server.clone(),
        };
        let finops = finops
            .with("AWS_ENDPOINT_URL", &url)
            .with("AWS_REGION", "us-east-1")
            .with("AWS_ACCESS_KEY_ID", "test")
            .with("AWS_SECRET_ACCESS_KEY", SECRET);
        (finops, format!("s3://{BUCKET}/{}", run.source))
    }

    /// The relations that have a table's rows, for [`Place::reader`]; one that does not exist has no columns.
    pub fn relations(&self, table: &str) -> Vec<String> {
        let parquet = self.files_of(table, "parquet/*.parquet");
        match self.way {
            Way::BigQuery => vec![format!("\"{PROJECT}:{DATASET}\".\"{table}\"")],
            Way::DuckDb => vec![format!("{DATASET}.\"{table}\"")],
            Way::Staged => vec![
                format!("{DATASET}.\"{table}\""),
                format!("read_parquet('{}', union_by_name = true)", parquet.display()),
            ],
        }
    }

    /// A value as text, in [`Place::reader`], for a column whose type has this name in DuckDB.
    pub fn text(&self, column: &str, column_type: &str) -> String {
        let column = format!("\"{}\"", column.replace('"', "\"\""));
        match (&self.cloud, column_type) {
            (Some(_), "BIGNUM") => format!("bq_bignumeric_text({column})"),
            _ => format!("{column}::VARCHAR"),
        }
    }

    /// Queries, in DuckDB's SQL and not through the program, what a table's runs left. Values are texts.
    pub fn reader(&self, table: &str) -> Box<Query<'_>> {
        if let Some((_, emulator)) = &self.cloud {
            return Box::new(|sql| emulator.query(sql));
        }
        let path = self.files_of(table, "finops.duckdb");
        let open = if path.exists() { duckdb::Connection::open(path) } else { duckdb::Connection::open_in_memory() };
        let connection = open.unwrap();
        connection.execute_batch("SET TimeZone = 'UTC'").unwrap();
        Box::new(move |sql| crate::warehouse::duckdb::rows(&connection, sql).map_err(|error| error.to_string()))
    }

    /// The text without the name of the temporary folder.
    pub fn without_folder(&self, text: &str) -> String {
        text.replace(self.folder.path().to_str().unwrap(), "")
    }
}

/// The path below the folder.
fn key(path: &Path, folder: &Path) -> String {
    path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned()
}
