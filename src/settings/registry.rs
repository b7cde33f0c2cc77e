//! Every setting, declared once. `.env.example` and `deploy/settings.json` are generated from this, and
//! `config.toml.example` must have exactly these keys (`tests/suite/cli/registry.rs`).

use finops_core::model::provider::Provider;

use super::{
    definition::{Definition, Reader, Section},
    form::Form,
};

const fn run(name: &'static str, form: Form) -> Definition {
    Definition::new(Reader::Run, name, form)
}

const fn export(name: &'static str, form: Form) -> Definition {
    Definition::new(Reader::Export, name, form).of(&Provider::ALL)
}

const fn deployment(name: &'static str, regex: &'static str, expected: &'static str) -> Definition {
    Definition::new(Reader::Deployment, name, Form::Pattern { regex, expected })
}

const fn file(key: &'static str, form: Form) -> Definition {
    Definition::new(Reader::Run, "", form).key(key)
}

/// All settings.
pub fn all() -> impl Iterator<Item = &'static Definition> {
    SECTIONS.iter().flat_map(|section| section.settings)
}

/// The variables that a run reads for all pipelines.
pub fn of_run() -> impl Iterator<Item = &'static Definition> {
    all().filter(|setting| setting.reader == Reader::Run && !setting.name.is_empty())
}

/// The variables that a pipeline and its exports read.
pub fn of_pipeline(provider: Provider) -> impl Iterator<Item = &'static Definition> {
    read_by(Reader::Pipeline, provider).chain(of_export(provider))
}

/// The variables that an export of the provider reads.
pub fn of_export(provider: Provider) -> impl Iterator<Item = &'static Definition> {
    read_by(Reader::Export, provider)
}

fn read_by(reader: Reader, provider: Provider) -> impl Iterator<Item = &'static Definition> {
    all().filter(move |setting| setting.reader == reader && setting.providers.contains(&provider))
}

/// The keys of `config.toml`, those of the providers last.
pub fn keys() -> impl Iterator<Item = (String, &'static Definition)> {
    let of = |provider: Option<Provider>| {
        let has = move |setting: &&Definition| match provider {
            Some(provider) => setting.providers.contains(&provider),
            None => setting.providers.is_empty(),
        };
        let prefix = provider.map(|provider| format!("{}.", provider.as_str())).unwrap_or_default();
        let found = all().filter(|setting| !setting.key.is_empty()).filter(has);
        found.map(move |setting| (format!("{prefix}{}", setting.key), setting))
    };
    of(None).chain(Provider::ALL.into_iter().flat_map(move |provider| of(Some(provider))))
}

/// The setting of a variable that a run reads for all pipelines.
///
/// # Panics
/// If there is none.
pub fn variable(name: &str) -> &'static Definition {
    of_run().find(|setting| setting.name == name).expect("the caller names a setting of the registry")
}

/// The setting of a variable that only deployments read.
pub fn of_deployment(name: &str) -> Option<&'static Definition> {
    all().find(|setting| setting.reader == Reader::Deployment && setting.name == name)
}

/// The value that `.env.example` has for a setting; for a provider's setting, by the end of its variable.
pub fn example(name: &str, provider: Option<Provider>) -> Option<&'static str> {
    let setting = all().find(|setting| setting.name == name)?;
    let at = provider.map_or(Some(0), |provider| setting.providers.iter().position(|has| *has == provider))?;
    Some(setting.examples[at]?.value.trim_matches('"'))
}

/// The comment at the start of `.env.example`.
pub const INTRODUCTION: &str = "\
Settings of finops. Copy this file to .env. A line that begins with # is not active: it shows the default or an example.

finops reads .env of the working directory, unless it runs as a Cloud Run job. A variable in the environment replaces that \
of the file. `finops config` shows each value and where it comes from. AWS_PROFILE, AWS_REGION, AWS_DEFAULT_REGION, \
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and GOOGLE_APPLICATION_CREDENTIALS may be in the file too.

To deploy the job, you need nothing else: make also reads .env (`make check-env` reports what is wrong with it). It ignores \
the shell's environment.

