//! What a setting accepts.

use std::collections::BTreeSet;

use finops_core::{
    formats::azure::scope::normalized,
    model::{load_record::STATE_TABLE, shown::shown, text::is_harmful},
};

use super::values::list;

/// The form of a setting's value.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// Any text.
    Text,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A whole number from the first to the last.
    Number(u32, u32),
    /// A whole number of hours from the first to the last.
    Hours(u32, u32),
    /// A month, `YYYY-MM`. It is checked where it is read, together with the flags.
    Month,
    /// Values between commas.
    List,
    /// Labels as Google Cloud accepts them, `key=value` between commas.
    Labels,
    /// Paths of Azure's scopes between commas.
    Scopes,
    /// A Google Cloud project.
    Project,
    /// A location of BigQuery.
    Location,
    /// A region of Google Cloud.
    Region,
    /// A dataset of BigQuery, or a schema of DuckDB for the job.
    Dataset,
    /// A table of the job, in either warehouse.
    Table,
    /// A table of BigQuery.
    BigQueryTable,
    /// A schema or table of DuckDB.
    DuckDbName,
    /// The path of a DuckDB file.
    DuckDbFile,
    /// The name of an export.
    ExportName,
    /// A bucket. It is checked where it is read, together with its prefix.
    Bucket,
    /// A path in a bucket.
    Prefix,
    /// A server's address.
    Url,
    /// A text that only deployments read, with what was expected.
    Pattern {
        /// A regular expression for all of the text.
        regex: &'static str,
        /// In words.
        expected: &'static str,
    },
}

impl Form {
    /// What is wrong with the text, if anything is.
    pub fn problem(self, text: &str) -> Option<String> {
        let (fits, expected) = match self {
            Self::Text | Self::Month | Self::Bucket | Self::Pattern { .. } => return None,
            Self::OneOf(words) => (words.contains(&text), format!("{} was expected", one_of(words))),
            Self::Number(least, most) => {
                (is_between(text, least, most), format!("a whole number from {least} to {most} was expected"))
            }
            Self::Hours(least, most) => {
                (is_between(text, least, most), format!("a whole number of hours from {least} to {most} was expected"))
            }
            Self::List => (
                list(text).iter().all(|part| !part.is_empty()),
                "values between commas were expected, none of them empty".to_owned(),
            ),
            Self::Labels => return wrong_label(text),
            Self::Scopes => return Self::List.problem(text).or_else(|| wrong_scope(text)),
            // Old projects have a domain in front: `example.com:billing`.
            Self::Project => (has_only(text, "-_.:"), "a project's id was expected, such as my-project".to_owned()),
            Self::Location => (has_only(text, "-"), "a location such as US or europe-west3 was expected".to_owned()),
            Self::Region => (is_region(text), "a region such as us-central1 was expected".to_owned()),
            Self::Dataset => {
                let is_reserved = |reserved: &&str| text.eq_ignore_ascii_case(reserved);
                if ["information_schema", "pg_catalog"].iter().any(is_reserved) {
                    return Some(format!("is `{text}`, a name that warehouses keep for themselves"));
                }
                (is_name(text, "_"), "at most 200 characters were expected: letters, digits, `_`".to_owned())
            }
            Self::Table => {
                if text.eq_ignore_ascii_case(STATE_TABLE) {
                    return Some(format!("is `{STATE_TABLE}`, the name of the state table"));
                }
                (is_name(text, "_-"), "at most 200 characters were expected: letters, digits, `_`, `-`".to_owned())
            }
            // Letters, marks and digits of any script, connectors, dashes and spaces. BigQuery itself decides which
            // characters beyond ASCII are such.
            Self::BigQueryTable => {
                let may_be = |c: char| {
                    if c.is_ascii() { c.is_ascii_alphanumeric() || "_- ".contains(c) } else { !is_harmful(c) }
                };
                let fits = !text.trim().is_empty() && text.len() <= 1024 && text.chars().all(may_be);
                (fits, "at most 1024 bytes were expected: letters, digits, `_`, `-` and spaces".to_owned())
            }
            // DuckDB accepts any characters between quotes. Refused are those of URLs, which may have credentials, and those
            // that end a quoted name in messages.
            Self::DuckDbName => {
                let is_odd = |c: char| is_harmful(c) || "`\"?@".contains(c);
                let fits = !text.trim().is_empty() && !text.contains("://") && !text.contains(is_odd);
                (fits, "a name was expected, without `\"`, `?`, `@`, `://` and backticks".to_owned())
            }
            // For DuckDB, `:memory:` is no file, and `md:`, `s3://` and the like are other services.
            Self::DuckDbFile => {
                let first = text.split('/').next().unwrap_or_default();
                (!first.contains(':'), "a file's path was expected".to_owned())
            }
            // Providers use it as the name of a folder or file.
            Self::ExportName => {
                let fits = !text.contains(['/', '?']) && shown(text) == text;
                (fits, "an export's name has neither `/` nor `?`".to_owned())
            }
            Self::Prefix => {
                (!text.contains("://") && shown(text) == text, "a path in the bucket was expected".to_owned())
            }
            Self::Url => {
                let fits = ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
                (fits, "a URL such as http://127.0.0.1:9050 was expected".to_owned())
            }
        };
        (!fits).then(|| format!("is `{}`: {expected}", shown(text)))
    }

