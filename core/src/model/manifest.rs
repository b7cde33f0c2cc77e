//! A manifest: the provider's description of a delivery, in one form for every provider.

use std::{collections::HashSet, ops::Not};

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    hint,
    model::{column_type::ColumnType, kind::ExportKind, period::BillingPeriod, text::excerpt},
};

/// A column as the manifest names it; its type where the manifest gives one that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestColumn {
    /// The name as the CSV header writes it, such as `lineItem/UnblendedCost`.
    pub name: String,
    /// `None` if the manifest does not have it.
    pub column_type: Option<ColumnType>,
}

/// The form of a delivery's data files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// Text with a header, mostly compressed by gzip.
    Csv,
    /// Columns with types of their own.
    Parquet,
}

/// A data file that a manifest lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its path below the export's folder. A mirror does not change it.
    #[serde(rename = "tail")]
    pub relative_path: String,
    /// Its size, if the manifest has it.
    pub bytes: Option<u64>,
}

/// Characters of an id or a name.
const LONGEST_ID: usize = 1024;
/// The limit of object names in bytes, in S3, Google Cloud Storage and Azure.
const LONGEST_PATH: usize = 1024;

/// The parts of a manifest's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestLocation {
    /// The whole key.
    pub key: String,
    /// The folder to which the paths of data files are relative, with a `/` at its end unless it is empty.
    pub export_folder: String,
    /// The export's name.
    pub export_name: String,
    /// The folder that is named after the month, such as `20250901-20251001` or `BILLING_PERIOD=2025-09`.
    pub period_folder: String,
    /// That month.
    pub billing_period: BillingPeriod,
    /// When the provider issued it, if the key shows it. Otherwise the time of the object counts.
    pub issued_at: Option<Timestamp>,
}

/// One delivery of one billing period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// What its rows are.
    pub kind: ExportKind,
    /// The report's name at the provider.
    pub export_name: String,
    /// The month that is billed.
    pub billing_period: BillingPeriod,
    /// AWS: the assembly id, or the execution id of a data export.
    pub execution_id: String,
    /// When the provider started it, if the manifest has it. Otherwise the time of the manifest's object counts.
    #[serde(rename = "issued")]
    pub issued_at: Option<Timestamp>,
    /// The scope of the export: Azure's subscription, billing profile and so on. Several exports of one name may have different
    /// scopes. Written as [`crate::formats::azure::scope::normalized`] writes it.
    #[serde(default)]
    pub scope: Option<String>,
    /// The first day that it covers, if it is a piece of the month that does not begin with the month.
    #[serde(default)]
    pub from: Option<Date>,
    /// The last day that it covers, if that may be before the month's last day.
    #[serde(rename = "until")]
    pub covers_until: Option<Date>,
    /// An older run that the settings combine with the newest run of its scope.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub kept: bool,
    /// The listed sizes may be those before compression: they are not compared with the files.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub sizes_may_differ: bool,
    /// The deliveries that this one combines, with their files in the order of [`Manifest::files`]; empty if it is one delivery.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Manifest>,
    /// Rows of all files, if the manifest has them.
    pub rows: Option<u64>,
    /// Whether its files replace those of the previous delivery, under the same names.
    #[serde(rename = "in_place")]
    pub overwrites_previous: bool,
    /// The data files' form.
    pub format: FileFormat,
    /// CSV files only. Columns may be missing here: the headers of the files decide.
    pub columns: Vec<ManifestColumn>,
    /// Each once.
    pub files: Vec<ManifestFile>,
}

impl Manifest {
    /// A manifest with these values only, and without files.
    pub fn new(
        kind: ExportKind,
        export_name: impl Into<String>,
        billing_period: BillingPeriod,
        execution_id: impl Into<String>,
        format: FileFormat,
    ) -> Self {
        Self {
            kind,
            export_name: export_name.into(),
            billing_period,
            execution_id: execution_id.into(),
            issued_at: None,
            scope: None,
            from: None,
            covers_until: None,
            kept: false,
            sizes_may_differ: false,
            runs: Vec::new(),
            rows: None,
            overwrites_previous: false,
            format,
            columns: Vec::new(),
            files: Vec::new(),
        }
    }

