//! How an emulator behaves, also as the flags of the program.

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

/// A BigQuery REST server over DuckDB, for tests and trials without an account. Rows live in memory
/// and end with the process.
#[derive(Debug, Clone, Parser)]
#[command(version, after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the program")]
pub struct Options {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 9050)]
    pub port: u16,
    /// Project of the datasets made at the start; requests may name any project
    #[arg(long, default_value = "demo")]
    pub project: String,
    /// Dataset to make at the start, in US unless a location is given; may be repeated
    #[arg(long = "dataset", value_name = "NAME[:LOCATION]", value_parser = dataset)]
    pub datasets: Vec<(String, String)>,
    /// Storage server (GCS JSON API) that gs:// objects come from
    #[arg(long, value_name = "URL")]
    pub storage: Option<String>,
    /// Milliseconds added to every request
    #[arg(long, value_name = "MS", default_value = "0", value_parser = milliseconds)]
    pub latency: Duration,
    /// Milliseconds that a job that writes a table by load or query runs at least
    #[arg(long, value_name = "MS", default_value = "0", value_parser = milliseconds)]
    pub job_duration: Duration,
    /// Take a partition truncate whose schema lacks columns of the table, in case the real service does
    #[arg(long)]
    pub allow_missing_columns: bool,
    /// Load empty unquoted CSV fields of STRING columns as empty strings, not as NULL, where no nullMarkers are given
    #[arg(long)]
    pub empty_fields_as_text: bool,
    /// Refuse exponents in CSV fields of BIGNUMERIC columns
    #[arg(long)]
    pub refuse_exponents: bool,
    /// Refuse REQUIRED Parquet fields, keys of maps included, where the schema says NULLABLE
    #[arg(long)]
    pub refuse_required_fields: bool,
    /// Answer 404 to the first job in each dataset that a request made
    #[arg(long)]
    pub hide_new_datasets: bool,
    /// Refuse INSERT and DELETE, also in a dry run, as in a project without billing
    #[arg(long)]
    pub sandbox: bool,
    /// Let a WRITE_TRUNCATE, by copy, load or query, keep column descriptions, policy tags and row access policies
    #[arg(long)]
    pub truncates_keep_annotations: bool,
    /// Leave the id of a copy job that is refused at its insert unused
    #[arg(long)]
    pub refused_copies_free_their_id: bool,
    /// Refuse to make more tables than this in a second
    #[arg(long, value_name = "N")]
    pub tables_per_second: Option<usize>,
    /// Refuse more than five changes of an unpartitioned table in ten seconds, INSERTs included
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
    /// The other world: whatever nobody is sure of is the other way round.
    #[must_use]
    pub fn turned() -> Self {
        Self {
            allow_missing_columns: true,
            empty_fields_as_text: true,
            refuse_exponents: true,
            refuse_required_fields: true,
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
