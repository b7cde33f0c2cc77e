//! The workflows of GitHub. `.ci/run` checks their form and permissions with zizmor.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, path::Path};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Names and texts of the workflows.
fn workflows() -> Vec<(String, String)> {
    let folder = fs::read_dir(root().join(".github/workflows")).unwrap();
    let read = |path: &Path| (path.display().to_string(), fs::read_to_string(path).unwrap());
    let workflows: Vec<_> = folder.map(|entry| read(&entry.unwrap().path())).collect();
    assert!(!workflows.is_empty());
    workflows
}

/// The values of a key of steps, such as `run`.
fn values<'a>(workflow: &'a str, key: &str) -> Vec<&'a str> {
    let lines = workflow.lines().map(|line| line.trim_start().trim_start_matches("- "));
    lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(':').map(str::trim)).collect()
}

#[test]
fn each_step_runs_a_script_or_a_target_of_make_that_exists() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    for (name, workflow) in workflows() {
        let commands = values(&workflow, "run");
        assert!(!commands.is_empty(), "{name}");
        for command in commands {
            match command.split_whitespace().collect::<Vec<_>>()[..] {
                // The compiler, from the runner's own rustup.
                ["rustup", ..] => {}
                ["make", target] => assert!(makefile.contains(&format!("\n{target}:")), "{name}: {command}"),
                [script, ..] => {
                    let metadata = fs::metadata(root().join(script)).unwrap_or_else(|_| panic!("{name}: {command}"));
                    assert!(metadata.permissions().mode() & 0o100 != 0, "{name}: {script} is no program");
                }
                [] => panic!("{name}: an empty command"),
            }
        }
    }
}

#[test]
fn each_action_is_pinned_by_its_commit_and_says_its_version() {
    let mut commits = BTreeSet::new();
    for (name, workflow) in workflows() {
        for action in values(&workflow, "uses") {
            let (pinned, version) = action.split_once(" # v").unwrap_or_else(|| panic!("{name}: {action}"));
            let (action, commit) = pinned.split_once('@').unwrap();
            assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}: {pinned}");
            commits.insert((action.to_owned(), commit.to_owned(), version.to_owned()));
        }
    }
    let actions: BTreeSet<_> = commits.iter().map(|(action, ..)| action).collect();
    assert_eq!(actions.len(), commits.len(), "an action has two versions: {commits:#?}");
}

#[test]
fn a_workflow_that_did_not_run_yet_says_so_first() {
    for (name, workflow) in workflows() {
        assert!(workflow.starts_with("# Not run yet on GitHub."), "{name}");
    }
}
