//! `finops demo`: what a user does with finops, on invented bills, in a folder of its own.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use billing_exports::{Content, Dialect, Export, Format, Month, Run};
use finops_core::{hint, model::kind::ExportKind};

use super::exit::{CommandError, Exit};
use crate::{
    error::{Error, ErrorKind, Result},
    output,
    settings::Environment,
    storage::{unreadable, unwritable},
    warehouse::{TableName, duckdb::DuckDb},
};

const SETTINGS_FILE: &str = ".env";
/// The first line of the settings. Only a folder with it is replaced.
const MARK: &str = "# The settings of `finops demo`. It removes and creates the files of this folder each time.";
const EXPORTS: &str = "export";
const DATABASE: &str = "finops.duckdb";
/// All that the demo creates in its folder. DuckDB has a log beside its file during a run.
const OWN: [&str; 4] = [SETTINGS_FILE, EXPORTS, DATABASE, "finops.duckdb.wal"];

const SCHEMA: &str = "billing";
const AWS_TABLE: &str = "aws_cur";
const FOCUS_TABLE: &str = "azure_focus";
const ACTUAL: &str = "actual-cost";
const FOCUS: &str = "focus-cost";
/// Paths are relative to the folder.
const SETTINGS: [(&str, &str); 13] = [
    ("PIPELINE", "all"),
    ("WAREHOUSE", "duckdb"),
    ("DUCKDB_PATH", DATABASE),
    ("AWS_SOURCE", "export/aws"),
    ("AWS_DATASET", SCHEMA),
    ("AWS_TABLE_NAME", AWS_TABLE),
    ("AZURE_SOURCE", "export/azure"),
    ("AZURE_DATASET", SCHEMA),
    ("AZURE_EXPORTS", "actual,focus"),
    ("AZURE_ACTUAL_EXPORT_NAME", ACTUAL),
    ("AZURE_ACTUAL_TABLE_NAME", "azure_actual"),
    ("AZURE_FOCUS_EXPORT_NAME", FOCUS),
    ("AZURE_FOCUS_TABLE_NAME", FOCUS_TABLE),
];

/// A heading, what the providers deliver, and the command that follows.
type Act = (&'static str, fn() -> io::Result<()>, &'static str);
const ACTS: [Act; 5] = [
    ("What a run would do", || Ok(()), "plan"),
    (
        "Load the months. Of Azure's 31 runs of October, only the one that covers the most days is loaded",
        || Ok(()),
        "run",
    ),
    ("Run again: every month is already loaded", || Ok(()), "run"),
    (
        "AWS delivers September again, with usage that it had not reported before: only that month is replaced. \
         Azure delivers the first 20 days of October again: the loaded month is unchanged",
        deliver_again,
        "run",
    ),
    ("What is loaded", || Ok(()), "status"),
];

/// Without single quotes, which end a text in Python.
const QUERY: &str = "SELECT line_item_line_item_type AS part, round(sum(line_item_unblended_cost), 2) AS usd \
                     FROM billing.aws_cur GROUP BY ALL ORDER BY usd DESC";

/// Shows finops at work in `folder`. `execute` carries out a command with the given settings.
pub(crate) async fn demo(
    folder: &Path,
    execute: impl AsyncFn(&str, Environment) -> Exit,
) -> Result<Exit, CommandError> {
    let program = program();
    let shown = folder.join(SETTINGS_FILE).display().to_string();
    let folder = create(folder)?;
    // Settings and reports then have the paths of a user who works in that folder.
    env::set_current_dir(&folder).map_err(|error| unreadable(&folder, error))?;
    let settings = SETTINGS.map(|(name, value)| format!("{name}={value}\n")).concat();
    let written = |result: io::Result<()>| result.map_err(|error| unwritable(&folder, error));
    // First, so that the next demo knows the folder even if this one is interrupted.
    written(fs::write(SETTINGS_FILE, format!("{MARK}\n{settings}")))?;
    written(deliver())?;

    let text = "one export of AWS, two exports of Azure, and a DuckDB file with a table for each";
    output::heading(&format!("The settings, in {shown}: {text}"));
    output::print(settings.trim_end());
    let environment = Environment::from(SETTINGS);
    for (title, deliver, command) in ACTS {
        output::heading(title);
        written(deliver())?;
        output::print(&format!("\n$ finops {command}"));
        let exit = execute(command, environment.clone()).await;
        if exit != Exit::Success {
            return Ok(exit);
        }
    }

    output::heading("The newest bills, by service. What is neither usage nor a purchase has a line of its own");
    let database = DuckDb::open_to_read(Path::new(DATABASE))?;
    for (table, kind) in [(AWS_TABLE, ExportKind::Cur), (FOCUS_TABLE, ExportKind::Focus)] {
        let name = TableName { dataset: SCHEMA.to_owned(), table: table.to_owned() };
        let bill = database.bill(name, kind).await?;
        output::bill(&format!("{SCHEMA}.{table} {}", bill.month), &bill.services);
    }

    output::heading("Try it yourself. Paste these two commands; the second one needs Python with `pip install duckdb`");
    let here = quoted(&folder);
    output::print(&format!(
        "\ncd {here} && {program} status\n\n\
         cd {here} && python3 -c \"import duckdb; duckdb.connect('{DATABASE}', read_only=True).sql('{QUERY}').show()\"\n\n\
         To remove everything: rm -r {here}"
    ));
    Ok(Exit::Success)
}

