//! How a deployment reads `.env`, and which problems it reports.

use std::{fs, process::Command};

use finops::settings::{Form, configured, nearest, registry, variable};
use finops_core::model::provider::Provider;
use tempfile::TempDir;

use crate::support::{
    deployment::{AWS, Deployment},
    program::assert_names,
    require::output,
};

/// A Python program that reads files with `deploy/dotenv.py`.
fn python(program: &str, arguments: &[&str]) -> String {
    let deploy = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", deploy).env("PYTHONDONTWRITEBYTECODE", "1").arg("-c").arg(program).args(arguments);
    output(&mut python)
}

/// The variables that a shell reads from a file, each followed by a NUL.
fn in_a_shell(file: &str) -> String {
    output(Command::new("env").args(["-i", "HOME=/home/someone", "bash", "-c", "set -a; . \"$0\"; exec env -0", file]))
}

const READ: &str = "
import sys, dotenv
values, problems = dotenv.read(open(sys.argv[1], 'rb').read())
assert not problems, problems
print(*(f'{name}={value}' for name, value in values.items()), sep='\\0', end='\\0')
";

#[tokio::test(flavor = "multi_thread")]
async fn the_example_has_the_values_that_a_shell_reads() {
    let example = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example")).unwrap();
    // The unchanged file, and the file with all of its examples set.
    let all: String = example
        .split_inclusive('\n')
        .map(|line| match line.strip_prefix('#') {
            Some(set) if set.split('=').next().unwrap().chars().all(|c| c.is_ascii_uppercase() || c == '_') => set,
            _ => line,
        })
        .collect();
    assert!(all.contains("\nAZURE_SCHEDULE=\"0 7 * * *\"\n"));
    let folder = TempDir::new().unwrap();
    for text in [example, all] {
        let file = folder.path().join("env");
        fs::write(&file, &text).unwrap();
        let file = file.to_str().unwrap();
        let shell = in_a_shell(file);
        for pair in python(READ, &[file]).split_terminator('\0') {
            assert!(shell.split('\0').any(|other| other == pair), "{pair}");
        }
    }
}

/// Every text of up to four of these pieces as a value, where it is not refused, in a file that a shell can read.
const EVERY_VALUE: &str = r##"
import itertools, sys, dotenv
pieces = ["a", " ", "'", '"', "#", "$", "\\", "=", "~", "`", "*", ";", "\t", "\u00a0"]
values = ("".join(each) for length in range(5) for each in itertools.product(pieces, repeat=length))
lines = []
for number, value in enumerate(values):
    line = f"export K{number}={value}" if number % 2 else f"K{number}={value}"
    taken, problems = dotenv.read(line.encode())
    assert bool(taken) != bool(problems), line
    if taken:
        lines.append((line, f"K{number}=" + taken[f"K{number}"]))
with open(sys.argv[1], "w", encoding="utf-8") as file:
    file.writelines(line + "\n" for line, _ in lines)
print(*(pair for _, pair in lines), sep="\0", end="\0")
"##;

#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_what_a_shell_reads_or_is_refused() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("env");
    let read = python(EVERY_VALUE, &[file.to_str().unwrap()]);
    let shell: std::collections::BTreeSet<String> =
        in_a_shell(file.to_str().unwrap()).split('\0').map(str::to_owned).collect();
    let read: Vec<&str> = read.split_terminator('\0').collect();
    assert!(read.len() > 1000, "{}", read.len());
    let others: Vec<&&str> = read.iter().filter(|pair| !shell.contains(**pair)).collect();
    assert_eq!(others, [] as [&&str; 0]);
}

/// Prints what Python makes of each text of a JSON file, as JSON.
const READ_EACH: &str = "
import json, sys, dotenv
print(json.dumps([dotenv.read(bytes(text)) for text in json.load(open(sys.argv[1]))]))
";

/// The values and the problems of a file.
type Read = (std::collections::BTreeMap<String, String>, Vec<String>);

