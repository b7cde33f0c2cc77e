//! What is wrong with the configuration.

use finops_core::model::text::message;

/// One thing that is wrong, with where the value was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The variable or flag.
    pub name: String,
    /// What is wrong, and what would be right.
    pub what: String,
    /// Where it was looked for, in order.
    pub looked_in: &'static str,
}

/// Collects them while values are read.
#[derive(Debug, Default)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Adds what is wrong with a value, if anything is.
    pub fn refuse(&mut self, name: &str, what: Option<String>, looked_in: &'static str) {
        if let Some(what) = what {
            self.add(name, what, looked_in);
        }
    }

    /// Adds one, unless it is known: exports may share the variable that is wrong.
    pub fn add(&mut self, name: &str, what: impl Into<String>, looked_in: &'static str) {
        let problem = Problem { name: name.to_owned(), what: message(&what.into()), looked_in };
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }
}
