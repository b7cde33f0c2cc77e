//! What each step of the staged pipeline needs, out of the settings.

use std::{ops::RangeInclusive, path::PathBuf, sync::Arc};

use finops_core::{
    formats::{
        Format, formats,
        staging::{ParquetFiles, StagedFiles},
    },
    model::{
        provider::Provider,
        shown::{Secret, shown},
    },
    plan::{age::MaxAge, leave_out::LeaveOut},
};
use jiff::SignedDuration;

use crate::{
    flow::export::{Export, ExportOptions, Months, Source},
    settings::{
        Problem, Values,
        exports::{
            wrong_dataset, wrong_export, wrong_in_bigquery, wrong_in_duckdb, wrong_location, wrong_prefix,
            wrong_project, wrong_url,
        },
        file::EVERYWHERE,
        problem::Problems,
        values::{self, MAX_AGE_HOURS, WAIT_MAX_HOURS, cur_version, hours, list, scopes},
    },
};
use crate::{storage::S3Options, warehouse::bigquery};

/// Settings for one provider's staged pipeline.
#[derive(Debug)]
pub struct StagedSettings<'a> {
    /// Whose exports.
    pub provider: Provider,
    /// All values.
    pub values: &'a Values,
    /// What is wrong with them, as far as steps asked.
    pub problems: Problems,
}

