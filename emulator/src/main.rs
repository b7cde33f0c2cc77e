//! The program `bigquery-emulator`.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use bigquery_emulator::{Emulator, Options};
use clap::Parser;

#[tokio::main]
#[expect(clippy::print_stderr, reason = "errors are for people")]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> io::Result<()> {
    let emulator = Emulator::start(options).await?;
    writeln!(io::stdout(), "BIGQUERY_EMULATOR_HOST={}", emulator.url())?;
    tokio::signal::ctrl_c().await
}
