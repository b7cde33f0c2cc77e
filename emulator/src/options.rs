//! The options of an emulator, which are also the flags of the program.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use clap::Parser;

const EXAMPLES: &str = "\
Examples:
  bigquery-emulator --dataset billing
  bigquery-emulator --port 9050 --project demo --dataset billing:EU --storage http://127.0.0.1:4443
  BIGQUERY_EMULATOR_HOST=http://127.0.0.1:9050 finops plan aws";

/// A BigQuery REST server over DuckDB, for tests and trials without an account. Rows are in memory only.
#[derive(Debug, Clone, Parser)]
#[command(version, after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the program")]
pub struct Options {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// Port to listen on; 0 selects a free one
    #[arg(long, default_value_t = 9050)]
    pub port: u16,
    /// Project of the datasets created at the start; requests may name any project
    #[arg(long, default_value = "demo")]
    pub project: String,
    /// Dataset to create at the start, in US unless a location is given; may be repeated
    #[arg(long = "dataset", value_name = "NAME[:LOCATION]", value_parser = dataset)]
    pub datasets: Vec<(String, String)>,
    /// Storage server (GCS JSON API) to read gs:// objects from
    #[arg(long, value_name = "URL")]
    pub storage: Option<String>,
    /// Milliseconds added to every request
    #[arg(long, value_name = "MS", default_value = "0", value_parser = milliseconds)]
    pub latency: Duration,
    /// Minimum run time of a job that writes a table by load, copy or query, in milliseconds
    #[arg(long, value_name = "MS", default_value = "0", value_parser = milliseconds)]
    pub job_duration: Duration,
    /// Accept a truncate of a partition whose schema lacks columns of the table
    #[arg(long)]
    pub allow_missing_columns: bool,
    /// Load empty unquoted CSV fields of STRING columns as empty strings, not as NULL, unless nullMarkers are given
    #[arg(long)]
    pub empty_fields_as_text: bool,
    /// Refuse exponents in CSV fields of BIGNUMERIC columns
    #[arg(long)]
    pub refuse_exponents: bool,
    /// Refuse REQUIRED Parquet fields, including keys of maps, where the schema says NULLABLE
    #[arg(long)]
    pub refuse_required_fields: bool,
    /// Refuse Parquet timestamps that are not marked as UTC where the schema says TIMESTAMP
    #[arg(long)]
    pub refuse_local_timestamps: bool,
    /// Answer 404 to the first job in each dataset that a request created
    #[arg(long)]
    pub hide_new_datasets: bool,
    /// Refuse INSERT and DELETE, also in dry runs, as BigQuery does in a project without billing
    #[arg(long)]
    pub sandbox: bool,
    /// Keep column descriptions, policy tags and row access policies when a copy, load or query truncates
    #[arg(long)]
    pub truncates_keep_annotations: bool,
    /// Do not use up the id of a copy job that is refused at its insert
    #[arg(long)]
    pub refused_copies_free_their_id: bool,
    /// Refuse to create more than N tables in a second
    #[arg(long, value_name = "N")]
    pub tables_per_second: Option<usize>,
    /// Refuse more than five changes of an unpartitioned table in ten seconds; INSERTs count
    #[arg(long)]
    pub limit_table_updates: bool,
    /// Print each request on stderr
    #[arg(long)]
    pub log: bool,
}

impl Default for Options {
    /// No dataset and no storage, on a free port.
    fn default() -> Self {
        Self {
            host: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            project: "demo".to_owned(),
            datasets: Vec::new(),
            storage: None,
            latency: Duration::ZERO,
            job_duration: Duration::ZERO,
            allow_missing_columns: false,
            empty_fields_as_text: false,
            refuse_exponents: false,
            refuse_required_fields: false,
            refuse_local_timestamps: false,
            hide_new_datasets: false,
            sandbox: false,
            truncates_keep_annotations: false,
            refused_copies_free_their_id: false,
            tables_per_second: None,
            limit_table_updates: false,
            log: false,
        }
    }
}

impl Options {
    /// The default options, with the other behaviour wherever BigQuery's is uncertain.
    #[must_use]
    pub fn alternative() -> Self {
        Self {
            allow_missing_columns: true,
            empty_fields_as_text: true,
            refuse_exponents: true,
            refuse_required_fields: true,
            refuse_local_timestamps: true,
            hide_new_datasets: true,
            truncates_keep_annotations: true,
            refused_copies_free_their_id: true,
            ..Self::default()
        }
    }
}

fn dataset(text: &str) -> Result<(String, String), String> {
    let (name, location) = text.split_once(':').unwrap_or((text, "US"));
    if name.is_empty() || location.is_empty() {
        return Err("expected NAME or NAME:LOCATION, such as billing:EU".to_owned());
    }
    Ok((name.to_owned(), location.to_owned()))
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_millis).map_err(|error| format!("expected milliseconds: {error}"))
}
