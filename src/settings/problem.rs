//! What is wrong with the settings.

use finops_core::model::text::message;

/// The place of most values.
pub const ENVIRONMENT: &str = "looked in: environment";

/// The places of values that have a flag.
pub const FLAG_OR_ENVIRONMENT: &str = "looked in: command line, environment";

/// A wrong setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The variable or flag.
    pub name: String,
    /// What is wrong, and what would be right.
    pub what: String,
    /// The places where finops looked for it, in order.
    pub looked_in: &'static str,
}

/// Collects problems while settings are read.
#[derive(Debug, Default)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Adds what is wrong with a value, if anything.
    pub fn refuse(&mut self, name: &str, what: Option<String>, looked_in: &'static str) {
        if let Some(what) = what {
            self.add(name, what, looked_in);
        }
    }

    /// Adds a problem once: exports may share a wrong variable.
    pub fn add(&mut self, name: &str, what: impl Into<String>, looked_in: &'static str) {
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
}
