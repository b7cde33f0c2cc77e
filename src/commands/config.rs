//! `finops config`: each setting with its value and origin, and the problems.

use std::{collections::BTreeMap, path::Path};

use crate::{
    cli::OutputArguments,
    commands::exit::Exit,
    error::Result,
    output,
    settings::{CliOverrides, Problems, Values, parse, settings},
};

/// Prints every setting of the job and of the staged pipeline, and the problems.
pub(crate) fn config(
    arguments: &OutputArguments,
    file: Option<&Path>,
    environment: &BTreeMap<String, String>,
) -> Result<Exit> {
    let mut settings = settings(environment);
    let mut problems = Problems::default();
    let values = Values::read(file, environment, &[], &mut problems)?;
    settings.extend(values.settings());
    output::printer(arguments).settings(&settings);
    // With a file and without PIPELINE, the user runs the staged pipeline only, and needs no settings of the job.
    if values.file.is_none() || environment.contains_key("PIPELINE") {
        problems.0.extend(parse(environment, &CliOverrides::default()).err().unwrap_or_default());
    }
    if problems.0.is_empty() {
        return Ok(Exit::Success);
    }
    output::problems(&problems.0);
    Ok(Exit::Usage)
}
