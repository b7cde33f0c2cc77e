//! The settings that each step of the staged pipeline needs.

use std::{path::PathBuf, sync::Arc};

use finops_core::{
    formats::{
        Format, formats,
        staging::{ParquetFiles, StagedFiles},
    },
    model::{
        provider::Provider,
        shown::{Secret, shown},
    },
    plan::age::MaxAge,
};
use jiff::SignedDuration;

use super::{
    file::{EVERYWHERE, Values},
    form::Form,
    problem::Problems,
    values::{self, hours},
};
use crate::{
    flow::export::{Export, Months, Source},
    storage::S3Options,
    warehouse::bigquery,
};

/// Settings for one provider's staged pipeline.
#[derive(Debug)]
pub struct StagedSettings<'a> {
    /// The provider of the export.
    pub provider: Provider,
    /// The values.
    pub values: &'a Values,
    /// The problems of the settings that were read so far.
    pub problems: Problems,
}

impl StagedSettings<'_> {
    /// The export where its provider delivers it.
    pub fn delivered(&mut self) -> Export {
        let (source, prefix) = self.source();
        self.values.checked(&self.key("export_name"), &mut self.problems);
        self.values.checked("aws.endpoint_url", &mut self.problems);
        self.export(formats(self.provider), source, prefix.trim_matches('/').to_owned(), "", String::new())
    }

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.provider.as_str())
    }

    /// Bucket and prefix, or the source: the one that is given nearer to the command line.
    fn source(&mut self) -> (Source, String) {
        let values = self.values;
        let [bucket_key, source_key, prefix_key] = ["bucket", "source", "prefix"].map(|name| self.key(name));
        let prefix = values.checked(&prefix_key, &mut self.problems).unwrap_or_default();
        let prefix_name = values.name_beside(&prefix_key, &bucket_key);
        let has_bucket = values.is_nearer(&bucket_key, &source_key);
        if self.provider == Provider::Aws && (has_bucket || values.get(&source_key).is_none()) {
            let bucket = values.required(&bucket_key, "the S3 bucket with the export", &mut self.problems);
            if let Some(("s3", bucket)) = values::bucket_url(&bucket)
                && !bucket.trim_end_matches('/').contains('/')
            {
                return (Source::S3(bucket.trim_end_matches('/').to_owned()), prefix.to_owned());
            }
            // It may be the ARN of an access point, which has `:` and `/`.
            let is_wrong =
                bucket.contains(['?', '@']) || bucket.contains("://") || values::bucket_url(&bucket).is_some();
            let what =
                || format!("is `{}`: a bucket's bare name was expected; a path goes to {prefix_name}", shown(&bucket));
            self.problems.refuse(&values.name(&bucket_key), is_wrong.then(what), EVERYWHERE);
            return (Source::S3(bucket), prefix.to_owned());
        }
        let (key, place) = if has_bucket {
            let bucket = values.get(&bucket_key).unwrap_or_default();
            // AWS writes to S3. Other exports may be in any kind of bucket.
            if values::bucket_url(bucket).is_none() {
                let bucket = shown(bucket);
                let what = format!("is `{bucket}`: gs://{bucket} or s3://{bucket} was expected");
                self.problems.add(&values.name(&bucket_key), what, EVERYWHERE);
                return (Source::Local(PathBuf::new()), String::new());
            }
            (&bucket_key, bucket.to_owned())
        } else {
            let what = "a folder, gs://bucket/prefix or s3://bucket/prefix with the export";
            (&source_key, values.required(&source_key, what, &mut self.problems))
        };
        let (source, within) = values::source(&place, &values.name(key), EVERYWHERE, &mut self.problems);
        if has_bucket && !within.is_empty() {
            let what =
                format!("is `{}`: a bucket was expected; `{}` goes to {prefix_name}", shown(&place), shown(&within));
            self.problems.add(&values.name(&bucket_key), what, EVERYWHERE);
        }
        let is_prefixed = has_bucket || values.is_nearer(&prefix_key, &source_key);
        (source, if is_prefixed { prefix.to_owned() } else { within })
    }

    /// The export in the staging folder, which is loaded into DuckDB.
    pub fn staged(&mut self) -> Export {
        let schema = self.values.checked("database.duckdb.schema", &mut self.problems).unwrap_or_default().to_owned();
        let table = self.table(&self.key("table_id"), Form::DuckDbName);
        let source = Source::Local(self.path("staging_dir"));
        self.export(vec![Arc::new(StagedFiles(self.provider))], source, String::new(), &schema, table)
    }

    /// The export as Parquet, which is loaded into BigQuery.
    pub fn parquet(&mut self) -> Export {
        const DATASET: &str = "database.bigquery.dataset_id";
        const TABLE: &str = "database.bigquery.table_id";
        let dataset = self.values.required(DATASET, "the BigQuery dataset", &mut self.problems);
        let is_of_all = self.provider == Provider::Aws && self.values.get(TABLE).is_some();
        let key = if is_of_all { TABLE.to_owned() } else { self.key("table_id") };
        let table = self.table(&key, Form::BigQueryTable);
        let source = Source::Local(self.path("parquet_dir"));
        self.export(vec![Arc::new(ParquetFiles(self.provider))], source, String::new(), &dataset, table)
    }

    /// A table, in the form of its warehouse.
    fn table(&mut self, key: &str, form: Form) -> String {
        let table = self.values.get(key).unwrap_or_default();
        self.problems.refuse(&self.values.name(key), form.problem(table), EVERYWHERE);
        table.to_owned()
    }

    fn export(
        &mut self,
        formats: Vec<Arc<dyn Format>>,
        source: Source,
        prefix: String,
        dataset: &str,
        table: String,
    ) -> Export {
        let name_key = self.key("export_name");
        let name = self.values.get(&name_key).map(str::to_owned);
        let name_setting = self.values.name_beside(&name_key, &self.key("bucket"));
        let (provider, values, problems) = (self.provider, self.values, &mut self.problems);
        let key = |suffix: &str| format!("{}.{}", provider.as_str(), suffix.to_ascii_lowercase());
        let options = values::options(key("LEAVE_OUT"), |suffix| values.checked(&key(suffix), problems));
        let dataset = dataset.to_owned();
        Export { provider, formats, options, label: None, name, name_setting, source, prefix, dataset, table }
    }

    /// The file or folder that a setting names.
    pub fn path(&self, key: &str) -> PathBuf {
        PathBuf::from(self.values.get(key).unwrap_or_default())
    }

    /// How to reach BigQuery; `emulator_host` is a local server's.
    pub fn bigquery(&mut self, emulator_host: Option<String>) -> bigquery::Options {
        let project =
            self.values.required("database.bigquery.project_id", "the project of the dataset", &mut self.problems);
        let mut checked = |name: &str| {
            self.values.checked(&format!("database.bigquery.{name}"), &mut self.problems).map(str::to_owned)
        };
        bigquery::Options {
            project,
            job_project: checked("job_project_id"),
            labels: checked("labels").as_deref().map(values::labels).unwrap_or_default(),
            default_location: checked("location").unwrap_or_default(),
            staging_dataset: checked("staging_dataset"),
            emulator_host,
            credentials_path: self.values.get("database.bigquery.credentials_path").map(PathBuf::from),
            // One upload at a time: they share this machine's connection.
            concurrency: 1,
            forgotten_after: bigquery::FORGOTTEN_AFTER,
        }
    }

    /// Whether BigQuery is configured.
    pub fn names_bigquery(&self) -> bool {
        ["project_id", "dataset_id"].iter().any(|key| self.values.get(&format!("database.bigquery.{key}")).is_some())
    }

    /// The settings of S3.
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

    /// The months from the first date to the last.
    pub fn months(&mut self, dates: [Option<&str>; 2]) -> Months {
        let [start, end] = dates;
        let named = [start.map(|date| ("--start-date", date)), end.map(|date| ("--end-date", date))];
        values::months(named, &["command line"], &mut self.problems)
    }

    /// How long a month may wait for its files.
    pub fn wait_max(&mut self) -> SignedDuration {
        self.values.checked("wait_max_hours", &mut self.problems).map(hours).unwrap_or_default()
    }

    /// How old an export's newest delivery may be, if the last of `months` is not over.
    pub fn max_age(&mut self, months: &Months) -> MaxAge {
        let setting = "max_age_hours";
        let limit = self.values.checked(setting, &mut self.problems).map(hours);
        MaxAge { setting, limit, last_month: months.end }
    }
}
