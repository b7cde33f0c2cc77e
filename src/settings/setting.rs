//! A setting as people see it: its value, and where that comes from.

use finops_core::model::shown::shown;

/// Where a value comes from, the nearest place first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The command line.
    Flag,
    /// A variable of that name.
    Environment,
    /// A variable of that name in `.env`.
    #[serde(rename = ".env")]
    EnvFile,
    /// `config.toml`, or the file that `--config` names.
    File,
    /// Not set; the setting has a default.
    Default,
    /// Not set, and there is no default.
    NotSet,
    /// Not set; this variable, for all exports of the pipeline, is used instead.
    #[serde(untagged)]
    Shared(String),
}

/// A setting with its value.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Setting {
    /// The variable or key.
    pub name: String,
    /// The value in use, without the credentials that a URL may have; empty if nothing is set.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

impl Setting {
    /// With the value that is given, or otherwise the default.
    pub fn new(name: String, given: Option<(&str, Origin)>, default: Option<&str>) -> Self {
        let default = default.map(|default| (default, Origin::Default));
        let (value, origin) = given.or(default).unwrap_or(("", Origin::NotSet));
        let value = shown(value);
        Self { name, value, origin }
    }
}
