//! The program `billing-exports`: writes exports to a folder and reports their figures.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use billing_exports::{Content, Dialect, Export, Format, Layout, ManifestForm, Month, Run};
use clap::Parser;
use serde_json::json;

const EXAMPLES: &str = "\
Examples:
  billing-exports aws-cur2 exports --months 2025-08,2025-09 --format parquet --rows 100000 --parts 4
  billing-exports azure-actual-enterprise exports --months 2025-09 --format csv --daily --currencies EUR,USD";

/// Writes a billing export as its provider does, with made-up figures. Prints one line of JSON for each delivery, with
/// the figures that a loader must find. The same flags write the same bytes.
#[derive(Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
#[command(version, after_help = EXAMPLES)]
struct Options {
    /// Provider and type of the export
    dialect: Dialect,
    /// Folder in which the export's own folder is created
    folder: PathBuf,
    /// Billing months
    #[arg(long, value_name = "YYYY-MM", value_delimiter = ',', required = true)]
    months: Vec<Month>,
    /// Format of the data files
    #[arg(long, default_value = "csv-gzip")]
    format: Format,
    /// Folders of a run's files
    #[arg(long, default_value = "versioned")]
    layout: Layout,
    /// Properties of the manifest
    #[arg(long, default_value = "full")]
    manifest: ManifestForm,
    /// What the line items are
    #[arg(long, default_value = "random")]
    content: Content,
    /// Name of the export
    #[arg(long, default_value = "daily")]
    name: String,
    /// Rows of a whole month
    #[arg(long, default_value_t = 1_000)]
    rows: usize,
    /// Data files of a delivery
    #[arg(long, default_value_t = 1)]
    parts: usize,
    /// Seed of all amounts and ids
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Currencies of the rows, in turn
    #[arg(long, value_name = "CODES", value_delimiter = ',', default_value = "USD")]
    currencies: Vec<String>,
    /// Number of deliveries of each whole month
    #[arg(long, default_value_t = 1, conflicts_with = "daily")]
    runs: u32,
    /// Number of the first of these runs, to continue an earlier call
    #[arg(long, value_name = "NUMBER", default_value_t = 1, conflicts_with = "daily")]
    first_run: u32,
    /// Last day of each month to cover
    #[arg(long, value_name = "DAY", value_parser = clap::value_parser!(i8).range(1..=28), conflicts_with = "daily")]
    until: Option<i8>,
    /// Deliver each month once a day, each time with one more day
    #[arg(long)]
    daily: bool,
    /// Put every third row into the previous billing period
    #[arg(long)]
    two_periods: bool,
    /// Begin Azure's CSV files with a byte order mark
    #[arg(long)]
    byte_order_mark: bool,
    /// Write days in Azure's CSV files as 2025-09-30, not 09/30/2025
    #[arg(long)]
    iso_dates: bool,
}

#[expect(clippy::print_stderr, reason = "errors are for people")]
fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> io::Result<()> {
    let export = Export {
        dialect: options.dialect,
        format: options.format,
        layout: options.layout,
        manifest: options.manifest,
        content: options.content,
        name: options.name,
        seed: options.seed,
        rows: options.rows,
        parts: options.parts,
        currencies: options.currencies,
        two_periods: options.two_periods,
        byte_order_mark: options.byte_order_mark,
        iso_dates: options.iso_dates,
    };
    for month in options.months {
        let runs = if options.daily {
            Run::daily(month)
        } else {
            let numbers = options.first_run..options.first_run.saturating_add(options.runs);
            let whole = numbers.map(|number| Run::again(month, number));
            whole.map(|run| if let Some(day) = options.until { run.until(day) } else { run }).collect()
        };
        for run in runs {
            let figures = json!(export.deliver(&options.folder, &run)?);
            match writeln!(io::stdout(), "{figures}") {
                // As in `| head`: the other deliveries are still to be written.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                written => written?,
            }
        }
    }
    Ok(())
}