    /// The manifest with each file once, if its names can be recorded, shown and used as paths: they are data from outside.
    ///
    /// # Errors
    /// `Malformed` for names that are too long or have control characters.
    pub fn bounded(mut self) -> Result<Self, ManifestError> {
        let mut seen = HashSet::new();
        self.files.retain(|file| seen.insert(file.relative_path.clone()));
        let has_control = |text: &str| text.chars().any(char::is_control);
        for (what, text) in [("execution id", &self.execution_id), ("export name", &self.export_name)] {
            if text.chars().nth(LONGEST_ID).is_some() || has_control(text) {
                return Err(ManifestError::Malformed(format!(
                    "its {what} is `{}`: at most {LONGEST_ID} characters without control characters were expected",
                    excerpt(text)
                )));
            }
        }
        match self.files.iter().find(|file| file.relative_path.len() > LONGEST_PATH || has_control(&file.relative_path))
        {
            Some(file) => Err(ManifestError::Malformed(format!(
                "its file `{}` does not have the name of an object: at most {LONGEST_PATH} bytes without control characters were \
                 expected",
                excerpt(&file.relative_path)
            ))),
            None => Ok(self),
        }
    }
}

/// Why a manifest cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or JSON of another form.
    #[error("it is not a manifest of a billing export: {0}")]
    Malformed(String),
    /// A delivery that no warehouse can read.
    #[error("{0}")]
    Unsupported(String),
    /// The manifest contradicts its folder, or itself.
    #[error("{0}")]
    Contradiction(String),
    /// It covers days of more than one calendar month, or others than its folder says.
    #[error("{what}")]
    Range {
        /// Which it is, and what was expected.
        what: String,
        /// What to do about it.
        hint: &'static str,
        /// Its first day.
        from: Option<Date>,
    },
    /// It has another kind of rows than the table.
    #[error("it has rows of another kind than {of} (`{}`, not `{kind}`)", .found.as_str())]
    OtherKind {
        /// Its kind.
        found: ExportKind,
        /// The expected kind, as named in the state.
        kind: String,
        /// The object of that kind, such as the table.
        of: &'static str,
    },
    /// The error of a manifest whose scope is known.
    #[error("{error}")]
    OfScope {
        /// As [`Manifest::scope`].
        scope: String,
        /// The error.
        error: Box<ManifestError>,
    },
    /// It is in a storage class from which it must be restored before it can be read.
    #[error("it is archived")]
    Archived {
        /// When the manifest was written there.
        written: Timestamp,
    },
}

impl ManifestError {
    /// The same error, of a manifest with that scope.
    #[must_use]
    pub fn of_scope(self, scope: Option<String>) -> Self {
        scope.map_or_else(|| self.clone(), |scope| Self::OfScope { scope, error: Box::new(self.clone()) })
    }

    /// The scope, and the error.
    pub fn parts(&self) -> (Option<&str>, &Self) {
        match self {
            Self::OfScope { scope, error } => (Some(scope), error),
            error => (None, error),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Malformed(_) | Self::Contradiction(_) => hint::COMPARE_MANIFEST,
            Self::Unsupported(_) => hint::CHANGE_REPORT,
            Self::Range { hint, .. } => hint,
            Self::OtherKind { found, kind, .. }
                if (*found == ExportKind::Cur) != (*kind == ExportKind::Cur.as_str()) =>
            {
                hint::CHOOSE_VERSION
            }
            Self::OtherKind { .. } => hint::OTHER_KIND,
            Self::Archived { .. } => hint::RESTORE_ARCHIVED,
            Self::OfScope { error, .. } => error.hint(),
        }
    }
}

/// The JSON of a manifest, in the form of its provider.
///
/// # Errors
/// `Malformed` if it is not JSON of that form.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ManifestError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(bytes).map_err(|error| {
        // The text quotes values of any length.
        let (text, place) = (error.to_string(), format!(" at line {} column {}", error.line(), error.column()));
        let what = text.strip_suffix(&place).map_or_else(|| excerpt(&text), |what| excerpt(what) + &place);
        ManifestError::Malformed(what)
    })
}

/// The path of `parts`, if it is below its folder: it is data from outside, and becomes a path on this machine.
pub fn safe_path(parts: &[&str]) -> Option<String> {
    let is_safe = |part: &&str| !matches!(*part, "" | "." | "..") && !part.contains('\\');
    parts.iter().all(is_safe).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_about_another_kind_names_the_version_only_if_it_decides() {
        use ExportKind::{AzureActual, AzureAmortized, Cur, Cur2, Focus};
        for (found, kind, hint) in [
            (Cur, Cur2, hint::CHOOSE_VERSION),
            (Cur2, Cur, hint::CHOOSE_VERSION),
            (Focus, Cur2, hint::OTHER_KIND),
            (Cur, Focus, hint::CHOOSE_VERSION),
            (AzureActual, AzureAmortized, hint::OTHER_KIND),
        ] {
            let error = ManifestError::OtherKind { found, kind: kind.as_str().to_owned(), of: "the table" };
            assert_eq!(error.hint(), hint, "{error}");
        }
    }
}
