//! The complete output of the commands, for people and for programs.

use tempfile::TempDir;

use crate::support::{
    jobs::LocalJob,
    program::{Finops, assert_names, month},
    tree::Delivery,
};

/// A job with two months, run within its own folder, so that no path of this machine is printed.
struct Desk {
    folder: TempDir,
    finops: Finops,
}

impl Desk {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let desk =
            Self { finops: Finops::local("cur".as_ref(), "finops.duckdb".as_ref()).within(folder.path()), folder };
        desk.deliver(&Delivery::new("2025-09", "2f6d1f0c-first", &["3.5", "0.0000000186", "1E-10"]));
        desk.deliver(&Delivery::new("2025-10", "91b0a7e4-first", &["12345678.123456789012"]).in_parts(2));
        desk
    }

    fn deliver(&self, delivery: &Delivery) {
        delivery.write(&self.folder.path().join("cur"));
    }

    #[track_caller]
    fn prints(&self, arguments: &[&str]) -> String {
        masked(&self.finops.prints(arguments))
    }
}

/// The text with masked digits in timestamps, and in sizes, which depend on the compressor.
pub fn masked(text: &str) -> String {
    let mut masked = text.to_owned();
    for pattern in ["0000-00-00 00:00 UTC", "000 B"] {
        let alike = |(c, p): (char, char)| c == p || (p == '0' && c.is_ascii_digit());
        for at in 0..text.len() {
            let candidate = text.get(at..at + pattern.len());
            if candidate.is_some_and(|candidate| candidate.chars().zip(pattern.chars()).all(alike)) {
                masked.replace_range(at..at + pattern.len(), pattern);
            }
        }
    }
    masked
}

#[test]
fn a_plan_a_run_a_second_run_and_a_reload_read_well() {
    let desk = Desk::new();
    insta::assert_snapshot!("status_before", desk.prints(&["status"]));
    insta::assert_snapshot!("plan", desk.prints(&["plan"]));
    insta::assert_snapshot!("run", desk.prints(&["run"]));
    insta::assert_snapshot!("second_run", desk.prints(&["run"]));
    let again = Delivery::new("2025-09", "7a33c9d2-second", &["3.5", "4"]).with_column("resourceTags/user:Team", "a");
    desk.deliver(&again);
    insta::assert_snapshot!("plan_of_a_reload", desk.prints(&["plan"]));
    insta::assert_snapshot!("reload", desk.prints(&["run"]));
    insta::assert_snapshot!("status", desk.prints(&["status"]));
}

#[test]
fn failures_read_well() {
    let desk = Desk::new();
    desk.finops.report(0);
    let folder = desk.folder.path();
    let mut broken = Delivery::new("2025-09", "second", &["1", "2"]);
    broken.rows[1][7] = "free".to_owned();
    desk.deliver(&broken);
    desk.deliver(&Delivery::new("2025-10", "second", &["1"]).with_manifest("compression", "ZIP"));
    let waiting = Delivery::new("2025-11", "first", &["1", "2"]).in_parts(2);
    desk.deliver(&waiting);
    std::fs::remove_file(waiting.data_path(&folder.join("cur"), 1)).unwrap();
    let outcome = desk.finops.run(&["run"]);
    assert_eq!(outcome.code, 1);
    insta::assert_snapshot!("failures", masked(&format!("{}---- stderr\n{}", outcome.stdout, outcome.stderr)));
}

#[test]
fn settings_and_their_problems_read_well() {
    let finops = Finops::unconfigured().with("PIPELINE", "all").with("AWS_GCS_BUCKET", "billing-mirror");
    let outcome = finops.run(&["config"]);
    assert_eq!(outcome.code, 2);
    insta::assert_snapshot!("config", format!("{}---- stderr\n{}", outcome.stdout, outcome.stderr));
}