/// Creates the folder, without files of an earlier demo. Returns its full path.
fn create(folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, error))?;
    let folder = folder.canonicalize().map_err(|error| unreadable(folder, error))?;
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).map_err(|error| unreadable(&folder, error))? {
        found.push(entry.map_err(|error| unreadable(&folder, error))?.file_name());
    }
    let is_own = fs::read_to_string(folder.join(SETTINGS_FILE)).is_ok_and(|text| text.starts_with(MARK));
    if let Some(foreign) = found.iter().find(|name| !is_own || !OWN.iter().any(|own| *name == own)) {
        let (shown, foreign) = (folder.display(), foreign.display());
        let message =
            format!("`finops demo` replaces all files of its folder, and {shown} has others, such as `{foreign}`");
        return Err(Error::new(ErrorKind::Configuration, message).hint(hint::OTHER_DEMO_FOLDER));
    }
    // The settings last: they mark the folder.
    for name in OWN.iter().rev() {
        let path = folder.join(name);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unwritable(&path, error)),
            _ => {}
        }
    }
    Ok(folder)
}

/// What the providers deliver before the first run.
fn deliver() -> io::Result<()> {
    for month in ["2025-08", "2025-09", "2025-10"] {
        aws(&Run::of(of(month)))?;
        azure_focus(&Run::of(of(month)))?;
    }
    // Azure delivers the current month once a day.
    let daily = Run::daily(of("2025-10"));
    [Run::of(of("2025-08")), Run::of(of("2025-09"))].iter().chain(&daily).try_for_each(azure_actual)
}

fn deliver_again() -> io::Result<()> {
    aws(&Run::again(of("2025-09"), 2))?;
    azure_actual(&Run::again(of("2025-10"), 32).until(20))
}

fn aws(run: &Run) -> io::Result<()> {
    write(Dialect::AwsCur, Format::CsvGzip, "cost-and-usage", "USD", run)
}

fn azure_actual(run: &Run) -> io::Result<()> {
    write(Dialect::AzureActualEnterprise, Format::CsvGzip, ACTUAL, "EUR", run)
}

fn azure_focus(run: &Run) -> io::Result<()> {
    write(Dialect::AzureFocus12, Format::Parquet, FOCUS, "EUR", run)
}

fn write(dialect: Dialect, format: Format, name: &str, currency: &str, run: &Run) -> io::Result<()> {
    let new = Export::new(dialect, format);
    let export = Export { content: Content::Bill, name: name.to_owned(), currencies: vec![currency.to_owned()], ..new };
    let provider = if dialect.is_azure() { "azure" } else { "aws" };
    export.deliver(&Path::new(EXPORTS).join(provider), run).map(drop)
}

fn of(month: &str) -> Month {
    month.parse().expect("it is a month")
}

/// How to start this program from another folder: by its name where the shell found it by its name.
fn program() -> String {
    let path = env::args_os().next().map(PathBuf::from).filter(|path| path.components().count() > 1);
    let path = path.and_then(|_| env::current_exe().ok());
    path.map_or_else(|| "finops".to_owned(), |path| quoted(&path))
}

/// A path as a word for a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = text.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c));
    if is_plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
