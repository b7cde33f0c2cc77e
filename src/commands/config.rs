//! `finops config`: each setting with its value and origin, and the problems.

use std::path::Path;

use crate::{
    cli::OutputArguments,
    commands::exit::Exit,
    error::Result,
    output,
    settings::{CliOverrides, Environment, Problems, Values, configured, parse, settings, unread},
};

/// Prints every setting of the job and of the staged pipeline, and the problems.
pub(crate) fn config(arguments: &OutputArguments, file: Option<&Path>, environment: &Environment) -> Result<Exit> {
    let mut settings = settings(environment);
    let mut problems = Problems::default();
    let values = Values::read(file, environment, &[], &mut problems)?;
    settings.extend(values.settings());
    output::printer(arguments).settings(&settings);
    // With a file and without an export, the user runs the staged pipeline only, and needs no settings of the job.
    if values.file.is_none() || environment.contains_key("PIPELINE") || !configured(environment).is_empty() {
        problems.0.extend(parse(environment, &CliOverrides::default()).err().unwrap_or_default());
    }
    let unread = unread(environment);
    if let Err(problems) = problems.none_beside(&unread) {
        output::problems(&problems);
        return Ok(Exit::Usage);
    }
    output::unread(&unread);
    Ok(Exit::Success)
}
