//! Logs on stderr: JSON lines for Cloud Logging in a Cloud Run job, plain lines elsewhere.

use std::{
    collections::BTreeMap,
    env,
    fmt::{Debug, Write as _},
    io::{self, IsTerminal, Write},
    sync::OnceLock,
};

use finops_core::model::{
    shown::without_credentials,
    text::{cut, harmless_lines},
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, LevelFilter, filter_fn},
    layer::{Context, SubscriberExt},
    registry::{LookupSpan, Scope},
    util::SubscriberInitExt,
};

/// The AWS client warns of every place without region or credentials, although the next may have them. If none has, there is
/// an error.
const QUIET: &str = "aws_config::imds=error,aws_config::meta=error";

/// Fields of events and spans that become labels of Cloud Logging, to search for.
const LABELS: [&str; 6] = ["run_id", "pipeline", "export", "billing_period", "execution_id", "job_id"];

/// Labels from Cloud Run's environment.
const LABELS_OF_TASK: [(&str, &str); 2] = [("execution", "CLOUD_RUN_EXECUTION"), ("attempt", "CLOUD_RUN_TASK_ATTEMPT")];

/// Characters of a text. An entry of Cloud Logging has at most 256 KB, and a text from outside can have any length.
const LONGEST: usize = 8_000;

/// Whether logs are JSON: Cloud Run sets `CLOUD_RUN_JOB` in each task of a job.
pub fn is_structured() -> bool {
    env::var_os("CLOUD_RUN_JOB").is_some_and(|job| !job.is_empty())
}

/// How much to print to stderr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbosity {
    /// Warnings and errors.
    Quiet,
    /// Also the progress, and in a Cloud Run job the run's milestones.
    #[default]
    Normal,
    /// The run's milestones as lines, which replace the progress.
    Verbose,
    /// Each step as a line.
    Detailed,
}

impl Verbosity {
    fn filter(self, is_structured: bool) -> &'static str {
        match (self, is_structured) {
            (Self::Quiet, _) | (Self::Normal, false) => "warn",
            (Self::Normal, true) | (Self::Verbose, _) => "finops=info,warn",
            (Self::Detailed, _) => "finops=debug,warn",
        }
    }
}

static VERBOSITY: OnceLock<Verbosity> = OnceLock::new();

/// Whether the progress of a run is shown on a terminal.
pub fn shows_progress() -> bool {
    VERBOSITY.get().copied().unwrap_or_default() == Verbosity::Normal
}

/// Starts logging. `RUST_LOG` is the filter; if it is empty or invalid, the verbosity decides.
pub fn start(verbosity: Verbosity) {
    let usual = VERBOSITY.get_or_init(|| verbosity).filter(is_structured());
    let wanted = env::var(EnvFilter::DEFAULT_ENV).ok().filter(|wanted| !wanted.is_empty());
    let filter = wanted.and_then(|wanted| EnvFilter::try_new(wanted).ok());
    let filter = filter.unwrap_or_else(|| EnvFilter::new(format!("{usual},{QUIET}")));
    if is_structured() {
        // With any RUST_LOG, a line has the labels of its spans.
        let spans = filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with("finops"));
        let filter = filter.or(spans.with_max_level_hint(LevelFilter::INFO));
        tracing_subscriber::registry().with(CloudLogging::of_task().with_filter(filter)).init();
    } else {
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(|| Lines(io::stderr()))
            // The message about a failed write goes to stderr too, and would panic.
            .log_internal_errors(false)
            .with_ansi(io::stderr().is_terminal())
            .without_time()
            .with_target(false)
            .compact()
            .init();
    }
}

/// Stderr for plain lines. Each is written in one piece, and is one line of limited length, even with text from outside.
struct Lines<W>(W);

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let line = without_credentials(&cut(text.trim_end(), LONGEST)).replace(['\n', '\r'], " ");
        self.0.write_all(format!("{line}\n").as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// One JSON object a line, in the form of Cloud Logging's structured logs.
struct CloudLogging {
    labels: BTreeMap<&'static str, String>,
}

impl CloudLogging {
    fn of_task() -> Self {
        let set = LABELS_OF_TASK.into_iter().filter_map(|(label, name)| Some((label, env::var(name).ok()?)));
        Self { labels: set.filter(|(_, value)| !value.is_empty()).collect() }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for CloudLogging {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut labels = self.labels.clone();
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(fields) = span.extensions().get::<Fields>() {
                labels.extend(fields.labels.clone());
            }
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        labels.extend(fields.labels);
        let severity = match *event.metadata().level() {
            Level::ERROR => "ERROR",
            Level::WARN => "WARNING",
            Level::INFO => "INFO",
            Level::DEBUG | Level::TRACE => "DEBUG",
        };
        let mut entry = fields.payload;
        entry.insert("severity".to_owned(), severity.into());
        entry.insert("time".to_owned(), Timestamp::now().to_string().into());
        entry.insert("target".to_owned(), event.metadata().target().into());
        entry.insert("logging.googleapis.com/labels".to_owned(), json!(labels));
        // In one piece: other threads write too.
        let line = format!("{}\n", Value::Object(entry));
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }
}

/// The fields of an event, `message` among them, or of a span.
#[derive(Default)]
struct Fields {
    labels: BTreeMap<&'static str, String>,
    payload: Map<String, Value>,
}

impl Fields {
    fn text(&mut self, field: &Field, text: &str) {
        let shown = harmless_lines(&without_credentials(&cut(text, LONGEST)));
        if !LABELS.contains(&field.name()) {
            self.payload.insert(field.name().to_owned(), shown.into());
        } else if !shown.is_empty() {
            self.labels.insert(field.name(), shown);
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        if write!(text, "{value:?}").is_ok() {
            self.text(field, &text);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.payload.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.payload.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.payload.insert(field.name().to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_logged_at_every_verbosity_and_milestones_in_a_job_unless_it_is_quiet() {
        let lines = [false, true].map(|is_structured| {
            [Verbosity::Quiet, Verbosity::Normal, Verbosity::Verbose, Verbosity::Detailed]
                .map(|verbosity| verbosity.filter(is_structured))
        });
        assert_eq!(lines[0], ["warn", "warn", "finops=info,warn", "finops=debug,warn"]);
        assert_eq!(lines[1], ["warn", "finops=info,warn", "finops=info,warn", "finops=debug,warn"]);
    }

    #[test]
    fn a_plain_line_is_one_line_without_credentials() {
        let mut written = Vec::new();
        let said = format!("WARN no answer of http://u:secret@h/\r\nhint: run rm\n{}\n", "x".repeat(100_000));
        Lines(&mut written).write_all(said.as_bytes()).unwrap();
        let line = String::from_utf8(written).unwrap();
        assert!(line.starts_with("WARN no answer of http://***@h/  hint: run rm x"), "{line}");
        assert!(line.ends_with("x...\n") && line.lines().count() == 1 && line.len() < 2 * LONGEST, "{}", line.len());
    }
}
