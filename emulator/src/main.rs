//! The program `bigquery-emulator`: an emulator that runs alone.

use std::{net::IpAddr, net::SocketAddr, process::ExitCode, time::Duration};

use bigquery_emulator::{Emulator, Options};
use clap::Parser;

const EXAMPLES: &str = "\
Examples:
  bigquery-emulator --dataset billing
  bigquery-emulator --port 9050 --project demo --dataset billing:EU --storage http://127.0.0.1:4443
  BIGQUERY_EMULATOR_HOST=http://127.0.0.1:9050 finops plan aws";

/// A BigQuery REST server over DuckDB, for tests and trials without an account. Rows live in memory
/// and end with the process.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 9050)]
    port: u16,
    /// Project of the datasets made at the start; requests may name any project
    #[arg(long, default_value = "demo")]
    project: String,
    /// Dataset to make at the start, in US unless a location is given; may be repeated
    #[arg(long = "dataset", value_name = "NAME[:LOCATION]", value_parser = dataset)]
    datasets: Vec<(String, String)>,
    /// Storage server (GCS JSON API) that gs:// objects come from
    #[arg(long, value_name = "URL")]
    storage: Option<String>,
    /// Milliseconds added to every request
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency: u64,
    /// Milliseconds that a load job runs at least
    #[arg(long, value_name = "MS", default_value_t = 0)]
    job_duration: u64,
    /// Refuse a partition truncate whose schema lacks columns of the table
    #[arg(long)]
    strict_missing_columns: bool,
    /// Load empty unquoted CSV fields of STRING columns as NULL
    #[arg(long)]
    empty_string_as_null: bool,
    /// Print each request on stderr
    #[arg(long)]
    log: bool,
}

fn dataset(text: &str) -> Result<(String, String), String> {
    let (name, location) = text.split_once(':').unwrap_or((text, "US"));
    if name.is_empty() || location.is_empty() {
        return Err("expected NAME or NAME:LOCATION, such as billing:EU".to_owned());
    }
    Ok((name.to_owned(), location.to_owned()))
}

#[tokio::main]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the address is for the caller, errors for people")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options {
        address: SocketAddr::new(arguments.host, arguments.port),
        project: arguments.project,
        datasets: arguments.datasets,
        storage: arguments.storage,
        latency: Duration::from_millis(arguments.latency),
        job_duration: Duration::from_millis(arguments.job_duration),
        strict_missing_columns: arguments.strict_missing_columns,
        empty_string_as_null: arguments.empty_string_as_null,
        log: arguments.log,
    };
    let emulator = match Emulator::start(options).await {
        Ok(emulator) => emulator,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("BIGQUERY_EMULATOR_HOST={}", emulator.url());
    match tokio::signal::ctrl_c().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot wait for an interrupt: {error}");
            ExitCode::FAILURE
        }
    }
}
