//! The `finops` program: parse, dispatch, exit code.

use finops::{
    cli::{Cli, OutputForm},
    commands::{self, Exit},
    output,
    settings::{self, Environment, Problem},
    telemetry,
};
use finops_core::model::run_id::run_id;
use jiff::Timestamp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{Instrument, field::Empty, info_span};

#[expect(unsafe_code, reason = "the libraries of the clouds read the process's environment, and set_var is unsafe")]
fn main() {
    let environment = settings::process_environment(!telemetry::is_structured());
    for (name, value) in environment.iter().flat_map(Environment::for_libraries) {
        // SAFETY: no other thread runs before `start`.
        unsafe { std::env::set_var(name, value) };
    }
    start(environment);
}

#[tokio::main]
async fn start(environment: Result<Environment, Vec<Problem>>) {
    // First: before this, a signal kills the process without a message.
    let signals = Signals::listen();
    let read = Cli::read();
    telemetry::start(read.as_ref().map(Cli::verbosity).unwrap_or_default());
    let cli = read.unwrap_or_else(|error| {
        if error.use_stderr() {
            let reported = output::usage(&error.to_string());
            output::no_report(OutputForm::asked_for(), &reported, &[]);
            std::process::exit(error.exit_code());
        }
        error.exit()
    });
    let run_id = run_id(Timestamp::now(), std::process::id());
    let span = info_span!("run", run_id, pipeline = Empty);
    let code = Box::pin(run(cli, environment, run_id, signals)).instrument(span).await;
    // A return would wait for a DuckDB transaction. DuckDB rolls back a transaction that the end of the process cut off.
    std::process::exit(code);
}

async fn run(
    cli: Cli,
    environment: Result<Environment, Vec<Problem>>,
    run_id: String,
    signals: Option<Signals>,
) -> i32 {
    tokio::select! {
        biased;
        code = interrupted(signals) => code,
        exit = commands::execute(cli, environment, OutputForm::asked_for(), run_id) => match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
        },
    }
}

/// The signals that stop the process. Process 1 of a container ignores signals without a handler.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// `None` where the system does not allow it.
    fn listen() -> Option<Self> {
        let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
        Some(Self { interrupt: interrupt.ok()?, terminate: terminate.ok()? })
    }
}

/// Ends when a signal to stop arrives, with the exit code for that signal.
async fn interrupted(signals: Option<Signals>) -> i32 {
    let Some(Signals { mut interrupt, mut terminate }) = signals else { return std::future::pending().await };
    let code = tokio::select! {
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
    };
    tracing::warn!("stopped by a signal: no month is half loaded, and the next run continues from here");
    code
}
