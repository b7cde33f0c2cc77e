//! Wrong settings, files and tables: `finops check` fails exactly when `finops run` fails, and names the same object.
//! docs/bad-input.md shows the results.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use assert_cmd::cargo::cargo_bin;
use bigquery_emulator::{Fault, FaultKind, When};
use finops_core::{hint, model::load_record::STATE_TABLE};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    flow::several_exports::renamed,
    support::{
        google_storage::{GoogleStorage, refusal},
        jobs::{CloudJob, LocalJob},
        program::{BUCKET, DATASET, Finops, Outcome, TABLE, assert_names},
        servers::{PROJECT, call},
        tree::{Delivery, write},
    },
};

/// An account that owns nothing: root ignores permissions.
const NOBODY: u32 = 65534;

/// The mistake, and the object that both commands must name.
type Wrong = (&'static str, &'static str);

fn september() -> Delivery {
    Delivery::new("2025-09", "first", &["3.5"])
}

/// Runs the program; as an account without rights, where permissions are to count.
fn run(finops: &Finops, arguments: &[&str], unprivileged: bool) -> Outcome {
    if !unprivileged {
        return finops.run(arguments);
    }
    let mut command = finops.command(arguments);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.stderr(Stdio::piped());
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Whether an account without rights can run the program: its folder may be closed to that account.
#[expect(clippy::print_stderr, reason = "rows that are skipped must be seen")]
fn may_be_nobody() -> bool {
    let mut version = Finops::unconfigured().within(Path::new("/")).command(&["--version"]);
    if is_root() {
        version.uid(NOBODY).gid(NOBODY);
    }
    let may = version.output().is_ok_and(|output| output.status.success());
    if !may {
        eprintln!("skipped: the rows of permissions, as an account without rights cannot run the program");
    }
    may
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Runs both commands, and returns the row of the document.
#[track_caller]
fn row((wrong, object): Wrong, finops: &Finops, unprivileged: bool, folder: &str) -> String {
    let check = run(finops, &["check", "--output", "json"], unprivileged);
    let loaded = run(finops, &["run"], unprivileged);
    let outcomes = format!("{wrong}\ncheck: {}\n{}\nrun: {}\n{}", check.code, check.stdout, loaded.code, loaded.stderr);
    assert_eq!(check.code != 0, loaded.code != 0, "{outcomes}");
    // Wrong settings are reported before anything is checked.
    let report: Value = serde_json::from_str(&check.stdout).unwrap_or_default();
    let findings = report["checks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let with = |status: &str| findings.iter().find(|finding| finding["status"] == status);
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let said = |finding: &Value| format!("{}: {}", text(finding, "check").replace('_', " "), text(finding, "found"));
    let error = |outcome: &Outcome| {
        // If several settings are wrong, the first counts.
        let mut lines =
            outcome.stderr.lines().filter_map(|line| line.strip_prefix("error: ").or(line.strip_prefix("  ")));
        lines.find(|line| !line.contains("the configuration has")).unwrap_or_default().to_owned()
    };
    let checked = match (with("failed"), with("warning")) {
        (Some(failed), _) => {
            assert!(text(failed, "object").contains(object) || said(failed).contains(object), "{object}: {outcomes}");
            said(failed)
        }
        (None, _) if check.code != 0 => error(&check),
        (None, Some(warning)) => format!("warns of {}", said(warning)),
        (None, None) => "ok".to_owned(),
    };
    let ran = if loaded.code == 0 { "succeeds".to_owned() } else { error(&loaded) };
    assert!(loaded.code == 0 || ran.contains(object), "{object}: {outcomes}");
    let cell = |text: &str| {
        let mut text = text.replace(folder, "/data");
        while text.contains("nnnn") {
            text = text.replace("nnnn", "nnn");
        }
        text.replace('|', "\\|")
    };
    format!("| {wrong} | {} | {}: {} |", cell(&checked), loaded.code, cell(&ran))
}

/// Asserts that the document has just these rows below the heading.
#[track_caller]
fn assert_documented(heading: &str, rows: &[String], left_out: &[&str]) {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/bad-input.md");
    let document = fs::read_to_string(document).unwrap_or_default();
    let (_, section) = document.split_once(&format!("## {heading}\n")).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let shown: Vec<&str> = section.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let is_left_out = |line: &&&str| left_out.iter().any(|wrong| line.starts_with(&format!("| {wrong} |")));
    let shown: Vec<&str> = shown.iter().filter(|line| !is_left_out(line)).copied().collect();
    assert_eq!(shown, rows, "docs/bad-input.md, {heading}, should have\n{}\n", rows.join("\n"));
}

/// A DuckDB job, in which a row may break anything.
struct Local {
    job: LocalJob,
    folder: PathBuf,
}

impl Local {
    fn at(&self, path: &str) -> Finops {
        self.job.finops.clone().with("DUCKDB_PATH", self.folder.join(path).to_str().unwrap())
    }

    fn allow(&self, path: &str, mode: u32) {
        fs::set_permissions(self.folder.join(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn execute(&self, sql: &str) {
        duckdb::Connection::open(&self.job.database).unwrap().execute_batch(sql).unwrap();
    }
}

/// Nothing is loaded yet, or September is; the job as the account without rights, or with all of them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Loaded,
    NothingUnprivileged,
    LoadedUnprivileged,
}

use Before::{Loaded, LoadedUnprivileged, Nothing, NothingUnprivileged};

type LocalCase = (Wrong, Before, fn(&Local) -> Finops);

const LOCAL: [LocalCase; 33] = [
    (("`AWS_DATASET` is not set", "AWS_DATASET"), Nothing, |local| local.job.finops.clone().without("AWS_DATASET")),
    (("`DUCKDB_PATH` is a folder", "cur"), Nothing, |local| local.at("cur")),
    (("`DUCKDB_PATH` is a pipe", "pipe.duckdb"), Nothing, |local| {
        assert!(Command::new("mkfifo").arg(local.folder.join("pipe.duckdb")).status().unwrap().success());
        local.at("pipe.duckdb")
    }),
    (("`DUCKDB_PATH` is a link to itself", "self.duckdb"), Nothing, |local| {
        symlink(local.folder.join("self.duckdb"), local.folder.join("self.duckdb")).unwrap();
        local.at("self.duckdb")
    }),
    (("`DUCKDB_PATH` is a link to a file that is not there", "new.duckdb"), Nothing, |local| {
        symlink("elsewhere/new.duckdb", local.folder.join("link.duckdb")).unwrap();
        local.at("link.duckdb")
    }),
    (("`DUCKDB_PATH` is below a file", "file/x.duckdb"), Nothing, |local| {
        fs::write(local.folder.join("file"), "").unwrap();
        local.at("file/x.duckdb")
    }),
    (("`DUCKDB_PATH` has a name of 300 characters", "nnnnn"), Nothing, |local| local.at(&"n".repeat(300))),
    (("`DUCKDB_PATH` has a name to which DuckDB can add no `.wal`", "nnnnn"), Nothing, |local| {
        local.at(&"n".repeat(253))
    }),
    (("`DUCKDB_PATH` is in a folder that is not there", "new.duckdb"), Nothing, |local| local.at("a/b/new.duckdb")),
    (("the same, and the folder may not be created", "shut"), NothingUnprivileged, |local| {
        fs::create_dir(local.folder.join("shut")).unwrap();
        local.allow("shut", 0o555);
        local.at("shut/b/new.duckdb")
    }),
    (("the database file is empty", "finops.duckdb"), Nothing, |local| {
        fs::write(&local.job.database, "").unwrap();
        local.job.finops.clone()
    }),
    (("the database file is no DuckDB database", "finops.duckdb"), Nothing, |local| {
        fs::write(&local.job.database, "month,cost\n".repeat(1000)).unwrap();
        local.job.finops.clone()
    }),
    (("the database file may not be written", "finops.duckdb"), LoadedUnprivileged, |local| {
        local.allow("finops.duckdb", 0o444);
        local.job.finops.clone()
    }),
    (("the database file may be written, and its folder may not", "finops.duckdb"), LoadedUnprivileged, |local| {
        local.allow("finops.duckdb", 0o666);
        local.allow("", 0o555);
        local.job.finops.clone()
    }),
    (("another folder has the name of the database's log", "finops.duckdb.wal"), Loaded, |local| {
        fs::create_dir(local.folder.join("finops.duckdb.wal")).unwrap();
        local.job.finops.clone()
    }),
    (("the source is a folder that is not there", "nowhere"), Nothing, |local| {
        let source = local.folder.join("nowhere");
        local.job.finops.clone().with("AWS_SOURCE", source.to_str().unwrap())
    }),
    (("the source is a file", "bill.csv"), Nothing, |local| {
        let source = local.folder.join("bill.csv");
        fs::write(&source, "month,cost\n").unwrap();
        local.job.finops.clone().with("AWS_SOURCE", source.to_str().unwrap())
    }),
    (("the source may not be read", "cur"), NothingUnprivileged, |local| {
        local.allow("cur", 0o000);
        local.job.finops.clone()
    }),
    (("the source has no manifest", "cur"), Nothing, |local| {
        fs::remove_dir_all(&local.job.source).unwrap();
        fs::create_dir(&local.job.source).unwrap();
        local.job.finops.clone()
    }),
    (("the source of loaded months has no manifest any more", "cur"), Loaded, |local| {
        fs::remove_dir_all(&local.job.source).unwrap();
        fs::create_dir(&local.job.source).unwrap();
        local.job.finops.clone()
    }),
    (("no export of the source has the name", "raport"), Nothing, |local| {
        local.job.finops.clone().with("AWS_EXPORT_NAME", "raport")
    }),
    (("the source has several exports, and none is named", "several exports"), Nothing, |local| {
        for (key, bytes) in renamed("daily", september()) {
            write(&local.job.source.join(key), &bytes);
        }
        local.job.finops.clone()
    }),
    (("the newest manifest is not JSON", "report-Manifest.json"), Loaded, |local| {
        let manifest = local.job.source.join("report/20251001-20251101/report-Manifest.json");
        write(&manifest, b"<html>Bad Gateway</html>");
        local.job.finops.clone()
    }),
    (("the same, and `END_DATE` is before that month", "report"), Loaded, |local| {
        let manifest = local.job.source.join("report/20251001-20251101/report-Manifest.json");
        write(&manifest, b"<html>Bad Gateway</html>");
        local.job.finops.clone().with("END_DATE", "2025-09")
    }),
    (("no month from `START_DATE` on is there", "asked for"), Loaded, |local| {
        local.job.finops.clone().with("START_DATE", "2030-01")
    }),
    (("a file of the newest manifest is not there yet", "2025-10"), Loaded, |local| {
        let october = Delivery::new("2025-10", "first", &["1", "2"]).in_parts(2);
        october.write(&local.job.source);
        fs::remove_file(october.data_path(&local.job.source, 1)).unwrap();
        local.job.finops.clone()
    }),
    (("the table is somebody else's", "billing.aws_cur"), Nothing, |local| {
        local.execute("CREATE SCHEMA billing; CREATE TABLE billing.aws_cur (mine VARCHAR)");
        local.job.finops.clone()
    }),
    (("a view has the name of the table", "billing.aws_cur"), Nothing, |local| {
        local.execute("CREATE SCHEMA billing; CREATE VIEW billing.aws_cur AS SELECT 1 AS mine");
        local.job.finops.clone()
    }),
    (("the table has another export's months", "billing.aws_cur"), Loaded, |local| {
        fs::remove_dir_all(&local.job.source).unwrap();
        for (key, bytes) in renamed("daily", september()) {
            write(&local.job.source.join(key), &bytes);
        }
        local.job.finops.clone()
    }),
    (("the table is of another provider's exports", "billing.aws_cur"), Loaded, |local| {
        local.execute(
            "DROP TABLE billing.aws_cur; CREATE TABLE billing.aws_cur (date DATE, billingPeriodStartDate DATE, \
             costInBillingCurrency DECIMAL(38,18), billingCurrency VARCHAR, subscriptionId VARCHAR); \
             COMMENT ON TABLE billing.aws_cur IS 'managed by finops'",
        );
        local.job.finops.clone()
    }),
    (("the staged pipeline writes the table", "billing.aws_cur"), Loaded, |local| {
        local.execute("COMMENT ON TABLE billing.aws_cur IS 'managed by finops, staged'");
        local.job.finops.clone()
    }),
    (("the state table is somebody else's", "finops_loads"), Loaded, |local| {
        local.execute("COMMENT ON TABLE billing.finops_loads IS NULL");
        local.job.finops.clone()
    }),
    (("the state table lacks a column", "finops_loads"), Loaded, |local| {
        local.execute("ALTER TABLE billing.finops_loads DROP sequence");
        local.job.finops.clone()
    }),
];

#[test]
fn with_duckdb_check_fails_where_run_fails_and_names_the_same_object() {
    let (mut rows, mut left_out) = (Vec::new(), Vec::new());
    let may_be_nobody = may_be_nobody();
    for (wrong, before, break_it) in LOCAL {
        let unprivileged = matches!(before, LoadedUnprivileged | NothingUnprivileged);
        if unprivileged && !may_be_nobody {
            left_out.push(wrong.0);
            continue;
        }
        let job = match before {
            Loaded | LoadedUnprivileged => LocalJob::loaded(&[september()]),
            Nothing | NothingUnprivileged => LocalJob::new(&[september()]),
        };
        let folder = job.database.parent().unwrap().to_owned();
        let local = Local { job, folder };
        local.allow("", 0o777);
        rows.push(row(wrong, &break_it(&local), unprivileged, local.folder.to_str().unwrap()));
        // So that it can be removed.
        for path in ["", "cur"] {
            local.allow(path, 0o777);
        }
    }
    assert_documented("With DuckDB", &rows, &left_out);
}

#[test]
fn no_command_waits_for_a_database_that_is_a_pipe() {
    let local = Local { job: LocalJob::loaded(&[september()]), folder: PathBuf::new() };
    fs::remove_file(&local.job.database).unwrap();
    assert!(Command::new("mkfifo").arg(&local.job.database).status().unwrap().success());
    let finops = local.job.finops.with("FINOPS_DATABASE_DUCKDB_DATABASE_PATH", local.job.database.to_str().unwrap());
    let finops = finops.with("FINOPS_AWS_SOURCE", local.job.source.to_str().unwrap());
    let staging = local.job.source.with_file_name("staging");
    fs::create_dir(&staging).unwrap();
    let finops = finops.with("FINOPS_STAGING_DIR", staging.to_str().unwrap());
    for command in [
        &["run"][..],
        &["plan"],
        &["status"],
        &["check"],
        &["aws", "load-billing-local"],
        &["aws", "export-parquet"],
        &["aws", "run-pipeline", "--dry-run"],
    ] {
        let outcome = finops.run(command);
        assert_eq!(outcome.code, 1, "{command:?}: {}", outcome.stderr);
        assert_names(
            &(outcome.stdout + &outcome.stderr),
            &["finops.duckdb", "it is not a file, but a pipe", "DUCKDB_PATH"],
        );
    }
}

/// Runs the program twice on a disk of one megabyte, with `free` KB free. Returns what it printed, and what is on the disk
/// afterwards.
fn on_a_full_disk(job: &LocalJob, free: u32) -> Option<String> {
    let disk = job.source.with_file_name("disk");
    fs::create_dir(&disk).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=1M tmpfs {disk} && dd if=/dev/zero of={disk}/fill bs=1k count={} 2>/dev/null && \
         {{ $0 run; rm {disk}/fill; ls {disk}; $0 run; }} 2>&1",
        1024 - free,
        disk = disk.display()
    );
    let finops = job.finops.clone().with("DUCKDB_PATH", disk.join("finops.duckdb").to_str().unwrap());
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", &script]).arg(cargo_bin!("finops")).envs(finops.environment());
    let output = unshare.output().ok()?;
    let printed = String::from_utf8(output.stdout).unwrap();
    fs::remove_dir(&disk).unwrap();
    (!printed.is_empty()).then_some(printed)
}

#[test]
fn a_first_load_onto_a_full_disk_leaves_no_invalid_database() {
    for free in [0, 4, 8] {
        let job = LocalJob::new(&[september()]);
        let Some(printed) = on_a_full_disk(&job, free) else {
            eprintln!("skipped: a disk of one megabyte cannot be mounted here");
            return;
        };
        assert_names(&printed, &["No space left on device", hint::DATABASE_DISK_FULL]);
        assert_names(&printed, &["2025-09  loaded "]);
        assert!(!printed.contains("finops.duckdb\n"), "{free} KB: {printed}");
    }
}

/// A bucket and the emulator, in which a row may break anything.
struct Cloud {
    job: CloudJob,
    storage: GoogleStorage,
    finops: Finops,
}

impl Cloud {
    async fn post(&self, path: &str, body: Value) {
        call(&self.job.emulator, Method::POST, path, body).await;
    }

    async fn dataset(&self, name: &str, location: &str) {
        self.post("/datasets", json!({"datasetReference": {"datasetId": name}, "location": location})).await;
    }

    /// A table that is there before the first run, of these columns.
    async fn table(&self, name: &str, columns: &[(&str, &str)], more: Value) {
        self.dataset(DATASET, "US").await;
        let fields: Vec<Value> = columns.iter().map(|(name, of)| json!({"name": name, "type": of})).collect();
        let mut table = json!({"schema": {"fields": fields}});
        table["tableReference"] = json!({"projectId": PROJECT, "datasetId": DATASET, "tableId": name});
        more.as_object().unwrap().iter().for_each(|(key, value)| table[key] = value.clone());
        self.post(&format!("/datasets/{DATASET}/tables"), table).await;
    }

    async fn put_another_export(&self) {
        for (key, bytes) in renamed("daily", september()) {
            self.job.storage.put(BUCKET, &format!("cur/{key}"), bytes).await;
        }
    }
}

const CLOUD: [Wrong; 15] = [
    ("`AWS_GCS_BUCKET` names no bucket", "billing-miror"),
    ("the account may not list the bucket", "billing-mirror"),
    ("`AWS_GCS_PREFIX` is wrong", "billing-mirror/curr"),
    ("no export of the bucket has the name", "raport"),
    ("the bucket has several exports, and none is named", "several exports"),
    ("the account may do nothing in the project", "demo"),
    ("the dataset is not there", "billing"),
    ("the dataset of `STAGING_DATASET` is not there", "demo.staging"),
    ("the dataset of `STAGING_DATASET` is in another location", "demo.staging"),
    ("the table is somebody else's", "demo.billing.aws_cur"),
    ("the table is of another provider's exports", "demo.billing.aws_cur"),
    ("the staged pipeline writes the table", "demo.billing.aws_cur"),
    ("the table lacks its column of cost", "demo.billing.aws_cur"),
    ("the state table is somebody else's", "demo.billing.finops_loads"),
    ("the state table has a column of another type", "demo.billing.finops_loads"),
];

/// Breaks what the row names.
async fn break_it(cloud: &Cloud, wrong: &str) -> Finops {
    let finops = cloud.finops.clone();
    let ours = json!({"managed_by": "finops"});
    let of_cur = [
        ("bill_billing_period_start_date", "TIMESTAMP"),
        ("line_item_usage_start_date", "TIMESTAMP"),
        ("line_item_currency_code", "STRING"),
        ("line_item_unblended_cost", "BIGNUMERIC"),
    ];
    let partitioned = |column: &str| json!({"type": "MONTH", "field": column});
    let of_job = json!({"labels": ours, "timePartitioning": partitioned(of_cur[0].0)});
    match wrong {
        "`AWS_GCS_BUCKET` names no bucket" => return finops.with("AWS_GCS_BUCKET", "billing-miror"),
        "the account may not list the bucket" => {
            let message = "job does not have storage.objects.list access to billing-mirror";
            cloud.storage.answer(GoogleStorage::LISTING, 403, refusal(403, "forbidden", message));
        }
        "`AWS_GCS_PREFIX` is wrong" => return finops.with("AWS_GCS_PREFIX", "curr"),
        "no export of the bucket has the name" => return finops.with("AWS_EXPORT_NAME", "raport"),
        "the bucket has several exports, and none is named" => cloud.put_another_export().await,
        "the account may do nothing in the project" => cloud.job.emulator.add_fault(Fault {
            method: String::new(),
            path_contains: "/projects/demo/".to_owned(),
            after: 0,
            times: usize::MAX,
            kind: FaultKind::Status(403, "accessDenied".to_owned()),
            when: When::BeforeEffect,
        }),
        "the dataset is not there" => {}
        "the dataset of `STAGING_DATASET` is not there" => {
            cloud.dataset(DATASET, "US").await;
            return finops.with("STAGING_DATASET", "staging");
        }
        "the dataset of `STAGING_DATASET` is in another location" => {
            cloud.dataset(DATASET, "US").await;
            cloud.dataset("staging", "EU").await;
            return finops.with("STAGING_DATASET", "staging");
        }
        "the table is somebody else's" => cloud.table(TABLE, &[("mine", "STRING")], json!({})).await,
        "the table is of another provider's exports" => {
            let columns = [
                ("date", "DATE"),
                ("billingPeriodStartDate", "DATE"),
                ("costInBillingCurrency", "BIGNUMERIC"),
                ("billingCurrency", "STRING"),
            ];
            let more = json!({"labels": ours, "timePartitioning": partitioned("billingPeriodStartDate")});
            cloud.table(TABLE, &columns, more).await;
        }
        "the staged pipeline writes the table" => {
            let mut more = of_job;
            more["labels"]["finops_way"] = "staged".into();
            cloud.table(TABLE, &of_cur, more).await;
        }
        "the table lacks its column of cost" => cloud.table(TABLE, &of_cur[..3], of_job).await,
        "the state table is somebody else's" => cloud.table(STATE_TABLE, &[("mine", "STRING")], json!({})).await,
        "the state table has a column of another type" => {
            let report = cloud.finops.report(0);
            assert_eq!(report["pipelines"][0]["status"], "succeeded", "{report:#}");
            let path = format!("/datasets/{DATASET}/tables/{STATE_TABLE}");
            let mut state = call(&cloud.job.emulator, Method::GET, &path, Value::Null).await;
            call(&cloud.job.emulator, Method::DELETE, &path, Value::Null).await;
            let mut fields = state["schema"]["fields"].as_array_mut().unwrap().iter_mut();
            fields.find(|field| field["name"] == "sequence").unwrap()["type"] = "STRING".into();
            let table = json!({"schema": state["schema"], "labels": ours, "tableReference": state["tableReference"]});
            cloud.post(&format!("/datasets/{DATASET}/tables"), table).await;
        }
        _ => panic!("{wrong}"),
    }
    finops
}

#[tokio::test(flavor = "multi_thread")]
async fn with_bigquery_check_fails_where_run_fails_and_names_the_same_object() {
    let mut rows = Vec::new();
    for wrong in CLOUD {
        let job = CloudJob::new(&[september()]).await;
        let storage = GoogleStorage::start(&job.storage, "US-EAST1").await;
        let finops = job.finops.clone().with("STORAGE_EMULATOR_HOST", storage.url());
        let cloud = Cloud { job, storage, finops };
        let finops = break_it(&cloud, wrong.0).await;
        rows.push(row(wrong, &finops, false, cloud.storage.url()));
    }
    assert_documented("With BigQuery", &rows, &[]);
}
