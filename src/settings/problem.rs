//! What is wrong with the settings.

use finops_core::model::text::message;

/// The places where finops looks for a value, in order.
pub type Places = &'static [&'static str];

/// The file with settings in the working directory. It is not read in a Cloud Run job.
pub const ENV_FILE: &str = ".env";

/// The places of most values.
pub const ENVIRONMENT: Places = &["environment", ENV_FILE];

/// The places of values that have a flag.
pub const FLAG_OR_ENVIRONMENT: Places = &["command line", "environment", ENV_FILE];

/// A wrong setting.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The variable or flag.
    #[serde(rename = "setting")]
    pub name: String,
    /// What is wrong, and what would be right.
    #[serde(rename = "problem")]
    pub what: String,
    /// The places where finops looked for it, in order.
    pub looked_in: Places,
}

/// Collects problems while settings are read.
#[derive(Debug, Default)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Adds what is wrong with a value, if anything.
    pub fn refuse(&mut self, name: &str, what: Option<String>, looked_in: Places) {
        if let Some(what) = what {
            self.add(name, what, looked_in);
        }
    }

    /// Adds a problem once: exports may share a wrong variable.
    pub fn add(&mut self, name: &str, what: impl Into<String>, looked_in: Places) {
        let problem = Problem { name: name.to_owned(), what: message(&what.into()), looked_in };
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// All problems, if there are any.
    pub fn none(self) -> Result<(), Vec<Problem>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }

    /// Ends the reading. `unread` explain other problems, and are none themselves.
    ///
    /// # Errors
    /// All problems and `unread`, if there are any problems.
    pub fn none_beside(mut self, unread: &[Problem]) -> Result<(), Vec<Problem>> {
        if !self.0.is_empty() {
            for Problem { name, what, looked_in } in unread {
                self.add(name, what.as_str(), looked_in);
            }
        }
        self.none()
    }
}