#[test]
fn settings_of_several_exports_read_well() {
    let finops = Finops::unconfigured()
        .with("PIPELINE", "aws")
        .with("GCP_PROJECT_ID", "example-project")
        .with("AWS_EXPORTS", "prod,old-cur")
        .with("AWS_GCS_BUCKET", "billing-mirror")
        .with("AWS_DATASET", "billing")
        .with("AWS_PROD_GCS_PREFIX", "prod")
        .with("AWS_PROD_TABLE_NAME", "aws_cur")
        .with("AWS_OLD_CUR_SOURCE", "gs://old-mirror/cur")
        .with("AWS_OLD_CUR_TABLE_NAME", "AWS_CUR");
    let outcome = finops.run(&["config"]);
    assert_eq!(outcome.code, 2);
    insta::assert_snapshot!("config_of_several", format!("{}---- stderr\n{}", outcome.stdout, outcome.stderr));
}

#[test]
fn several_exports_of_which_one_is_broken_read_well() {
    let desk = Desk::new();
    let finops = desk.finops.clone().without("AWS_TABLE_NAME");
    let finops = finops
        .with("AWS_EXPORTS", "old-cur,prod")
        .with("AWS_PROD_TABLE_NAME", "aws_prod")
        .with("AWS_OLD_CUR_SOURCE", "gone")
        .with("AWS_OLD_CUR_TABLE_NAME", "aws_old");
    let printed = |arguments: &[&str], code: i32| {
        let outcome = finops.run(arguments);
        assert_eq!(outcome.code, code, "{}", outcome.stderr);
        masked(&format!("{}---- stderr\n{}", outcome.stdout, outcome.stderr))
    };
    insta::assert_snapshot!("run_of_several", printed(&["run"], 1));
    insta::assert_snapshot!("status_of_several", printed(&["status"], 0));
}

#[test]
fn the_json_report_keeps_its_contract() {
    let desk = Desk::new();
    desk.finops.report_of(&["run", "--end-date", "2025-09", "--output", "json"], 0);
    let report = desk.finops.report(0);
    let mut keys: Vec<&str> =
        vec!["billing_period", "execution_id", "action", "status", "reason", "reason_code", "rows"];
    keys.extend(["files", "bytes", "bytes_billed", "verified", "cost", "previous_cost", "job_id", "error"]);
    keys.sort_unstable();
    for (billing_period, status) in [("2025-10", "loaded"), ("2025-09", "skipped")] {
        let month = month(&report, billing_period);
        assert_eq!(month["status"], status);
        let mut found: Vec<&String> = month.as_object().unwrap().keys().collect();
        found.sort();
        assert_eq!(found, keys);
    }
    insta::assert_json_snapshot!("json_report", report, {
        ".run_id" => "[run id]",
        ".pipelines[].newest_delivery_at" => "[time]",
        ".pipelines[].months[].bytes" => "[bytes]",
        ".pipelines[].months[].reason" => insta::dynamic_redaction(|reason, _| masked(reason.as_str().unwrap())),
    });
    insta::assert_json_snapshot!("json_plan", desk.finops.report_of(&["plan", "--output", "json"], 0), {
        ".run_id" => "[run id]",
        ".pipelines[].newest_delivery_at" => "[time]",
        ".pipelines[].months[].bytes" => "[bytes]",
        ".pipelines[].months[].reason" => insta::dynamic_redaction(|reason, _| masked(reason.as_str().unwrap())),
    });
    insta::assert_json_snapshot!("json_status", desk.finops.report_of(&["status", "--output", "json"], 0), {
        "[].newest_delivery_at" => "[time]",
        "[].months[].issued_at" => "[time]",
        "[].months[].bytes" => "[bytes]",
        "[].months[].fingerprint" => "[fingerprint]",
        "[].months[].run_id" => "[run id]",
        "[].months[].loaded_at" => "[time]",
    });
}

#[test]
fn version_and_completions_are_printed() {
    let finops = Finops::unconfigured();
    assert_eq!(finops.run(&["--version"]).stdout, format!("finops {}\n", env!("CARGO_PKG_VERSION")));
    for (shell, first) in [("bash", "_finops()"), ("zsh", "#compdef finops"), ("fish", "complete -c finops")] {
        let completions = finops.run(&["completions", shell]);
        assert_eq!(completions.code, 0);
        assert!(completions.stdout.contains(first), "{shell}: {}", completions.stdout);
    }
}

