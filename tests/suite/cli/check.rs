//! `finops check`: it finds every problem with the settings, with the next step, and a problem hides no other.

use bigquery_emulator::{Fault, FaultKind, When};
use finops_core::hint;
use serde_json::{Value, json};

use crate::support::{
    google_storage::{GoogleStorage, refusal},
    jobs::{CloudJob, LocalJob},
    program::{BUCKET, DATASET, Finops, TABLE, assert_names},
    servers::{PROJECT, client},
    tree::Delivery,
};

/// A job whose storage server answers all requests that Google's answers.
struct Checked {
    job: CloudJob,
    storage: GoogleStorage,
    finops: Finops,
}

impl Checked {
    /// A loaded month, in a bucket that is in `location`; the dataset is in US.
    async fn loaded(location: &str) -> Self {
        Self::of(CloudJob::loaded(&[september()]).await, location).await
    }

    /// Nothing is loaded, and there is no dataset.
    async fn new() -> Self {
        Self::of(CloudJob::new(&[september()]).await, "US-EAST1").await
    }

    async fn of(job: CloudJob, location: &str) -> Self {
        let storage = GoogleStorage::start(&job.storage, location).await;
        let finops = job.finops.clone().with("STORAGE_EMULATOR_HOST", storage.url());
        Self { job, storage, finops }
    }

    /// Creates a dataset or a table without finops.
    async fn create(&self, path: &str, body: Value) {
        let url = format!("{}/bigquery/v2/projects/{PROJECT}{path}", self.job.emulator.url());
        let answer = client().post(url).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    fn fault(&self, method: &str, path: &str, times: usize, kind: FaultKind) {
        let (method, path_contains) = (method.to_owned(), path.to_owned());
        self.job.emulator.add_fault(Fault { method, path_contains, after: 0, times, kind, when: When::BeforeEffect });
    }

    /// The table that people see. Nothing may be on stderr.
    #[track_caller]
    fn table(&self, code: i32) -> String {
        printed(&self.finops, code)
    }

    #[track_caller]
    fn report(&self, code: i32) -> Value {
        self.finops.report_of(&["check", "--output", "json"], code)
    }
}

fn september() -> Delivery {
    Delivery::new("2025-09", "first", &["3.5"])
}

#[track_caller]
fn printed(finops: &Finops, code: i32) -> String {
    let outcome = finops.run(&["check"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (code, ""), "{}", outcome.stdout);
    // As wide as the version.
    outcome.stdout.replace(env!("CARGO_PKG_VERSION"), "[ver]")
}

/// The finding of a check; if there are several, the one on an object that contains the text.
#[track_caller]
fn finding<'a>(report: &'a Value, check: &str, on: &str) -> &'a Value {
    let mut checks = report["checks"].as_array().unwrap().iter();
    let found = checks.find(|finding| finding["check"] == check && finding["object"].as_str().unwrap().contains(on));
    found.unwrap_or_else(|| panic!("no {check} of `{on}` in {report:#}"))
}

/// Asserts that only these checks are not `ok`, and their status.
#[track_caller]
fn assert_not_ok(report: &Value, expected: &[(&str, &str)]) {
    let checks = report["checks"].as_array().unwrap().iter().filter(|finding| finding["status"] != "ok");
    let found: Vec<_> = checks.map(|f| (f["check"].as_str().unwrap(), f["status"].as_str().unwrap())).collect();
    assert_eq!(found, expected, "{report:#}");
}