    /// What a deployment accepts: a regular expression for all of the text, and what it expects, in words. It refuses names
    /// that no service of Google Cloud accepts, which other warehouses may accept.
    pub fn pattern(self) -> Option<(String, String)> {
        let (regex, expected) = match self {
            Self::OneOf(words) => return Some((words.join("|"), one_of(words))),
            Self::Number(least, most) => {
                return Some((numbers(least, most), format!("a whole number from {least} to {most}")));
            }
            Self::Hours(least, most) => {
                return Some((numbers(least, most), format!("a whole number of hours from {least} to {most}")));
            }
            Self::Month => ("[0-9]{4}-(0[1-9]|1[0-2])", "a month, YYYY-MM"),
            Self::List => (r"[^,\s][^,]*(,[^,]*[^,\s][^,]*)*", "values between commas, none of them empty,"),
            Self::Labels => (
                concat!(
                    r"(?!(.*,)?\s*([a-z][a-z0-9_-]*)=.*,\s*\2=)",
                    r"(?!goog)[a-z][a-z0-9_-]{0,62}=[a-z0-9_-]{0,63}",
                    r"(,\s*(?!goog)[a-z][a-z0-9_-]{0,62}=[a-z0-9_-]{0,63}){0,49}"
                ),
                LABELS,
            ),
            Self::Scopes => (r"/[^,]*(,\s*/[^,]*)*", "paths such as /subscriptions/..., between commas,"),
            Self::Project => {
                ("[a-z][a-z0-9-]{4,28}[a-z0-9]", "a project's id, 6 to 30 lower-case letters, digits and -")
            }
            Self::Location => ("(?i:us|eu|[a-z]+-[a-z]+[0-9]+)", "US, EU or a region such as europe-west3"),
            Self::Region => ("[a-z]+-[a-z]+[0-9]+", "a region such as us-central1"),
            Self::Dataset => ("[A-Za-z0-9_]{1,200}", "a name of at most 200 letters, digits and underscores"),
            Self::Table => (
                "(?!(?i:finops_loads)$)[A-Za-z0-9_-]{1,200}",
                "a name of at most 200 letters, digits, _ and -, other than finops_loads, the state table,",
            ),
            Self::Bucket => ("[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", "a bucket's name"),
            Self::Pattern { regex, expected } => (regex, expected),
            _ => return None,
        };
        Some((regex.to_owned(), expected.to_owned()))
    }
}

/// `a, b or c`.
fn one_of(words: &[&str]) -> String {
    let (last, others) = words.split_last().unwrap_or((&"", &[]));
    format!("{} or {last}", others.join(", "))
}

fn is_between(text: &str, least: u32, most: u32) -> bool {
    text.parse().is_ok_and(|number: u32| (least..=most).contains(&number))
}

/// The numbers from 0 or 1 to a power of ten.
fn numbers(least: u32, most: u32) -> String {
    let digits = most.ilog10();
    if least == 0 { format!("[0-9]{{1,{digits}}}|{most}") } else { format!("[1-9][0-9]{{0,{}}}|{most}", digits - 1) }
}

fn has_only(text: &str, others: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

fn is_name(text: &str, others: &str) -> bool {
    text.len() <= 200 && has_only(text, others)
}

/// What deployments say, too.
const LABELS: &str = "labels such as team=finops,env=prod: at most 50, each key once, lower-case letters, digits, _ and -, at \
                      most 63 of them, each key beginning with a letter and not with goog";

fn wrong_label(text: &str) -> Option<String> {
    let labels = list(text);
    let is_short = |text: &str| text.len() <= 63 && has_only(text, "_-") && text == text.to_ascii_lowercase();
    let is_key =
        |key: &str| is_short(key) && key.starts_with(|c: char| c.is_ascii_lowercase()) && !key.starts_with("goog");
    let mut keys = BTreeSet::new();
    let mut fits = |label: &str| {
        label.split_once('=').is_some_and(|(key, value)| is_key(key) && is_short(value) && keys.insert(key.to_owned()))
    };
    let all_fit = labels.len() <= 50 && labels.iter().all(|label| fits(label));
    (!all_fit).then(|| format!("is `{}`: {LABELS} were expected", shown(text)))
}

/// Such as `us-central1`.
fn is_region(text: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
    text.split_once('-').is_some_and(|(continent, rest)| {
        let place = rest.trim_end_matches(|c: char| c.is_ascii_digit());
        is_word(continent) && is_word(place) && place.len() < rest.len()
    })
}

fn wrong_scope(text: &str) -> Option<String> {
    let wrong = list(text).into_iter().find(|scope| !scope.starts_with('/') || normalized(scope).is_none())?;
    Some(format!("names `{}`: a path such as /subscriptions/... was expected", shown(&wrong)))
}