#[test]
fn the_program_reads_a_file_as_a_deployment_does() {
    let pieces = ["a", " ", "'", "\"", "#", "$", "\\", "=", "~", ":", ";", "\t", "\u{a0}", "\r", "\u{b}", "\u{2028}"];
    let mut values = vec![String::new()];
    for begin in 0..=pieces.len() * pieces.len() + pieces.len() {
        let longer: Vec<String> = pieces.iter().map(|piece| values[begin].clone() + piece).collect();
        values.extend(longer);
    }
    let mut texts: Vec<Vec<u8>> = values.iter().map(|value| format!("A={value}\nB=1").into_bytes()).collect();
    texts.extend(values.iter().map(|begin| format!("{begin}A=1\n").into_bytes()));
    let lines: [&[u8]; 18] = [
        b"",
        b"\n\n",
        b"\xef\xbb\xbfA=1\r\nB=2\r\n",
        b"\xef\xbb\xbfA=1\nB=\xff\n",
        b"\xff=1",
        b"A=1\nA=2\nA=3\n",
        b"A=a b\nA=1\n",
        b"export A=1",
        b"export  A=1",
        b"export\tA=1",
        b"export=1",
        b"export =1",
        b"exportA=1",
        b"export export A=1",
        b"  A=1",
        b"1A=1",
        b"A =1",
        b"A-B=1",
    ];
    texts.extend(lines.map(<[u8]>::to_vec));
    let file = TempDir::new().unwrap();
    let file = file.path().join("texts");
    fs::write(&file, serde_json::to_vec(&texts).unwrap()).unwrap();
    let read: Vec<Read> = serde_json::from_str(&python(READ_EACH, &[file.to_str().unwrap()])).unwrap();
    let mut accepted = 0;
    for (text, (values, problems)) in texts.iter().zip(read) {
        let found = finops::settings::dotenv::read(text);
        assert_eq!(found.1, problems, "{}", String::from_utf8_lossy(text));
        if problems.is_empty() {
            accepted += 1;
            assert_eq!(found.0, values, "{}", String::from_utf8_lossy(text));
        }
    }
    assert!(accepted > 500 && accepted * 2 < texts.len(), "{accepted} of {}", texts.len());
}

/// Prints the nearest of the names for each misspelt name.
const NEAREST: &str = "
import json, sys, settings
misspelt, names = json.load(open(sys.argv[1]))
print(json.dumps([settings.nearest(name, names) for name in misspelt]))
";

#[test]
fn the_program_and_a_deployment_suggest_the_same_names() {
    let variables = registry::all().filter(|setting| !setting.name.is_empty()).flat_map(|setting| {
        let of = |provider| setting.variable(Some(provider));
        if setting.providers.is_empty() {
            vec![setting.variable(None)]
        } else {
            setting.providers.iter().copied().map(of).collect()
        }
    });
    let names: Vec<String> = variables.chain(registry::keys().map(|(key, _)| variable(&key))).collect();
    let mut misspelt = Vec::new();
    for name in &names {
        for at in (0..name.len()).step_by(3) {
            misspelt.push(format!("{}{}", &name[..at], &name[at + 1..]));
            misspelt.push(format!("{}_X{}", &name[..at], &name[at..]));
            misspelt.push(format!("{}QX{}", &name[..at], &name[at + 1..]));
        }
        for at in (1..name.len()).step_by(3) {
            misspelt.push(format!("{}{}{}{}", &name[..at - 1], &name[at..=at], &name[at - 1..at], &name[at + 1..]));
        }
        misspelt.extend([format!("FINOPS_{name}"), format!("{name}_NAME"), name.to_lowercase()]);
    }
    let file = TempDir::new().unwrap();
    let file = file.path().join("names");
    fs::write(&file, serde_json::to_vec(&(&misspelt, &names)).unwrap()).unwrap();
    let suggested: Vec<Option<String>> = serde_json::from_str(&python(NEAREST, &[file.to_str().unwrap()])).unwrap();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found: Vec<Option<String>> = misspelt.iter().map(|name| nearest(name, &names).map(str::to_owned)).collect();
    assert_eq!(found, suggested);
    assert!(found.iter().flatten().count() * 4 > misspelt.len() * 3, "{}", misspelt.len());
}

