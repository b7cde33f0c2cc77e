//! Logs on stderr: JSON lines that Cloud Logging understands in a Cloud Run job, plain ones elsewhere.

use std::{
    fmt::{self, Write},
    io::IsTerminal,
};

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::{Event, Level, Subscriber, field::Visit};
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// The AWS client warns of every place that has no region or credentials, though the next may have them; where none has,
/// the error says so.
const QUIET: &str = "aws_config::imds=error,aws_config::meta=error";

/// Whether logs are JSON: Cloud Run sets `CLOUD_RUN_JOB` in each task of a job.
pub fn is_structured() -> bool {
    std::env::var_os("CLOUD_RUN_JOB").is_some_and(|job| !job.is_empty())
}

/// Starts logging. `RUST_LOG` decides what is logged; without it, the run's milestones in a Cloud Run job, and only
/// warnings elsewhere.
pub fn start() {
    let usual = if is_structured() { "finops=info,warn" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{usual},{QUIET}")));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    if is_structured() {
        subscriber.event_format(CloudLogging).init();
    } else {
        subscriber.without_time().with_target(false).compact().init();
    }
}

struct CloudLogging;

impl<S, N> FormatEvent<S, N> for CloudLogging
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut entry = Entry(Map::new());
        event.record(&mut entry);
        let severity = match *event.metadata().level() {
            Level::ERROR => "ERROR",
            Level::WARN => "WARNING",
            Level::INFO => "INFO",
            Level::DEBUG | Level::TRACE => "DEBUG",
        };
        entry.0.insert("severity".to_owned(), severity.into());
        entry.0.insert("time".to_owned(), Timestamp::now().to_string().into());
        entry.0.insert("target".to_owned(), event.metadata().target().into());
        writeln!(writer, "{}", Value::Object(entry.0))
    }
}

/// The event's fields, `message` among them.
struct Entry(Map<String, Value>);

impl Visit for Entry {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        if write!(text, "{value:?}").is_ok() {
            self.0.insert(field.name().to_owned(), text.into());
        }
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &tracing::field::Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &tracing::field::Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}
