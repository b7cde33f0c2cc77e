//! The providers.

use serde::{Deserialize, Serialize};

/// A provider of billing data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Amazon Web Services.
    Aws,
    /// Microsoft Azure.
    Azure,
}

impl Provider {
    /// Every provider, in the order of the pipelines.
    pub const ALL: [Self; 2] = [Self::Aws, Self::Azure];

    /// The names of pipelines: one for each provider, and `all`.
    pub const PIPELINES: [&'static str; Self::ALL.len() + 1] = {
        let mut names = ["all"; Self::ALL.len() + 1];
        let mut at = 0;
        while at < Self::ALL.len() {
            names[at] = Self::ALL[at].as_str();
            at += 1;
        }
        names
    };

    /// Its name in settings, reports and the state table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
        }
    }

    /// Whether case matters in its names of exports, folders and runs.
    pub fn names_have_case(self) -> bool {
        match self {
            Self::Aws => true,
            Self::Azure => false,
        }
    }

    /// Whether two of its names are the same.
    pub fn is_same_name(self, a: &str, b: &str) -> bool {
        if self.names_have_case() { a == b } else { a.eq_ignore_ascii_case(b) }
    }

    /// The variable for all its exports, such as `AWS_TABLE_NAME`; for the export that `AWS_EXPORTS` calls `label`, such as
    /// `AWS_PROD_TABLE_NAME`.
    pub fn variable(self, label: Option<&str>, suffix: &str) -> String {
        let label = label.map(|label| format!("{}_", label.to_ascii_uppercase().replace('-', "_"))).unwrap_or_default();
        format!("{}_{label}{suffix}", self.as_str().to_ascii_uppercase())
    }
}