/// Prints the pipelines that each environment configures.
const CONFIGURED: &str = "
import json, sys, settings
print(json.dumps([settings.Settings(values).pipelines for values in json.load(open(sys.argv[1]))]))
";

#[test]
fn the_program_and_a_deployment_run_the_same_pipelines_without_pipeline() {
    let mut names: Vec<String> =
        vec!["AWS_PROFILE".to_owned(), "AZURE_TENANT_ID".to_owned(), "GCP_PROJECT_ID".to_owned()];
    for provider in Provider::ALL {
        names.extend(registry::of_pipeline(provider).map(|setting| setting.variable(Some(provider))));
        names.push(provider.variable(None, "SCHEDULE"));
        names.push(provider.variable(None, "PROD_TABLE_NAME"));
    }
    let pair = |one: &String, other: &String| {
        std::collections::BTreeMap::from([one, other].map(|name| (name.clone(), "x".to_owned())))
    };
    let environments: Vec<_> = names.iter().flat_map(|one| names.iter().map(move |other| pair(one, other))).collect();
    let file = TempDir::new().unwrap();
    let file = file.path().join("environments");
    fs::write(&file, serde_json::to_vec(&environments).unwrap()).unwrap();
    let pipelines: Vec<Vec<String>> = serde_json::from_str(&python(CONFIGURED, &[file.to_str().unwrap()])).unwrap();
    for (environment, pipelines) in environments.iter().zip(pipelines) {
        let found: Vec<&str> = configured(environment).into_iter().map(Provider::as_str).collect();
        assert_eq!(found, pipelines, "{environment:?}");
    }
}

