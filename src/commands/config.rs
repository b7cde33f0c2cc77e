//! `finops config`: what counts, where it comes from, and what is wrong with it.

use std::collections::BTreeMap;

use crate::{
    cli::{Output, OutputArguments},
    commands::Exit,
    config::{Choice, parse, settings},
    output,
};

/// Prints every setting, and the problems if there are any.
pub(crate) fn config(arguments: &OutputArguments, environment: &BTreeMap<String, String>) -> Exit {
    let settings = settings(environment);
    match arguments.output {
        Output::Json => output::json(&settings),
        Output::Table => output::settings(&settings),
    }
    match parse(environment, &Choice::default()) {
        Ok(_) => Exit::Success,
        Err(problems) => {
            output::problems(&problems);
            Exit::Usage
        }
    }
}
