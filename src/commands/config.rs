//! `finops config`: what counts, where it comes from, and what is wrong with it.

use std::{collections::BTreeMap, path::Path};

use crate::{
    cli::OutputArguments,
    commands::Exit,
    error::Result,
    output,
    settings::{CliOverrides, Problems, Values, parse, settings},
};

/// Prints every setting, of the job and of the staged pipeline, and the problems if there are any.
pub(crate) fn config(
    arguments: &OutputArguments,
    file: Option<&Path>,
    environment: &BTreeMap<String, String>,
) -> Result<Exit> {
    let mut settings = settings(environment);
    let mut problems = Problems::default();
    let values = Values::read(file, environment, &[], &mut problems)?;
    settings.extend(values.settings());
    output::printer(arguments.output).settings(&settings);
    // Where there is a file and nothing is said of the job, the job is none of the user's business.
    if values.file.is_none() || environment.contains_key("PIPELINE") {
        problems.0.extend(parse(environment, &CliOverrides::default()).err().unwrap_or_default());
    }
    if problems.0.is_empty() {
        return Ok(Exit::Success);
    }
    output::problems(&problems.0);
    Ok(Exit::Usage)
}