#[test]
fn the_files_sent_to_cloud_build_are_those_of_the_image() {
    let read = |name: &str| fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/").to_owned() + name).unwrap();
    let (docker, gcloud) = (read(".dockerignore"), read(".gcloudignore"));
    let kept: Vec<&str> = docker.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let sent: Vec<&str> = gcloud.lines().filter_map(|line| line.strip_prefix("!/")).collect();
    let has = |sent: &str, kept: &str| kept == sent || kept.starts_with(&format!("{sent}/"));
    let missing: Vec<_> = kept.iter().filter(|kept| !sent.iter().any(|sent| has(sent, kept))).collect();
    assert_eq!(missing, [] as [&&str; 0]);
    let needless: Vec<_> = sent.iter().filter(|sent| !kept.iter().any(|kept| has(sent, kept))).collect();
    assert_eq!(needless, [&"Dockerfile", &".dockerignore"]);
    assert!(docker.lines().any(|line| line == "*") && gcloud.lines().any(|line| line == "/*"));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_problems_are_reported_at_once_and_nothing_is_sent() {
    let Some(deployment) = Deployment::new(AWS) else { return };
    let mut seen = Vec::new();
    let mut refused = |target: &str, env: &[u8]| {
        fs::write(deployment.path(".env"), env).unwrap();
        let outcome = deployment.make(&[target]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{}", outcome.stderr);
        let env = String::from_utf8_lossy(env).replace('\r', "\\r").replace('\u{7}', "\\a");
        seen.push(format!("{env}\n{}", outcome.errors()));
    };
    refused("check-env", b"");
    refused("check-env", AWS.replace("AWS_TABLE_NAME", "AWS_TABLE").as_bytes());
    refused(
        "setup-gcp",
        b"A = b\nAWS_SCHEDULE=0 6 * * *\nB=\"$HOME\"\nC=`id`\nD='open\nE=a\\ b\nF=#1\nG= x\nH=1\nexport H=2\nI=~/x\nrun me\nJ=\"a\"b\r\nK=a\x07\n",
    );
    refused("deploy", b"PIPELINE=aws\nAWS_DATASET=\xff\n");
    refused(
        "deploy",
        b"PIPELINE=all\nGCP_PROJECT_ID=My_Project\nGCP_REGION=mars\nBIGQUERY_LOCATION=moon\nSTAGING_DATASET=stag-ing\nWAREHOUSE=duckdb\n\
          AWS_GCS_BUCKET=gs://bucket/cur\nAWS_DATASET=bill-ing\nAWS_TABLE_NAME=finops_loads\nAWS_SCHEDULE='0 25 * * *'\n\
          AZURE_SOURCE=s3://bucket/azure\nAZURE_DATASET=billing\nAZURE_SCHEDULE='every day'\n\
          ARTIFACT_REGISTRY_REPO=Finops\nIMAGE_NAME=a/b\nMEMORY=256Mi\nCPU=3\nMAX_RETRIES=11\nTIMEOUT=169h\n\
          SCHEDULE_TIME_ZONE='Mars/North Pole'\nALERT_EMAIL=nobody\nSTORAGE_EMULATOR_HOST=http://127.0.0.1:4443\n\
          IMAGE=finops\nNAME_PREFIX=f\nJOB_SERVICE_ACCOUNT=me@example.com\nSCHEDULER_SERVICE_ACCOUNT=me\nALERT_CHANNEL=slack\n\
          BIGQUERY_JOB_PROJECT=P\nLABELS=Team=finops\n\
          LOAD_CONCURRENCY=0\nWAIT_MAX_HOURS=-1\nMAX_AGE_HOURS=0\nSTART_DATE=2025-02\nEND_DATE=2025-01\n",
    );
    refused(
        "update",
        format!(
            "{AWS}AWS_EXPORTS=prod,Prod,old\nAWS_OLD_TABLE_NAME=AWS_CUR\nAWS_OLD_SOURCE=./local\nAWS_NEW_DATASET=x\n"
        )
        .as_bytes(),
    );
    refused("deploy-azure", AWS.as_bytes());
    refused("deploy-azure", AWS.replace("PIPELINE=aws", "PIPELINE=all").as_bytes());
    refused("setup-alerts", AWS.as_bytes());
    refused("status", AWS.replace("PIPELINE=aws", "PIPELINE=gcp").replace("my-billing-bucket", "a/b").as_bytes());
    fs::remove_file(deployment.path(".env")).unwrap();
    seen.push(deployment.make(&["deploy"]).errors());
    insta::assert_snapshot!("deploy_settings_refused", seen.join("\n"));
    assert_eq!(deployment.changes().len(), 0);
}

#[test]
fn placeholders_of_the_example_cannot_be_deployed() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example");
    let program = "
import sys, dotenv, settings
print(*settings.Settings(dotenv.read(open(sys.argv[1], 'rb').read())[0]).problems, sep='\\n')
";
    assert_eq!(
        python(program, &[example]),
        "GCP_PROJECT_ID is `your-project-id`, the placeholder of .env.example: set your own value\n\
         AWS_GCS_BUCKET is `your-billing-bucket`, the placeholder of .env.example: set your own value\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_value_that_may_be_a_credential_is_not_shown() {
    let program = "
import sys, settings
print(*settings.Settings({'PIPELINE': 'azure', sys.argv[1]: sys.argv[2]}).problems, sep='\\n')
";
    for (name, value) in [
        ("AZURE_SOURCE", "https://account.blob.core.windows.net/costs?sig=SECRET"),
        ("AZURE_SOURCE", "s3://key:SECRET@bucket/costs"),
        ("AZURE_SOURCE", "gs://costs?sig=SECRET"),
        ("AZURE_GCS_BUCKET", "https://account.blob.core.windows.net/costs?sig=SECRET"),
    ] {
        let problems = python(program, &[name, value]);
        assert!(problems.contains(name) && !problems.contains("SECRET"), "{problems}");
    }
}

#[test]
fn labels_are_those_of_google_for_the_program_and_for_a_deployment() {
    let (key, value) = ("k".repeat(63), "v".repeat(63));
    let many = |count: usize| (0..count).map(|at| format!("k{at}=v")).collect::<Vec<_>>().join(",");
    let valid =
        ["team=finops", "team=finops, env=prod", "a_b-1=", "a=1,ab=1,b=a", &format!("{key}={value}"), &many(50)];
    let invalid = [
        "team",
        "=finops",
        "Team=finops",
        "team=Finops",
        "1team=finops",
        "team=fin ops",
        "team=a=b",
        "team=finops,",
        "team=a,env=b,team=a",
        "goog-x=a",
        "a=1,google=2",
        "é=1",
        &format!("k{key}=v"),
        &format!("k={value}v"),
        &many(51),
    ];
    let program = "
import sys, settings
for text in sys.argv[1:]:
    print(any(problem.startswith('LABELS ') for problem in settings.Settings({'LABELS': text}).problems))
";
    let all: Vec<&str> = valid.iter().chain(&invalid).copied().collect();
    let refused: Vec<bool> = all.iter().map(|text| Form::Labels.problem(text).is_some()).collect();
    assert_eq!(refused, all.iter().enumerate().map(|(at, _)| at >= valid.len()).collect::<Vec<_>>(), "{all:?}");
    let of_deployment: Vec<bool> = python(program, &all).lines().map(|line| line == "True").collect();
    assert_eq!(of_deployment, refused, "{all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_one_provider_reach_the_job_of_its_pipeline() {
    let program = "
import sys, settings
values = dict(pair.split('=') for pair in sys.argv[1:])
all = settings.Settings(values)
assert not all.unused, all.unused
print(*(problem for problem in all.problems if 'belongs to no export' in problem), sep='\\n', end='')
for pipeline in settings.PIPELINES:
    print(pipeline, *(f'{name}={value}' for name, value in all.environment(pipeline).items() if value.startswith('own')))
";
    let shared = [
        "AWS_CUR_VERSION=own-1",
        "AWS_LEAVE_OUT=own-2",
        "AWS_NULL_VALUES=own-3",
        "AZURE_KEEP_RUNS=own-4",
        "AZURE_LEAVE_OUT=own-5",
        "AZURE_NULL_VALUES=own-6",
        "AZURE_SCOPES=own-7",
    ];
    let printed = python(program, &shared);
    let of = |pipeline: &str| printed.lines().find_map(|line| line.strip_prefix(pipeline)).unwrap().to_owned();
    for (pipeline, begin) in [("aws ", "AWS_"), ("azure ", "AZURE_")] {
        let mut sent: Vec<_> = of(pipeline).split(' ').map(str::to_owned).collect();
        sent.sort();
        assert_eq!(sent, shared.into_iter().filter(|name| name.starts_with(begin)).collect::<Vec<_>>());
    }
    let of_one = ["AZURE_EXPORTS=prod", "AZURE_PROD_SCOPES=own-1", "AWS_EXPORTS=a", "AWS_A_CUR_VERSION=own-2"];
    assert_eq!(python(program, &of_one).trim(), "aws AWS_A_CUR_VERSION=own-2\nazure AZURE_PROD_SCOPES=own-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_file_is_named_by_env_file_and_may_come_from_windows() {
    let Some(deployment) = Deployment::new("PIPELINE=none") else { return };
    let windows = format!("\u{feff}{AWS}").replace('\n', "\r\n");
    deployment.write(".env.staging", &windows.replace("my-project", "my-staging-project"));
    insta::assert_snapshot!("deploy_another_file", deployment.prints(&["check-env ENV_FILE=.env.staging"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn make_help_needs_no_settings_and_names_the_commands() {
    let Some(deployment) = Deployment::new("PIPELINE=none") else { return };
    assert_names(&deployment.prints(&["help"]), &["make check-env ", "make deploy-azure ", "make destroy "]);
}
