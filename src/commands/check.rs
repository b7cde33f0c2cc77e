//! `finops check`: tests the settings against the services.

use std::collections::BTreeMap;

use futures::future::join_all;
use tracing::Span;

use crate::{
    check::{self, Opened},
    cli::ChosenArguments,
    commands::{
        exit::{CommandError, Exit},
        store::open_store,
    },
    output,
    settings::{CliOverrides, parse},
    storage::S3Options,
};

/// Checks every configured export, its source and its table.
pub(crate) async fn check(
    arguments: ChosenArguments,
    environment: &BTreeMap<String, String>,
) -> Result<Exit, CommandError> {
    let config = parse(environment, &CliOverrides { pipeline: arguments.pipeline, ..CliOverrides::default() })?;
    Span::current().record("pipeline", config.pipeline());
    output::unread(&config.unread);
    let (emulator, s3) = (config.storage_emulator.as_deref(), S3Options::default());
    let opened = config.exports.iter().map(async |export| (export, open_store(export, emulator, &s3).await));
    let sources: Vec<Opened<'_>> = join_all(opened).await;
    let report = check::check(&config, &sources).await?;
    output::printer(&arguments.output).checks(&report);
    output::failed_checks(&report);
    Ok(if report.failed() { Exit::Failure } else { Exit::Success })
}
