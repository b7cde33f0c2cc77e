//! What `--help` says of every command.

use clap::{Command, CommandFactory};
use finops::cli::Cli;

use super::words::{ruled_out, too_long};
use crate::support::program::Finops;

/// Every command by its path, such as `aws extract-billing`, the program itself first.
fn commands() -> Vec<(Vec<String>, Command)> {
    let mut found = vec![(Vec::new(), Cli::command())];
    let mut at = 0;
    while let Some((path, command)) = found.get(at).cloned() {
        let below = command.get_subcommands().filter(|command| command.get_name() != "help");
        found.extend(below.map(|command| ([&path[..], &[command.get_name().to_owned()]].concat(), command.clone())));
        at += 1;
    }
    found
}

#[test]
fn help_of_every_command_fits_a_terminal_of_80_columns() {
    let finops = Finops::unconfigured().with("COLUMNS", "80");
    for (path, _) in commands() {
        let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let help = finops.prints(&arguments);
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{path:?} has a line of more than 80 columns: {line}");
        }
        insta::assert_snapshot!(
            ["help"].into_iter().chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join("_"),
            help
        );
    }
}

#[test]
fn help_is_plain_english_with_examples_and_exit_codes() {
    for (path, command) in commands() {
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let has_commands_only = command.get_subcommands().next().is_some() && !path.is_empty();
        assert!(has_commands_only || after.contains("Examples:\n"), "{path:?} has no examples");
        assert!(has_commands_only || after.contains("Exit codes: "), "{path:?} has no exit codes");
        let arguments = command.get_arguments().filter_map(|argument| argument.get_help());
        let texts = command.get_about().into_iter().chain(arguments).map(ToString::to_string);
        let below = after.split("\n\n").filter(|part| !part.starts_with("Examples:")).map(str::to_owned);
        let texts: Vec<String> = texts.chain(below).collect();
        assert_eq!(too_long(texts.iter().map(String::as_str)), None, "{path:?}");
        assert_eq!(ruled_out(&texts.join("\n")), [""; 0], "{path:?}");
    }
}