#[test]
fn a_reader_that_closes_the_pipe_early_is_no_error() {
    let job = LocalJob::new(&[Delivery::new("2025-09", "first", &["1"])]);
    for arguments in [&["run"][..], &["run", "--output", "json"], &["status"], &["completions", "bash"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_finops"));
        command.env_clear().envs(job.finops.environment()).args(arguments).stdout(writer);
        let output = command.output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
    }
}

#[test]
fn the_name_of_an_export_found_in_a_bucket_neither_controls_a_terminal_nor_adds_lines() {
    let job = LocalJob::new(&[]);
    let name = "re\u{1b}[31mpo\nrt\u{202e}";
    let folder = job.source.join(name).join("20250901-20251001");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}-Manifest.json")), "{}").unwrap();
    let outcome = job.finops.run(&["run"]);
    assert_names(outcome.stdout.lines().next().unwrap(), &["aws re\u{fffd}[31mpo\u{fffd}rt\u{fffd} -> "]);
    let both = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(!both.contains(['\u{1b}', '\u{202e}']), "{both:?}");
}

#[test]
fn a_pipe_gets_neither_a_progress_bar_nor_escape_codes() {
    let job = LocalJob::new(&[Delivery::new("2025-09", "first", &["1"])]);
    let finops = job.finops.with("TERM", "xterm-256color").with("CLICOLOR_FORCE", "1");
    let outcome = finops.run(&["run"]);
    assert_eq!(outcome.stderr, "");
    assert!(!outcome.stdout.contains('\u{1b}'), "{:?}", outcome.stdout);
}

#[test]
fn quiet_and_verbose_change_the_lines_on_stderr_and_not_the_result() {
    let printed = |flags: &[&str], log: &str| {
        let job = LocalJob::new(&[Delivery::new("2025-09", "first", &["1"])]);
        let outcome = job.finops.with("RUST_LOG", log).run(&[&["run"], flags].concat());
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        assert_names(&outcome.stdout, &["2025-09", "loaded"]);
        outcome.stderr
    };
    for flags in [&[][..], &["-q"], &["--quiet"]] {
        assert_eq!(printed(flags, ""), "", "{flags:?}");
    }
    for flags in [&["-v"][..], &["--verbose"], &["-vv"]] {
        assert_names(&printed(flags, ""), &["INFO", "month replaced"]);
    }
    assert_names(&printed(&["-q"], "finops=info"), &["month replaced"]);
    assert_eq!(printed(&["-vv"], "error"), "");
    let both = Finops::unconfigured().run(&["run", "-q", "-v"]);
    assert_eq!(both.code, 2);
    assert_names(&both.stderr, &["'--quiet' cannot be used with '--verbose...'"]);
}

#[test]
fn a_terminal_shows_the_progress_unless_it_is_to_be_quiet() {
    let in_terminal = |flag: &str| {
        let job = LocalJob::new(&[Delivery::new("2025-09", "first", &["1"])]);
        let mut script = std::process::Command::new("script");
        script.args(["--quiet", "--return", "--command", &format!("{} run {flag}", env!("CARGO_BIN_EXE_finops"))]);
        let output = script.arg("/dev/null").envs(job.finops.environment()).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{printed}");
        printed
    };
    let moves_the_cursor = "\u{1b}[2K";
    assert!(in_terminal("").contains(moves_the_cursor));
    assert!(!in_terminal("--quiet").contains(moves_the_cursor));
}

#[test]
fn an_unknown_flag_is_not_advised_to_be_a_value() {
    for command in ["run", "plan", "status", "check"] {
        let stderr = Finops::unconfigured().run(&[command, "-x"]).stderr;
        assert_names(&stderr, &["unexpected argument '-x' found"]);
        assert!(!stderr.contains("-- -x"), "{stderr}");
    }
    assert_names(
        &Finops::unconfigured().run(&["run", "--start-dat", "x"]).stderr,
        &["a similar argument exists: '--start-date'"],
    );
}

#[test]
fn completions_offer_the_pipelines() {
    for shell in ["bash", "zsh"] {
        assert_names(&Finops::unconfigured().prints(&["completions", shell]), &["aws azure all"]);
    }
}