Neither runs anything in the file. A value with spaces needs quotes, a value with $, ` or \\ single quotes. White space and a \
# begin a comment.";

/// The e-mail address of a service account.
const ACCOUNT: &str = r"[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com";

const AWS: &[Provider] = &[Provider::Aws];
const AZURE: &[Provider] = &[Provider::Azure];

/// All settings, in the order of `.env.example`.
pub const SECTIONS: &[Section] = &[
    Section {
        title: "What to run",
        settings: &[
            run("PIPELINE", Form::OneOf(&Provider::PIPELINES))
                .comment("aws", "aws, azure or all. Default: all pipelines that are configured."),
            run("WAREHOUSE", Form::OneOf(&["bigquery", "duckdb"]))
                .default("bigquery")
                .active("bigquery", "The warehouse to load into: bigquery (default) or duckdb."),
            file("staging_dir", Form::Text).default("./data/staging"),
            file("parquet_dir", Form::Text).default("./data/exports"),
        ],
    },
    Section {
        title: "BigQuery",
        settings: &[
            run("GCP_PROJECT_ID", Form::Project)
                .key("database.bigquery.project_id")
                .required()
                .placeholder("your-project-id", "The project of the datasets. BigQuery jobs run there, too."),
            run("BIGQUERY_JOB_PROJECT", Form::Project).key("database.bigquery.job_project_id").comment(
                "my-compute-project",
                "The project in which BigQuery jobs run, and which pays for queries, if it is another one. All runs that \
                     write to a dataset must have the same value: only jobs of one project exclude each other. \
                     finops_loads has a label with it, and a run with another value is refused before it loads anything. \
                     The refusal shows how to change it.",
            ),
            run("LABELS", Form::Labels).key("database.bigquery.labels").comment(
                "team=finops,env=prod",
                "Labels for your own cost reports, key=value, separated by commas: of BigQuery jobs, of datasets and staging \
                     tables that finops creates, and of Cloud Run jobs. Labels that finops itself sets win.",
            ),
            file("database.bigquery.dataset_id", Form::Dataset),
            file("database.bigquery.table_id", Form::BigQueryTable),
            run("BIGQUERY_LOCATION", Form::Location).key("database.bigquery.location").default("US").comment(
                "US",
                "The location of a dataset that finops creates. A dataset that exists keeps its own location.",
            ),
            run("STAGING_DATASET", Form::Dataset).key("database.bigquery.staging_dataset").comment(
                "finops_staging",
                "The dataset for staging tables. Default: the dataset of each table. Set it to keep staging \
                     tables out of a dataset that people look at, or if the account may not create tables in that \
                     dataset. It must be in the same location as the datasets of the tables.",
            ),
            file("database.bigquery.credentials_path", Form::Text),
        ],
    },
    Section {
        title: "DuckDB (WAREHOUSE=duckdb)",
        settings: &[
            run("DUCKDB_PATH", Form::DuckDbFile)
                .key("database.duckdb.database_path")
                .default("./data/finops.duckdb")
                .comment("./data/finops.duckdb", "The database file."),
            file("database.duckdb.schema", Form::DuckDbName).default("main"),
        ],
    },
    Section {
        title: "The {provider} export (PIPELINE={pipeline} or all)",
        settings: &[
            export("SOURCE", Form::Text)
                .key("source")
                .comment(
                    "gs://your-billing-bucket/cur",
                    "Where the export is, as one URL: gs://bucket/prefix or, with WAREHOUSE=duckdb, \
                     s3://bucket/prefix or a local folder. S3 is read with AWS's own settings: AWS_PROFILE or \
                     AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_REGION. For other servers, set \
                     AWS_ENDPOINT_URL in the environment.",
                )
                .comment(
                    "gs://your-billing-bucket/azure",
                    "As for AWS. finops does not read Azure's storage: mirror it into a bucket (docs/mirrors.md shows \
                     how), or copy it into a folder.",
                ),
            export("GCS_BUCKET", Form::Bucket)
                .placeholder(
                    "your-billing-bucket",
                    "Instead of that URL: the Cloud Storage bucket, and the folder in it. The export is in \
                     <prefix>/<export name>/ or directly in the prefix.",
                )
                .comment(
                    "your-billing-bucket",
                    "The folders of the months are in the prefix: <prefix>/<export name>/20250901-20250930/ or \
                     <prefix>/20250901-20250930/.",
                ),
            file("bucket", Form::Bucket).of(&Provider::ALL),
            export("GCS_PREFIX", Form::Prefix).key("prefix").active("cur", "").comment("azure", ""),
            export("EXPORT_NAME", Form::ExportName)
                .key("export_name")
                .active(
                    "cost-and-usage",
                    "The name in AWS of a Cost and Usage Report or of a Data Export (CUR 2.0, FOCUS). finops \
                     detects the type from the manifests. Not needed if the prefix has only one export.",
                )
                .comment(
                    "daily-focus",
                    "The name in Azure of a Cost Management export: ActualCost, AmortizedCost, Usage or FocusCost. \
                     Upper and lower case are the same. Not needed if the prefix has only one export.",
                ),
            export("DATASET", Form::Dataset)
                .required()
                .active(
                    "billing",
                    "The table: <GCP_PROJECT_ID>.<AWS_DATASET>.<AWS_TABLE_NAME>. In DuckDB, the dataset is a \
                     schema.",
                )
                .comment("billing", "The table. It must not be the table of another export."),
            export("TABLE_NAME", Form::Table).required().active("aws_cur", "").comment("azure_focus", ""),
            file("table_id", Form::Text).of(AWS).default("aws_billing_data"),
            file("table_id", Form::Text).of(AZURE).default("azure_billing_data"),
            export("LEAVE_OUT", Form::List)
                .key("leave_out")
                .comment(
                    "20250901-20251001/20250903T120000Z",
                    "Deliveries to ignore, separated by commas, for example one that can never be loaded. Each is \
                     an execution id, or a folder below the prefix at any depth, alone or with parent folders (* is \
                     any characters of a name, ? is one). An ignored delivery does not load, wait, fail or count as \
                     the newest delivery. A loaded month stays unchanged.",
                )
                .comment(
                    "20250701-20250930",
                    "As for AWS, but upper and lower case are the same. A month of several runs is loaded again \
                     without an ignored run if you name the run by its id.",
                ),
            export("NULL_VALUES", Form::List)
                .key("null_values")
                .comment(
                    "None,NULL",
                    "Texts that mean \"no value\" in columns of amounts and dates, separated by commas. Text \
                     columns keep them.",
                )
                .comment("None,NULL", ""),
            export("CUR_VERSION", Form::OneOf(&["v1", "v2"])).of(AWS).key("cur_version").comment(
                "v2",
                "v1 (the legacy Cost and Usage Report) or v2 (CUR 2.0, FOCUS). Set it if both have the same \
                     name below the prefix: only deliveries of this version count.",
            ),
            export("SCOPES", Form::Scopes).of(AZURE).key("scopes").comment(
                "/subscriptions/00000000-0000-0000-0000-000000000000,\
                     /subscriptions/11111111-1111-1111-1111-111111111111",
                "Exports of several scopes (subscriptions, billing profiles, ...) may have the same name and \
                     folder. A month is then the union of all scopes. Set this to count only some of them, \
                     separated by commas. Each is the path `exportConfig.resourceId` in manifest.json up to \
                     /providers/Microsoft.CostManagement. Other scopes do not count, and neither does a new \
                     subscription. Never name a scope and another one inside it.",
            ),
            export("KEEP_RUNS", Form::List).of(AZURE).key("keep_runs").comment(
                "22222222-2222-2222-2222-222222222222",
                "Runs to unite with the newest run of their scope, for the days that the newest run does not \
                     have, for example after a subscription was moved: run ids, separated by commas. If you remove \
                     a run from the list, the month is loaded again without it, even if it then has fewer rows.",
            ),
            Definition::new(Reader::Pipeline, "EXPORTS", Form::Text)
                .of(&Provider::ALL)
                .comment(
                    "prod,legacy\n\
                     AWS_PROD_SOURCE=gs://prod-billing-bucket/cur\n\
                     AWS_PROD_EXPORT_NAME=cost-and-usage\n\
                     AWS_PROD_TABLE_NAME=aws_cur_prod\n\
                     AWS_LEGACY_GCS_BUCKET=legacy-billing-bucket\n\
                     AWS_LEGACY_GCS_PREFIX=reports\n\
                     AWS_LEGACY_EXPORT_NAME=old-cur\n\
                     AWS_LEGACY_DATASET=billing_archive\n\
                     AWS_LEGACY_TABLE_NAME=aws_cur_legacy",
                    "Several exports in one deployment, for example two payer accounts, or an old and a new report. \
                     Give each a name of your own (letters, digits, _ and -). For an export `prod`, AWS_PROD_... \
                     replaces AWS_..., for each of the variables above. In variables, the name is in upper case, \
                     with _ for -. An export uses AWS_... for what it does not set. But it never mixes its own \
                     location with the shared one: AWS_PROD_SOURCE disables AWS_GCS_BUCKET and AWS_GCS_PREFIX, and \
                     AWS_PROD_GCS_BUCKET or AWS_PROD_GCS_PREFIX disables AWS_SOURCE. Each export needs its own \
                     table: finops refuses two exports in one table, because each would erase the other's months. \
                     If one export fails, the others still load.",
                )
                .comment(
                    "actual,focus\n\
                     AZURE_ACTUAL_EXPORT_NAME=daily-actual\n\
                     AZURE_ACTUAL_TABLE_NAME=azure_actual\n\
                     AZURE_FOCUS_EXPORT_NAME=daily-focus\n\
                     AZURE_FOCUS_TABLE_NAME=azure_focus",
                    "Several exports, as with AWS_EXPORTS. Actual cost, amortized cost and FOCUS are one export and \
                     one table each.",
                ),
            file("aws_access_key_id", Form::Text).of(AWS),
            file("aws_secret_access_key", Form::Text).of(AWS).secret(),
            file("aws_session_token", Form::Text).of(AWS).secret(),
            file("region", Form::Text).of(AWS),
            file("endpoint_url", Form::Url).of(AWS),
        ],
    },
    Section {
        title: "How to run",
        settings: &[
            run("START_DATE", Form::Month)
                .comment("2025-01", "The first and the last month to look at, YYYY-MM. Default: every month."),
            run("END_DATE", Form::Month).comment("2025-12", ""),
            // Measured with 39 months and jobs of 3 s: 22.8 s at 8, 15.6 s at 16, 8.0 s at 39.
            run("LOAD_CONCURRENCY", Form::Number(1, 100)).default("24").comment(
                "24",
                "How many months load at the same time. A higher number is faster if many months are due. But \
                     BigQuery allows 50 changes of a table's partitions in 10 seconds: two bursts of 24 stay below \
                     that.",
            ),
            run("WAIT_MAX_HOURS", Form::Hours(0, 100_000)).key("wait_max_hours").default("48").comment(
                "48",
                "How many hours a month may wait for files that its manifest lists. After that it counts as \
                     failed. Where deliveries overwrite each other, a month also waits if only some of its files \
                     were replaced. It is loaded with the files that exist this many hours after the last change \
                     (docs/decisions/0011-overwritten-deliveries.md).",
            ),
            run("MAX_AGE_HOURS", Form::Hours(1, 100_000)).key("max_age_hours").active(
                "72",
                "How old the newest delivery of an export may be. If it is older, for example because the \
                     mirror stopped, the run fails after it has handled all months. Whole hours, at least 1. \
                     Without this setting, finops only reports the age. If END_DATE is in the past, the setting is \
                     ignored.",
            ),
        ],
    },
    Section {
        title: "Local servers instead of the real services, without credentials",
        settings: &[
            run("STORAGE_EMULATOR_HOST", Form::Url).comment("http://127.0.0.1:4443", "Cloud Storage and BigQuery."),
            run("BIGQUERY_EMULATOR_HOST", Form::Url).comment("http://127.0.0.1:9050", ""),
        ],
    },
    Section {
        title: "Deployment only: make reads these, finops does not",
        settings: &[
            Definition::new(Reader::Deployment, "GCP_REGION", Form::Region)
                .required()
                .active("us-central1", "The region of the job, its schedule and its image: one near the bucket."),
            deployment(
                "ARTIFACT_REGISTRY_REPO",
                "[a-z]([a-z0-9-]{0,61}[a-z0-9])?",
                "at most 63 lower-case letters, digits and -, beginning with a letter",
            )
            .comment(
                "finops",
                "The image repository in Artifact Registry, and the image's name in it. Default of the repository: \
                     NAME_PREFIX.",
            ),
            deployment(
                "IMAGE_NAME",
                "[a-z0-9]+([._-][a-z0-9]+)*",
                "lower-case letters and digits, with . _ - between them",
            )
            .default("finops")
            .comment("finops", ""),
            deployment(
                "IMAGE",
                "[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})",
                "an image's full name with its tag or digest, such as us-docker.pkg.dev/my-project/images/finops:1.2",
            )
            .comment(
                "us-docker.pkg.dev/my-project/images/finops:1.2",
                "An image that exists, with its tag or digest: nothing is built then, and no repository is created. Cloud \
                     Run reads Artifact Registry and Docker Hub; in another project, its service agent needs \
                     roles/artifactregistry.reader there. Use a tag that never moves: `make deploy` compares names.",
            ),
            deployment(
                "NAME_PREFIX",
                "[a-z][a-z0-9-]{0,18}[a-z0-9]",
                "2 to 20 lower-case letters, digits and -, beginning with a letter and not ending with -",
            )
            .default("finops")
            .comment(
                "finops",
                "The names of jobs, schedules, accounts and alerts begin with it. With two files and two prefixes, one \
                     project has two deployments.",
            ),
            deployment("JOB_SERVICE_ACCOUNT", ACCOUNT, "the e-mail address of a service account").comment(
                "billing-loader@my-project.iam.gserviceaccount.com",
                "An existing service account that runs the jobs, and one that starts them. make then creates none, and \
                     `make destroy` removes neither the account nor its roles.",
            ),
            deployment("SCHEDULER_SERVICE_ACCOUNT", ACCOUNT, "the e-mail address of a service account")
                .comment("scheduler@my-project.iam.gserviceaccount.com", ""),
            deployment("MEMORY", "[1-9][0-9]*(Mi|Gi)", "an amount such as 512Mi or 2Gi").default("512Mi").comment(
                "512Mi",
                "For each run: memory, CPUs, how often Cloud Run starts it again after a failure, and how long \
                     it may take (such as 90m or 1h30m, at most 168h).",
            ),
            deployment("CPU", "[12468]", "1, 2, 4, 6 or 8").default("1").comment("1", ""),
            deployment("MAX_RETRIES", "[0-9]|10", "a whole number from 0 to 10").default("2").comment("2", ""),
            deployment("TIMEOUT", "([0-9]+h)?([0-9]+m)?([0-9]+s)?", "a time such as 1h, 90m or 1h30m")
                .default("1h")
                .comment("1h", ""),
            Definition::new(Reader::Deployment, "SCHEDULE", Form::Text)
                .of(&Provider::ALL)
                .active(
                    "\"0 6 * * *\"",
                    "When the job of each pipeline runs: minute, hour, day, month, day of the week, and the time \
                     zone of both. Choose a time when the mirror of the export has finished.",
                )
                .comment("\"0 7 * * *\"", ""),
            deployment(
                "SCHEDULE_TIME_ZONE",
                "[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*",
                "a zone such as Europe/Berlin",
            )
            .default("Etc/UTC")
            .comment("Etc/UTC", ""),
            deployment("ALERT_EMAIL", r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address").comment(
                "billing@example.com",
                "The address for the alerts of `make setup-alerts`: a run failed, an export or a month is stale, or no \
                     run has succeeded for a day and a half. A schedule that skips days also causes the last alert.",
            ),
            deployment(
                "ALERT_CHANNEL",
                "(projects/[^/\\s]+/notificationChannels/)?[0-9]+",
                "a notification channel such as projects/my-project/notificationChannels/123",
            )
            .comment(
                "projects/my-project/notificationChannels/123",
                "An existing notification channel for the alerts, such as Slack or PagerDuty, instead of the address or \
                     with it: gcloud beta monitoring channels list --format 'value(name, type)'.",
            ),
        ],
    },
];