#[track_caller]
fn assert_finding(finding: &Value, found: &[&str], hint: &[&str]) {
    assert_names(finding["found"].as_str().unwrap(), found);
    assert_names(finding["hint"].as_str().unwrap_or_default(), hint);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_problems_each_check_says_what_it_found_and_nothing_is_changed_or_billed() {
    let checked = Checked::loaded("US-EAST1").await;
    let before = checked.job.emulator.requests().len();
    insta::assert_snapshot!("check_all_well", checked.table(0));
    let report = checked.report(0);
    insta::assert_json_snapshot!("check_all_well_json", report, { ".checks[0].found" => "[version]" });
    assert_not_ok(&report, &[]);
    for request in &checked.job.emulator.requests()[before..] {
        let is_dry = request.body["configuration"]["dryRun"] == true;
        let asks = request.path.ends_with(":testIamPermissions");
        assert!(request.method == "GET" || is_dry || asks, "{} {}", request.method, request.path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_run_a_missing_dataset_is_a_warning_with_the_command_that_creates_it() {
    let checked = Checked::new().await;
    insta::assert_snapshot!("check_before_the_first_run", checked.table(0));
    let listed = client().get(format!("{}/bigquery/v2/projects/{PROJECT}/datasets", checked.job.emulator.url()));
    let listed: Value = listed.send().await.unwrap().json().await.unwrap();
    assert_eq!(listed["datasets"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_permissions_for_jobs_and_for_the_dataset_are_named() {
    let checked = Checked::new().await;
    checked.fault("POST", "/jobs", 2, FaultKind::Status(403, "accessDenied".to_owned()));
    let report = checked.report(1);
    let expected = [
        ("jobs", "failed"),
        ("dataset", "failed"),
        ("permissions", "not_checked"),
        ("state_table", "not_checked"),
        ("location", "not_checked"),
        ("table", "not_checked"),
    ];
    assert_not_ok(&report, &expected);
    assert_finding(finding(&report, "jobs", PROJECT), &["accessDenied"], &["roles/bigquery.jobUser"]);
    let create = hint::have_dataset_created("US", PROJECT, DATASET);
    assert_finding(finding(&report, "dataset", DATASET), &["not there", "may not create"], &[&create]);
    assert_finding(finding(&report, "location", BUCKET), &["needs the dataset"], &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_bucket_fails_and_checks_that_need_it_are_left_out() {
    let mut checked = Checked::loaded("US-EAST1").await;
    checked.finops = checked.finops.with("AWS_GCS_BUCKET", "biling-mirror");
    insta::assert_snapshot!("check_bucket_missing", checked.table(1));
    let expected =
        [("source", "failed"), ("permissions", "not_checked"), ("export", "not_checked"), ("location", "not_checked")];
    assert_not_ok(&checked.report(1), &expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_permissions_on_the_bucket_are_named_with_the_role() {
    let checked = Checked::loaded("US-EAST1").await;
    checked.storage.answer(GoogleStorage::LISTING, 403, refusal(403, "forbidden", "job does not have access"));
    checked.storage.answer(GoogleStorage::PERMISSIONS, 200, json!({"permissions": ["storage.objects.get"]}));
    let report = checked.report(1);
    assert_not_ok(&report, &[("source", "failed"), ("permissions", "failed"), ("export", "not_checked")]);
    assert_finding(
        finding(&report, "source", BUCKET),
        &["no permission to read gs://billing-mirror/cur"],
        &[&hint::grant_viewer(BUCKET)],
    );
    assert_finding(
        finding(&report, "permissions", BUCKET),
        &["lacks storage.objects.list"],
        &[&hint::give_role("roles/storage.objectViewer on the bucket")],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_a_server_refuses_is_a_warning() {
    let checked = Checked::loaded("US-EAST1").await;
    checked.storage.answer(GoogleStorage::BUCKET, 403, refusal(403, "forbidden", "no storage.buckets.get"));
    checked.fault("POST", ":testIamPermissions", 1, FaultKind::Status(501, "notImplemented".to_owned()));
    let report = checked.report(0);
    assert_not_ok(&report, &[("location", "warning"), ("permissions", "warning")]);
    let hint = hint::bucket_location("gs://billing-mirror");
    assert_finding(finding(&report, "location", BUCKET), &["not known"], &[&hint]);
    // fake-gcs-server itself does not know the call.
    let report = checked.job.finops.report_of(&["check", "--output", "json"], 0);
    assert_finding(
        finding(&report, "permissions", BUCKET),
        &["not known: this server"],
        &[&hint::look_for_role("roles/storage.objectViewer on the bucket")],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_that_cannot_load_from_the_location_of_the_bucket_fails() {
    let checked = Checked::new().await;
    let dataset = json!({"datasetReference": {"datasetId": DATASET}, "location": "EU"});
    checked.create("/datasets", dataset).await;
    let report = checked.report(1);
    assert_not_ok(&report, &[("location", "failed")]);
    let location = finding(&report, "location", BUCKET);
    assert_finding(
        location,
        &["the bucket is in US-EAST1, the dataset in EU"],
        &[&hint::move_bucket("EU", "US-EAST1")],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_in_two_regions_is_a_warning() {
    let checked = Checked::new().await;
    checked.create("/datasets", json!({"datasetReference": {"datasetId": DATASET}, "location": "europe-west4"})).await;
    checked.storage.answer(GoogleStorage::BUCKET, 200, json!({"location": "EUR4", "locationType": "dual-region"}));
    let report = checked.report(0);
    assert_finding(finding(&report, "location", BUCKET), &["not known", "two regions"], &[hint::LOAD_ONE_MONTH]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_repeats_a_page_ends() {
    let checked = Checked::new().await;
    checked.storage.answer(GoogleStorage::LISTING, 200, json!({"items": [], "nextPageToken": "again"}));
    let report = checked.report(1);
    assert_finding(finding(&report, "source", BUCKET), &["the same page"], &[hint::SERVER_MAY_BE_AT_FAULT]);
}

#[tokio::test(flavor = "multi_thread")]
async fn expirations_that_new_tables_would_inherit_are_a_warning() {
    let checked = Checked::new().await;
    let dataset = json!({
        "datasetReference": {"datasetId": DATASET}, "location": "US",
        "defaultPartitionExpirationMs": "5184000000", "defaultTableExpirationMs": "7776000000",
    });
    checked.create("/datasets", dataset).await;
    let report = checked.report(0);
    assert_not_ok(&report, &[("dataset", "warning")]);
    let found = "drops the months of new tables after 60 days, and new tables after 90 days";
    let options = "--default_partition_expiration 0 --default_table_expiration 0";
    let command = hint::end_expiration(options, PROJECT, DATASET);
    assert_finding(finding(&report, "dataset", DATASET), &[found], &[&command]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_api_is_named_with_the_command_that_enables_it() {
    let checked = Checked::loaded("US-EAST1").await;
    checked.fault("", "/bigquery/", 99, FaultKind::Status(403, "accessNotConfigured".to_owned()));
    let report = checked.report(1);
    let enable = [hint::ENABLE_API];
    assert_finding(finding(&report, "jobs", PROJECT), &["accessNotConfigured"], &enable);
    assert_finding(finding(&report, "dataset", DATASET), &["accessNotConfigured"], &enable);
    assert_eq!(finding(&report, "export", "aws")["status"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_others_fail_under_either_name() {
    let checked = Checked::new().await;
    checked.create("/datasets", json!({"datasetReference": {"datasetId": DATASET}, "location": "US"})).await;
    for table in [TABLE, "finops_loads"] {
        let table = json!({
            "tableReference": {"projectId": PROJECT, "datasetId": DATASET, "tableId": table},
            "schema": {"fields": [{"name": "mine", "type": "STRING"}]},
        });
        checked.create(&format!("/datasets/{DATASET}/tables"), table).await;
    }
    let report = checked.report(1);
    assert_not_ok(&report, &[("state_table", "failed"), ("table", "failed"), ("permissions", "not_checked")]);
    let table = finding(&report, "table", TABLE);
    assert_finding(table, &["finops did not create it"], &[hint::ANOTHER_TABLE]);
    assert_finding(
        finding(&report, "state_table", "finops_loads"),
        &["finops did not create it"],
        &[hint::FOREIGN_STATE],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_permissions_on_the_table_are_named() {
    let checked = Checked::loaded("US-EAST1").await;
    let body = json!({"permissions": ["bigquery.tables.get", "bigquery.tables.getData"]}).to_string();
    let answer = FaultKind::Answer { status: 200, headers: Vec::new(), body };
    checked.fault("POST", ":testIamPermissions", 1, answer);
    let report = checked.report(1);
    assert_not_ok(&report, &[("permissions", "failed")]);
    let permissions = finding(&report, "permissions", TABLE);
    let lacks = "lacks bigquery.tables.update, bigquery.tables.updateData, bigquery.tables.delete";
    assert_finding(permissions, &[lacks], &["roles/bigquery.dataEditor"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn staging_tables_need_a_dataset_in_the_location_of_the_tables_with_permission_to_create_them() {
    let mut checked = Checked::loaded("US-EAST1").await;
    checked.finops = checked.finops.with("STAGING_DATASET", "staging");
    let report = checked.report(1);
    assert_not_ok(&report, &[("dataset", "failed"), ("permissions", "not_checked"), ("location", "not_checked")]);
    let dataset = finding(&report, "dataset", "demo.staging");
    let create = hint::staging_dataset("US", PROJECT, "staging");
    assert_finding(dataset, &["not there", "STAGING_DATASET"], &[&create]);

    // Its tables may expire: staging tables do so anyway.
    let dataset = |name: &str, location: &str| {
        json!({
            "datasetReference": {"datasetId": name}, "location": location, "defaultTableExpirationMs": "86400000",
        })
    };
    checked.create("/datasets", dataset("staging", "us")).await;
    let report = checked.report(0);
    assert_not_ok(&report, &[]);
    assert_finding(finding(&report, "dataset", "demo.staging"), &["for staging tables"], &[]);
    assert_finding(finding(&report, "permissions", "demo.staging"), &["tables may be created"], &[]);
    let location = finding(&report, "location", "demo.staging into demo.billing");
    assert_finding(location, &["both datasets are in US"], &[]);

    checked.create("/datasets", dataset("staging_eu", "EU")).await;
    let finops = checked.finops.clone().with("STAGING_DATASET", "staging_eu");
    let report = finops.report_of(&["check", "--output", "json"], 1);
    assert_not_ok(&report, &[("location", "failed")]);
    let create = hint::other_staging("US", PROJECT, "staging_eu_us");
    let location = finding(&report, "location", "demo.staging_eu into demo.billing");
    assert_finding(location, &["would be in EU, the tables are in US"], &[&create]);

    // The first query is that of the jobs, the second that of the tables' own dataset.
    let refused = Fault {
        method: "POST".to_owned(),
        path_contains: "/jobs".to_owned(),
        after: 1,
        times: 2,
        kind: FaultKind::Status(403, "accessDenied".to_owned()),
        when: When::BeforeEffect,
    };
    checked.job.emulator.add_fault(refused);
    let report = checked.report(1);
    assert_not_ok(&report, &[("permissions", "warning"), ("permissions", "failed")]);
    let permissions = finding(&report, "permissions", "dataset demo.billing");
    assert_finding(permissions, &["may not be created", "finops_loads"], &[hint::COPY_UNKNOWN]);
    let permissions = finding(&report, "permissions", "demo.staging");
    assert_finding(
        permissions,
        &["trying to create a table in demo.staging"],
        &["roles/bigquery.dataEditor on the dataset"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_staging_dataset_with_tables_of_exports_is_reported_once() {
    let mut checked = Checked::loaded("US-EAST1").await;
    checked.finops = checked.finops.with("STAGING_DATASET", DATASET);
    insta::assert_snapshot!("check_all_well", checked.table(0));

    checked.create("/datasets", json!({"datasetReference": {"datasetId": "archive"}, "location": "EU"})).await;
    let finops = checked.finops.clone().without("AWS_TABLE_NAME").with("AWS_EXPORTS", "prod,old");
    let finops = finops.with("AWS_PROD_TABLE_NAME", TABLE).with("AWS_OLD_TABLE_NAME", "aws_old");
    let report = finops.with("AWS_OLD_DATASET", "archive").report_of(&["check", "--output", "json"], 1);
    assert_not_ok(&report, &[("location", "failed"), ("location", "failed")]);
    finding(&report, "location", "demo.billing into demo.archive");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_dataset_of_staging_tables_needs_the_permission_to_delete_tables() {
    let mut checked = Checked::loaded("US-EAST1").await;
    checked.create("/datasets", json!({"datasetReference": {"datasetId": "staging"}, "location": "US"})).await;
    checked.finops = checked.finops.with("STAGING_DATASET", "staging");
    let four = ["get", "getData", "update", "updateData"].map(|verb| format!("bigquery.tables.{verb}"));
    let body = json!({ "permissions": four }).to_string();
    let answer = FaultKind::Answer { status: 200, headers: Vec::new(), body };
    checked.fault("POST", ":testIamPermissions", 1, answer);
    assert_not_ok(&checked.report(0), &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_access_policies_are_a_warning_and_so_is_a_missing_permission_to_list_them() {
    let checked = Checked::loaded("US-EAST1").await;
    let answer = |kind: FaultKind| checked.fault("GET", "/rowAccessPolicies", 1, kind);
    answer(FaultKind::Status(403, "accessDenied".to_owned()));
    let report = checked.report(0);
    assert_not_ok(&report, &[("row_access", "warning")]);
    let unknown = ["not known", "permission to list row access policies, which a copy may remove"];
    assert_finding(finding(&report, "row_access", TABLE), &unknown, &[hint::POLICIES_UNKNOWN]);

    let page = |id: &str, next: &str| {
        let reference = json!({"projectId": PROJECT, "datasetId": DATASET, "tableId": TABLE, "policyId": id});
        let policy = json!({"rowAccessPolicyReference": reference, "filterPredicate": "true"});
        let body = json!({"rowAccessPolicies": [policy], "nextPageToken": next}).to_string();
        FaultKind::Answer { status: 200, headers: Vec::new(), body }
    };
    answer(page("finance", "more"));
    answer(page("teams", ""));
    let report = checked.report(0);
    assert_not_ok(&report, &[("row_access", "warning")]);
    let has = ["has row access policies (finance, teams): months are replaced by a query that keeps them"];
    assert_finding(finding(&report, "row_access", TABLE), &has, &[hint::POLICIES_FOUND]);

    // The table was dropped during the check.
    answer(FaultKind::Status(404, "notFound".to_owned()));
    assert_not_ok(&checked.report(0), &[]);
    // An unexpected answer is a failure.
    answer(FaultKind::Status(400, "invalid".to_owned()));
    let report = checked.report(1);
    assert_not_ok(&report, &[("row_access", "failed")]);
    assert_finding(finding(&report, "row_access", TABLE), &["listing the row access policies of demo.billing"], &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_fails_with_and_without_credentials() {
    let checked = Checked::loaded("US-EAST1").await;
    let headers = vec![("date".to_owned(), "Wed, 21 Oct 2015 07:28:00 GMT".to_owned())];
    // The clock is the first request.
    checked.fault("GET", "/datasets", 1, FaultKind::Answer { status: 401, headers, body: "{}".to_owned() });
    let report = checked.report(1);
    assert_not_ok(&report, &[("clock", "failed")]);
    assert_finding(finding(&report, "clock", "BigQuery"), &["ahead of the service's"], &[hint::SET_CLOCK]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_an_incomplete_and_an_ambiguous_export_are_reported() {
    let checked = Checked::loaded("US-EAST1").await;
    let check = |name: &str, value: &str, code: i32| {
        checked.finops.clone().with(name, value).report_of(&["check", "--output", "json"], code)
    };
    let report = check("AWS_GCS_PREFIX", "curr", 1);
    assert_not_ok(&report, &[("export", "failed")]);
    assert_finding(finding(&report, "export", "aws"), &["there is no manifest"], &[hint::NO_MANIFEST]);
    assert_eq!(finding(&report, "source", "gs://billing-mirror/curr")["found"], "can be listed");

    let october = Delivery::new("2025-10", "first", &["1"]).in_parts(2);
    checked.job.put(&october).await;
    let (key, _) = october.data_files().remove(1);
    checked.job.storage.delete(BUCKET, &format!("cur/report/{key}")).await;
    let report = checked.report(0);
    assert_not_ok(&report, &[("export", "warning")]);
    assert_finding(
        finding(&report, "export", "aws"),
        &["2025-10: 1 of 2 files are not there"],
        &[hint::MIRROR_RUNNING],
    );

    checked.job.storage.put(BUCKET, "cur/report/20251101-20251201/report-Manifest.json", "broken").await;
    let report = checked.report(1);
    assert_not_ok(&report, &[("export", "failed")]);
    assert_finding(
        finding(&report, "export", "aws"),
        &["report-Manifest.json: it is not a manifest"],
        &[hint::COMPARE_MANIFEST],
    );

    let report = check("START_DATE", "2030-01", 0);
    assert_finding(finding(&report, "export", "aws"), &["none of the months asked for"], &[hint::CHECK_DATES]);

    checked.job.storage.put(BUCKET, "cur/daily/20251101-20251201/daily-Manifest.json", "{}").await;
    let report = checked.report(1);
    assert_not_ok(&report, &[("export", "failed")]);
    assert_finding(finding(&report, "export", "aws"), &["several exports"], &[&hint::name_export("AWS_EXPORT_NAME")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_only_the_checks_that_need_them_are_left_out() {
    let mut checked = Checked::loaded("US-EAST1").await;
    // Tests send nothing to Google: there is no server behind this proxy.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let finops = checked.finops.without("BIGQUERY_EMULATOR_HOST").with("HTTPS_PROXY", &format!("http://{closed}"));
    checked.finops = finops.clone().with("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/key.json");
    insta::assert_snapshot!("check_no_credentials", checked.table(1));
    let nowhere = finops.clone().with("HOME", "/no/such/home").with("GCE_METADATA_HOST", &closed.to_string());
    let outcome = nowhere.run(&["run"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stdout);
    let tried = "there are no usable Google credentials: GOOGLE_APPLICATION_CREDENTIALS is not set, /no/such/home/.config/gcloud/\
                 application_default_credentials.json is missing, and no metadata server of Google Cloud answers; the last error: ";
    assert_names(&outcome.stderr, &[tried, hint::LOG_IN]);
    assert!(outcome.stderr.lines().all(|line| line.len() < 500), "{}", outcome.stderr);

    checked.storage.answer("/token", 400, json!({"error": "invalid_grant"}));
    let key = json!({
        "type": "authorized_user", "client_id": "a", "client_secret": "sesame", "refresh_token": "sesame",
        "token_uri": format!("{}/token", checked.storage.url()),
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), key.to_string()).unwrap();
    checked.finops = finops.with("GOOGLE_APPLICATION_CREDENTIALS", file.path().to_str().unwrap());
    let report = checked.report(1);
    assert_eq!(finding(&report, "clock", "BigQuery")["status"], "warning");
    let credentials = finding(&report, "credentials", "BigQuery");
    assert_eq!(credentials["status"], "failed");
    assert_finding(
        credentials,
        &["no usable Google credentials: Google gives no token for ", "the file of GOOGLE_APPLICATION_CREDENTIALS"],
        &[hint::LOG_IN],
    );
    assert_eq!(finding(&report, "jobs", PROJECT)["status"], "not_checked");
    assert_eq!(finding(&report, "export", "aws")["status"], "ok");
    assert!(!report.to_string().contains("sesame"), "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_bucket_and_dataset_are_reported_once_and_each_table_too() {
    let checked = Checked::loaded("US-EAST1").await;
    let finops = checked.finops.clone().without("AWS_TABLE_NAME").with("AWS_EXPORTS", "prod,old");
    let finops = finops.with("AWS_PROD_TABLE_NAME", TABLE).with("AWS_OLD_TABLE_NAME", "aws_old");
    let report = finops.with("AWS_OLD_EXPORT_NAME", "gone").report_of(&["check", "--output", "json"], 1);
    assert_not_ok(&report, &[("export", "failed")]);
    let found = finding(&report, "export", "aws old")["found"].as_str().unwrap();
    assert_names(
        found,
        &[&format!("there is no manifest of export `gone` below gs://{BUCKET}/cur; the exports there: `report` in ")],
    );
    let count = |check: &str| report["checks"].as_array().unwrap().iter().filter(|f| f["check"] == check).count();
    assert_eq!((count("dataset"), count("location"), count("table"), count("export")), (1, 1, 2, 2), "{report:#}");
}

#[test]
fn on_one_machine_the_file_and_the_folder_are_checked_and_nothing_is_created() {
    let job = LocalJob::new(&[september()]);
    let check = |finops: &Finops, code| finops.report_of(&["check", "--output", "json"], code);
    let report = check(&job.finops, 0);
    assert_not_ok(&report, &[]);
    assert_finding(finding(&report, "database", "finops.duckdb"), &["not there yet"], &[]);
    let folder = job.database.parent().unwrap();
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1, "the source alone");

    job.finops.report(0);
    let report = check(&job.finops, 0);
    assert_finding(finding(&report, "database", "finops.duckdb"), &["can be read and written"], &[]);
    assert_finding(finding(&report, "table", TABLE), &["finops's own"], &[]);

    let other_connection = duckdb::Connection::open(&job.database).unwrap();
    let report = check(&job.finops, 1);
    assert_not_ok(&report, &[("database", "failed"), ("table", "not_checked")]);
    assert_finding(finding(&report, "database", "finops.duckdb"), &["cannot open"], &[hint::DATABASE_OPEN]);
    drop(other_connection);

    let below_a_file = job.database.join("other.duckdb");
    let finops = job.finops.clone().with("DUCKDB_PATH", below_a_file.to_str().unwrap()).with("AWS_SOURCE", "gone");
    let report = check(&finops, 1);
    let expected = [("source", "failed"), ("export", "not_checked"), ("database", "failed"), ("table", "not_checked")];
    assert_not_ok(&report, &expected);
    assert_finding(finding(&report, "database", "other.duckdb"), &["cannot open"], &[hint::DATABASE_PATH]);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_cloud_run_what_failed_is_logged_too_and_wrong_settings_end_with_two() {
    let checked = Checked::loaded("US-EAST1").await;
    let finops = checked.finops.clone().with("CLOUD_RUN_JOB", "finops-aws");
    let outcome = finops.clone().with("AWS_GCS_PREFIX", "curr").run(&["check", "--output", "json"]);
    assert_eq!(outcome.code, 1);
    assert!(serde_json::from_str::<Value>(&outcome.stdout).unwrap()["checks"].is_array());
    let entry: Value = serde_json::from_str(outcome.stderr.trim_end()).unwrap();
    assert_eq!((&entry["severity"], &entry["kind"]), (&json!("ERROR"), &json!("export")));
    let expected = format!(
        "check of aws failed: there is no manifest below gs://{BUCKET}/curr; the folders in gs://{BUCKET}/: `cur`"
    );
    assert_eq!(entry["message"], expected);
    assert!(entry["hint"].is_string());
    assert_eq!(entry["logging.googleapis.com/labels"]["pipeline"], "aws");
    assert_eq!(finops.without("AWS_DATASET").run(&["check"]).code, 2);
}
