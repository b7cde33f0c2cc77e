//! The `finops` program: parse, dispatch, exit code.

use clap::Parser;
use finops::{
    cli::Cli,
    commands::{self, Exit},
    config, output, telemetry,
};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() {
    let cli = Cli::parse();
    telemetry::start();
    let environment = match config::process_environment() {
        Ok(environment) => environment,
        Err(problems) => {
            output::problems(&problems);
            std::process::exit(2);
        }
    };
    let code = tokio::select! {
        exit = commands::execute(cli, &environment) => match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
        },
        code = interrupted() => code,
    };
    // Not by returning: that would wait for a DuckDB transaction, which DuckDB rolls back by itself.
    std::process::exit(code);
}

/// Ends when the process is told to stop, with the exit code for that. As process 1 of a container, it would ignore
/// signals that it does not handle.
async fn interrupted() -> i32 {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    let code = tokio::select! {
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
    };
    tracing::warn!("told to stop: no month is left half loaded, and the next run goes on from here");
    code
}
