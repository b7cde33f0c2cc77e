//! The commands of QUICKSTART.md and DEPLOYMENT.md succeed, and print what these documents show.

use std::{fs, iter::Peekable, path::Path, process::Command, str::Lines};

use crate::support::{deployment::Deployment, program::Outcome, require::output};

/// The comment after a command that no test can run.
const CLOUD: &str = "# needs the cloud";

/// A command of a document, after `$ ` in a block of code, and its output in the lines below it.
#[derive(Debug)]
struct Shown {
    command: String,
    prints: String,
}

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// A line of a block of code.
fn code<'a>(lines: &mut Peekable<Lines<'a>>, is_wanted: impl Fn(&str) -> bool) -> Option<&'a str> {
    let line = lines.next_if(|line| line.strip_prefix("    ").is_some_and(&is_wanted))?;
    line.strip_prefix("    ")
}

fn commands(document: &str) -> Vec<Shown> {
    let mut lines = document.lines().peekable();
    let mut commands = Vec::new();
    while let Some(line) = lines.next() {
        let Some(first) = line.strip_prefix("    $ ") else { continue };
        let mut command = first.to_owned();
        while let Some(start) = command.strip_suffix('\\') {
            command = format!("{start}{}", code(&mut lines, |_| true).unwrap().trim());
        }
        let mut prints = String::new();
        loop {
            if let Some(line) = code(&mut lines, |line| !line.starts_with("$ ")) {
                prints.push_str(line);
            } else {
                // An empty line belongs to the block if the block continues after it.
                let mut ahead = lines.clone();
                let goes_on = ahead.next() == Some("") && code(&mut ahead, |line| !line.starts_with("$ ")).is_some();
                if prints.is_empty() || !goes_on {
                    break;
                }
                lines.next();
            }
            prints.push('\n');
        }
        commands.push(Shown { command, prints });
    }
    commands
}

/// Whether `text` is `shown`, where `...` matches any text.
fn is_shown(shown: &str, text: &str) -> bool {
    let trimmed = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned();
    let (shown, text) = (trimmed(shown), trimmed(text));
    let parts: Vec<&str> = shown.split("...").collect();
    let [first, middle @ .., last] = parts.as_slice() else { return shown == text };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    for part in middle {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[track_caller]
fn runs(deployment: &Deployment, shown: &Shown) {
    let Shown { command, prints } = shown;
    // As QUICKSTART.md says, its reader sets the project and the bucket.
    let example = read(".env.example").replace("your-project-id", "my-project").replace("your-billing", "my-billing");
    if command == "cp .env.example .env" {
        return deployment.write(".env", &example);
    }
    if command == "make setup-alerts" {
        let with_address = example.replace("#ALERT_EMAIL=", "ALERT_EMAIL=");
        deployment.write(".env", &with_address);
    }
    let arguments: Vec<&str> = command.split(' ').collect();
    let ["make", targets @ ..] = arguments.as_slice() else {
        panic!("`{command}` is not run here: run it, or say behind it that it {CLOUD:?}");
    };
    let Outcome { code, stdout, stderr } = deployment.make(targets);
    assert_eq!(code, 0, "{command}\n{stdout}{stderr}");
    // gcloud prints its progress on stderr.
    let is_shown = prints.is_empty() || is_shown(prints, &stdout) || is_shown(prints, &stderr);
    assert!(is_shown, "{command} is said to print\n{prints}\nand prints\n{stdout}\nand aside\n{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_quickstart_and_then_of_deployment_print_what_is_shown() {
    let Some(deployment) = Deployment::new("") else { return };
    for name in ["QUICKSTART.md", "DEPLOYMENT.md"] {
        let commands = commands(&read(name));
        let here: Vec<&Shown> = commands.iter().filter(|shown| !shown.command.ends_with(CLOUD)).collect();
        assert!(here.len() >= 3 && here.len() < commands.len(), "{name}: {commands:#?}");
        for shown in here {
            runs(&deployment, shown);
        }
    }
}

#[test]
fn every_target_of_the_deployment_is_described() {
    let help = output(Command::new("make").arg("help").current_dir(env!("CARGO_MANIFEST_DIR")));
    let (_, of_deployment) = help.split_once("\nIn the cloud").unwrap();
    let targets: Vec<&str> = of_deployment.lines().filter_map(|line| line.trim().split(' ').nth(1)).skip(1).collect();
    assert!(targets.len() >= 15 && targets.contains(&"destroy-azure"), "{targets:?}");
    let deployment = read("DEPLOYMENT.md");
    for target in targets {
        assert!(deployment.contains(&format!("`make {target}`")), "DEPLOYMENT.md does not name make {target}");
    }
}

#[test]
fn three_dots_match_any_text_and_nothing_else_does() {
    assert!(is_shown("a\n...\nd\n", "a  \nb\nc\nd\n"));
    assert!(is_shown("a ...\nd", "a b c\nd") && is_shown("", "") && is_shown("a", "a\n"));
    assert!(!is_shown("a\n...\nd", "a\nb\nc") && !is_shown("a", "a\nb") && !is_shown("...b...", "a"));
}
