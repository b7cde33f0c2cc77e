//! The documents: their commands succeed and print what is shown, their queries run, their links lead to something.
//!
//! After a change of what commands print: `FINOPS_REWRITE_DOCS=1 cargo nextest run -E 'test(docs::)'`.

mod block;
mod links;
mod place;

use std::{collections::BTreeSet, env, fs, path::Path, process::Command};

use billing_exports::{Dialect, Run};
use serde_json::json;
use tempfile::TempDir;

use self::{
    block::{Block, Shown, blocks, is_shown, rewritten},
    place::{Machine, deliver_bill, tables},
};
use crate::support::{deployment::Deployment, program::Outcome, require::output};

const REWRITE: &str = "FINOPS_REWRITE_DOCS";

/// The documents of the deployment, in the order in which their commands run. Those of all other documents run on one machine.
const OF_THE_DEPLOYMENT: [&str; 2] = ["QUICKSTART.md", "DEPLOYMENT.md"];

/// How commands begin that no test of this file runs.
const NOT_RUN: [&str; 11] = [
    // They need the services, or change this machine. Nobody knows what Google's services would answer.
    "gcloud ",
    "docker ",
    "pip install ",
    "git pull",
    // They build for minutes. Tests of their own run what they build.
    "make wheel",
    "make bin",
    "bin/",
    ".cache/bin/",
    // There is no older image, and no second file of settings.
    "make deploy IMAGE_TAG=",
    "make deploy ENV_FILE=",
    // The check asks the services of the deployment.
    "finops check",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

fn is_run(shown: &Shown) -> bool {
    !NOT_RUN.iter().any(|start| shown.command.starts_with(start))
}

/// Runs the commands of a document, and compares what they print with what it shows. Returns what is wrong.
fn follow(name: &str, write: impl Fn(&str, &str), run: impl Fn(&str) -> Outcome) -> Vec<String> {
    let document = read(name);
    let (mut wrong, mut outputs) = (Vec::new(), Vec::new());
    let found = blocks(&document);
    for block in &found {
        let commands = match block {
            Block::Commands(commands) => commands,
            Block::File { name, text } => {
                write(name, text);
                continue;
            }
            Block::Query(_) | Block::Other => continue,
        };
        for shown in commands.iter().filter(|shown| is_run(shown)) {
            let Shown { command, prints, .. } = shown;
            let Outcome { code, stdout, stderr } = run(command);
            // gcloud prints its progress on stderr.
            let is_right = prints.is_empty() || is_shown(prints, &stdout) || is_shown(prints, &stderr);
            if code != 0 {
                wrong.push(format!("{name}: {command} ends with {code}\n{stdout}{stderr}"));
            } else if !is_right && env::var_os(REWRITE).is_some() && !prints.contains("...") {
                outputs.push((shown, stdout));
            } else if !is_right {
                let printed = format!("{prints}\nand prints\n{stdout}\nand aside\n{stderr}");
                wrong.push(format!("{name}: {command} is said to print\n{printed}"));
            }
        }
    }
    if !outputs.is_empty() {
        fs::write(root().join(name), rewritten(&document, &outputs)).unwrap();
    }
    wrong
}

#[track_caller]
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n{REWRITE}=1 writes outputs without `...` anew", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_quickstart_and_then_of_deployment_print_what_is_shown() {
    let Some(deployment) = Deployment::new("") else { return };
    deployment.change(|state| {
        let bucket = json!({"kind": "storage#bucket", "name": "acme-exports", "id": "acme-exports"});
        state.insert("buckets/acme-exports".to_owned(), bucket);
    });
    let write = |name: &str, text: &str| deployment.write(name, text);
    let run = |command: &str| {
        let arguments: Vec<&str> = command.split(' ').collect();
        let ["make", targets @ ..] = arguments.as_slice() else { panic!("`{command}` is neither run nor in NOT_RUN") };
        deployment.make(targets)
    };
    assert_none(&OF_THE_DEPLOYMENT.map(|name| follow(name, write, run)).concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_other_documents_print_what_is_shown() {
    let mut wrong = Vec::new();
    for name in links::documents().iter().filter(|name| !OF_THE_DEPLOYMENT.contains(&name.as_str())) {
        let machine = Machine::new();
        if name == "README.md" {
            load_all_but_the_newest(&machine);
        }
        let write = |name: &str, text: &str| fs::write(machine.path(name), text).unwrap();
        wrong.extend(follow(name, write, |command| machine.run(command)));
    }
    assert_none(&wrong);
}

/// What README's first command finds: months that are loaded, one that AWS delivered again since, and one that is new.
fn load_all_but_the_newest(machine: &Machine) {
    let settings = "WAREHOUSE=duckdb\nDUCKDB_PATH=bills.duckdb\nAWS_SOURCE=exports/cur\nAWS_DATASET=billing\n\
                    AWS_TABLE_NAME=aws_cur\nAZURE_SOURCE=exports/azure\nAZURE_DATASET=billing\nAZURE_TABLE_NAME=azure_focus\n";
    fs::write(machine.path(".env"), settings).unwrap();
    let aws = |run: &Run| deliver_bill(Dialect::AwsCur, "USD", &machine.path("exports/cur"), run);
    for month in ["2025-08", "2025-09", "2025-10"] {
        let run = Run::of(month.parse().unwrap());
        aws(&run);
        deliver_bill(Dialect::AzureFocus12, "EUR", &machine.path("exports/azure"), &run);
    }
    let outcome = machine.run("finops run --end-date 2025-09");
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    aws(&Run::again("2025-09".parse().unwrap(), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_the_documents_runs_in_duckdb_and_finds_rows() {
    let folder = TempDir::new().unwrap();
    let database = tables(folder.path());
    let staged = Machine::new();
    let outcome = staged.run("FINOPS_AWS_SOURCE=examples/aws/first/cur finops aws run-pipeline");
    assert_eq!(outcome.code, 0, "{}{}", outcome.stdout, outcome.stderr);
    // For queries of Parquet files.
    database.execute_batch(&format!("SET file_search_path = '{}'", staged.path("").display())).unwrap();
    let mut asked = 0;
    for name in links::documents() {
        for block in blocks(&read(&name)) {
            let Block::Query(sql) = block else { continue };
            let mut statement = database.prepare(&sql).unwrap_or_else(|error| panic!("{name}: {error}\n{sql}"));
            let has_rows = statement.query([]).and_then(|mut rows| Ok(rows.next()?.is_some()));
            let has_rows = has_rows.unwrap_or_else(|error| panic!("{name}: {error}\n{sql}"));
            assert!(has_rows || sql.starts_with("CREATE"), "{name}: no row is found by\n{sql}");
            asked += 1;
        }
    }
    assert!(asked >= 10, "{asked}");
}

#[test]
fn what_is_not_run_is_in_some_document() {
    let mut unused: BTreeSet<&str> = NOT_RUN.into();
    for name in links::documents() {
        for block in blocks(&read(&name)) {
            let Block::Commands(commands) = block else { continue };
            unused.retain(|start| !commands.iter().any(|shown| shown.command.starts_with(start)));
        }
    }
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn every_target_of_the_deployment_is_described() {
    let help = output(Command::new("make").arg("help").current_dir(root()));
    let (_, of_deployment) = help.split_once("\nIn the cloud").unwrap();
    let targets: Vec<&str> = of_deployment.lines().filter_map(|line| line.trim().split(' ').nth(1)).skip(1).collect();
    assert!(targets.len() >= 15 && targets.contains(&"destroy-azure"), "{targets:?}");
    let deployment = read("DEPLOYMENT.md");
    for target in targets {
        assert!(deployment.contains(&format!("`make {target}`")), "DEPLOYMENT.md does not name make {target}");
    }
}

/// Words of the deployment's scripts that match, such as `roles/run.invoker`.
fn words_of_scripts(is_wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let scripts = fs::read_dir(root().join("deploy")).unwrap().map(|entry| entry.unwrap().path());
    let scripts = scripts.filter(|path| path.extension().is_some_and(|end| end == "sh"));
    let text: String = scripts.map(|path| fs::read_to_string(path).unwrap()).collect();
    let words = text.split(|each: char| !(each.is_alphanumeric() || "./_-".contains(each)));
    words.filter(|word| is_wanted(word)).map(str::to_owned).collect()
}

#[test]
fn the_lists_of_roles_services_and_resources_are_those_of_the_scripts() {
    let (permissions, platforms) = (read("docs/permissions.md"), read("docs/platforms.md"));
    let setup = read("deploy/setup-gcp.sh");
    // A hint names a role of the person who deploys.
    let roles = words_of_scripts(|word| word.starts_with("roles/") && word != "roles/iam.serviceAccountUser");
    assert!(roles.len() >= 6, "{roles:?}");
    for role in roles {
        assert!(permissions.contains(&format!("`{role}`")), "docs/permissions.md lacks {role}");
        assert!(platforms.contains(&format!("`{role}`")), "docs/platforms.md lacks {role}");
    }
    let services = setup.lines().find_map(|line| line.strip_prefix("for api in ")?.strip_suffix("; do")).unwrap();
    assert!(services.split(' ').count() >= 10);
    for service in services.split(' ') {
        assert!(platforms.contains(&format!("`{service}`")), "docs/platforms.md lacks {service}");
    }
    for entry in fs::read_dir(root().join("deploy")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.starts_with("alert-") {
            assert!(platforms.contains(&format!("`deploy/{name}`")), "docs/platforms.md lacks {name}");
        }
    }
}

/// Names in capitals that documents mention, and that the program does not know.
const OTHER_NAMES: [&str; 6] =
    ["JSON_VALUE", "ROW_NUMBER", "AWS_LEGACY_SOURCE", "TIME_ZONE", "FINOPS_STAGING_DIR", "AWS_TABLE"];

#[test]
fn settings_and_other_names_in_capitals_are_those_of_the_program() {
    fn names(text: &str) -> BTreeSet<&str> {
        let words = text.split(|each: char| !(each.is_ascii_alphanumeric() || each == '_'));
        let is_name = |word: &&str| {
            let is_part = |each: char| each == '_' || each.is_ascii_uppercase();
            word.trim_matches('_').contains('_') && word.chars().all(is_part)
        };
        words.filter(is_name).collect()
    }
    fn add(path: &Path, text: &mut String) {
        if path.is_dir() {
            fs::read_dir(path).unwrap().for_each(|entry| add(&entry.unwrap().path(), text));
        } else {
            text.push_str(&fs::read_to_string(path).unwrap_or_default());
        }
    }
    let mut program = String::new();
    [".env.example", "Makefile", "src", "core/src", "deploy"]
        .iter()
        .for_each(|name| add(&root().join(name), &mut program));
    let known = names(&program);
    let of_users = |name: &&String| !["docs/decisions/", "CONTRIBUTING"].iter().any(|start| name.starts_with(start));
    let mut unknown = Vec::new();
    for document in links::documents().iter().filter(of_users) {
        let text = read(document);
        let strange = names(&text).into_iter().filter(|name| !known.contains(name) && !OTHER_NAMES.contains(name));
        unknown.extend(strange.map(|name| format!("{document}: {name}")));
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}