impl StagedSettings<'_> {
    /// The export where its provider delivers it.
    pub fn delivered(&mut self) -> Export {
        let (source, prefix) = self.place();
        let name = self.values.of(self.provider, "export_name");
        self.problems.refuse(
            &format!("{}.export_name", self.provider.as_str()),
            name.and_then(wrong_export),
            EVERYWHERE,
        );
        self.problems.refuse("aws.endpoint_url", self.values.get("aws.endpoint_url").and_then(wrong_url), EVERYWHERE);
        self.export(formats(self.provider), source, prefix.trim_matches('/').to_owned(), "", String::new())
    }

    /// Bucket and prefix, or the source in their place: of the two, that which is given nearer to the command line.
    fn place(&mut self) -> (Source, String) {
        let (values, provider) = (self.values, self.provider);
        let prefix = values.of(provider, "prefix").unwrap_or_default();
        self.problems.refuse(&format!("{}.prefix", provider.as_str()), wrong_prefix(prefix), EVERYWHERE);
        let has_bucket = values.is_nearer(provider, "bucket", "source");
        if provider == Provider::Aws && (has_bucket || values.of(provider, "source").is_none()) {
            let bucket = values.require("aws.bucket", "the S3 bucket with the export", &mut self.problems);
            // It may be the ARN of an access point, which has `:` and `/`.
            let is_wrong = bucket.contains(['?', '@']) || bucket.contains("://");
            let what =
                || format!("is `{}`: a bucket's bare name was expected; a path goes to aws.prefix", shown(&bucket));
            self.problems.refuse("aws.bucket", is_wrong.then(what), EVERYWHERE);
            return (Source::S3(bucket), prefix.to_owned());
        }
        let (key, place) = if has_bucket {
            let bucket = values.of(provider, "bucket").unwrap_or_default();
            // Azure's exports lie in any kind of bucket.
            if !["gs://", "s3://"].iter().any(|scheme| bucket.starts_with(scheme)) {
                let bucket = shown(bucket);
                let what = format!("is `{bucket}`: gs://{bucket} or s3://{bucket} was expected");
                self.problems.add("azure.bucket", what, EVERYWHERE);
                return (Source::Local(PathBuf::new()), String::new());
            }
            ("bucket", bucket.to_owned())
        } else {
            let what = "a folder, gs://bucket/prefix or s3://bucket/prefix with the export";
            let source = values.of(provider, "source").map(str::to_owned);
            ("source", source.unwrap_or_else(|| values.require("azure.source", what, &mut self.problems)))
        };
        let (source, within) = values::source(&place).unwrap_or_else(|what| {
            self.problems.add(&format!("{}.{key}", provider.as_str()), what, EVERYWHERE);
            (Source::Local(PathBuf::new()), String::new())
        });
        if has_bucket && !within.is_empty() {
            let what =
                format!("is `{}`: a bucket was expected; `{}` goes to azure.prefix", shown(&place), shown(&within));
            self.problems.add("azure.bucket", what, EVERYWHERE);
        }
        let is_prefixed = has_bucket || values.is_nearer(provider, "prefix", "source");
        (source, if is_prefixed { prefix.to_owned() } else { within })
    }

    fn options(&mut self) -> ExportOptions {
        // A key that the provider's section does not have gives nothing.
        ExportOptions {
            cur_version: self.option("cur_version", cur_version),
            scopes: self.option("scopes", scopes).unwrap_or_default(),
            keep_runs: self.option("keep_runs", list).unwrap_or_default(),
            leave_out: LeaveOut {
                setting: format!("{}.leave_out", self.provider.as_str()),
                entries: self.option("leave_out", list).unwrap_or_default(),
            },
            null_values: self.option("null_values", list).unwrap_or_default(),
        }
    }

    fn option<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let key = format!("{}.{name}", self.provider.as_str());
        parse(self.values.get(&key)?).map_err(|what| self.problems.add(&key, what, EVERYWHERE)).ok()
    }

    /// The export in the staging folder, on its way into DuckDB.
    pub fn staged(&mut self) -> Export {
        let schema = self.values.get("database.duckdb.schema").unwrap_or_default().to_owned();
        let table = self.values.of(self.provider, "table_id").unwrap_or_default().to_owned();
        self.problems.refuse("database.duckdb.schema", wrong_in_duckdb(&schema), EVERYWHERE);
        self.problems.refuse(&format!("{}.table_id", self.provider.as_str()), wrong_in_duckdb(&table), EVERYWHERE);
        self.export(
            vec![Arc::new(StagedFiles(self.provider))],
            Source::Local(self.staging_dir()),
            String::new(),
            &schema,
            table,
        )
    }

    /// The export as Parquet, on its way into BigQuery.
    pub fn parquet(&mut self) -> Export {
        let dataset = self.values.require("database.bigquery.dataset_id", "the BigQuery dataset", &mut self.problems);
        let of_aws = self.values.get("database.bigquery.table_id").filter(|_| self.provider == Provider::Aws);
        let table = of_aws.or(self.values.of(self.provider, "table_id")).unwrap_or_default().to_owned();
        self.problems.refuse("database.bigquery.dataset_id", wrong_dataset(&dataset), EVERYWHERE);
        let of_provider = format!("{}.table_id", self.provider.as_str());
        self.problems.refuse(
            of_aws.map_or(&of_provider, |_| "database.bigquery.table_id"),
            wrong_in_bigquery(&table),
            EVERYWHERE,
        );
        self.export(
            vec![Arc::new(ParquetFiles(self.provider))],
            Source::Local(self.parquet_dir()),
            String::new(),
            &dataset,
            table,
        )
    }

    fn export(
        &mut self,
        formats: Vec<Arc<dyn Format>>,
        source: Source,
        prefix: String,
        dataset: &str,
        table: String,
    ) -> Export {
        let name = self.values.of(self.provider, "export_name").map(str::to_owned);
        let (provider, options) = (self.provider, self.options());
        Export { provider, formats, options, label: None, name, source, prefix, dataset: dataset.to_owned(), table }
    }

    /// Where deliveries are staged.
    pub fn staging_dir(&self) -> PathBuf {
        PathBuf::from(self.values.get("staging_dir").unwrap_or_default())
    }

    /// Where Parquet files go.
    pub fn parquet_dir(&self) -> PathBuf {
        PathBuf::from(self.values.get("parquet_dir").unwrap_or_default())
    }

    /// The DuckDB file.
    pub fn database_path(&self) -> PathBuf {
        PathBuf::from(self.values.get("database.duckdb.database_path").unwrap_or_default())
    }

    /// How to reach BigQuery; `emulator_host` is a local server's.
    pub fn bigquery(&mut self, emulator_host: Option<String>) -> bigquery::Options {
        let project =
            self.values.require("database.bigquery.project_id", "the project of the dataset", &mut self.problems);
        let location = self.values.get("database.bigquery.location").unwrap_or_default().to_owned();
        self.problems.refuse("database.bigquery.project_id", wrong_project(&project), EVERYWHERE);
        self.problems.refuse("database.bigquery.location", wrong_location(&location), EVERYWHERE);
        let staging_dataset = self.values.get("database.bigquery.staging_dataset").map(str::to_owned);
        self.problems.refuse(
            "database.bigquery.staging_dataset",
            staging_dataset.as_deref().and_then(wrong_dataset),
            EVERYWHERE,
        );
        bigquery::Options {
            project,
            default_location: location,
            staging_dataset,
            emulator_host,
            credentials_path: self.values.get("database.bigquery.credentials_path").map(PathBuf::from),
            // One upload after the other: they share this machine's line.
            concurrency: 1,
            forgotten_after: bigquery::FORGOTTEN_AFTER,
        }
    }

    /// Whether BigQuery is configured.
    pub fn names_bigquery(&self) -> bool {
        ["project_id", "dataset_id"].iter().any(|key| self.values.get(&format!("database.bigquery.{key}")).is_some())
    }

    /// What is said of S3.
    pub fn s3(&self) -> S3Options {
        let value = |name: &str| self.values.get(&format!("aws.{name}")).map(str::to_owned);
        S3Options {
            access_key_id: value("aws_access_key_id"),
            secret_access_key: value("aws_secret_access_key").map(Secret::from),
            session_token: value("aws_session_token").map(Secret::from),
            region: value("region"),
            endpoint_url: value("endpoint_url"),
        }
    }

    /// The months that the two dates leave.
    pub fn months(&mut self, start: Option<&String>, end: Option<&String>) -> Months {
        values::months([start, end], ["--start-date", "--end-date"], "looked in: command line", &mut self.problems)
    }

    /// How long a month may wait for its files.
    pub fn wait_max(&mut self) -> SignedDuration {
        self.hours("wait_max_hours", WAIT_MAX_HOURS).unwrap_or_default()
    }

    /// How old an export's newest delivery may be, if the last of `months` is not over.
    pub fn max_age(&mut self, months: &Months) -> MaxAge {
        const SETTING: &str = "max_age_hours";
        MaxAge { setting: SETTING, limit: self.hours(SETTING, MAX_AGE_HOURS), last_month: months.end }
    }

    fn hours(&mut self, key: &str, range: RangeInclusive<i64>) -> Option<SignedDuration> {
        let text = self.values.get(key)?;
        hours(text, &range).map_err(|what| self.problems.add(key, what, EVERYWHERE)).ok()
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// All problems, if there are any.
    pub fn checked(self) -> Result<(), Vec<Problem>> {
        if self.problems.0.is_empty() { Ok(()) } else { Err(self.problems.0) }
    }
}
