//! Hints about BigQuery.

super::declare::hints! {
    "BigQuery";

    /// Google gives no token for the key file.
    KEY_FILE = "name another file in database.bigquery.credentials_path, or remove it and log in with gcloud";
    /// The BigQuery API is not enabled in the project.
    ENABLE_API = "run `gcloud services enable bigquery.googleapis.com` for the project";
    /// The account lacks a permission.
    GRANT_EDITOR = "give the account roles/bigquery.dataEditor on the dataset and roles/bigquery.jobUser on the project";
    /// A load job may not read the files, or may not write the table.
    GRANT_FOR_LOAD = "give the account roles/storage.objectViewer on the bucket and roles/bigquery.dataEditor on the dataset";
    /// BigQuery refuses a request, and names no permission.
    CHECK_ROLES = "check the account's roles and the project's billing in the Google Cloud console";
    /// A policy of the organisation refuses a request.
    ASK_ADMINISTRATOR = "a policy of the organisation or a VPC service perimeter refuses it, independent of the account's roles: \
                         ask its administrator";
    /// VPC Service Controls refuse a request.
    LET_INTO_THE_PERIMETER = "a VPC service perimeter refuses it, independent of the account's roles: ask its administrator to \
                              allow the account from where finops runs (vpcServiceControlsUniqueIdentifier identifies the \
                              refusal)";
    /// A policy of the organisation requires customer-managed keys.
    SET_A_DEFAULT_KEY = "a policy of the organisation requires a key of your own: set the project's default key, ALTER PROJECT \
                         `my-project` SET OPTIONS (`region-us.default_kms_key_name` = 'projects/.../cryptoKeys/my-key'), with the \
                         dataset's region, then run again";
    /// The project has no billing account.
    LINK_BILLING = "the project has no billing account. Without one BigQuery refuses INSERT, which finops needs to record what \
                    is loaded: link one (gcloud billing projects link my-project --billing-account=...), then run again";
    /// The account may not read a job that another account started.
    ONE_ACCOUNT = "the job was started by another account: run finops under one account only, or give this one \
                   bigquery.jobs.get (roles/bigquery.resourceViewer) on the project";
    /// The account sees fewer rows than the month has.
    ROW_ACCESS = "is there a row access policy on the table? Give finops's account access to all rows: CREATE ROW ACCESS \
                  POLICY ... FILTER USING (TRUE)";
    /// A quota is used up.
    WAIT_FOR_QUOTA = "a BigQuery quota is used up: run again when it is renewed, or have it raised; the loaded months are \
                      unchanged";
    /// An object has `//` in its name.
    SET_A_PREFIX = "the export has no path prefix, or one that begins or ends with `/`: set a path prefix for the destination in \
                    the Storage Transfer job, or another one in the export, have the files copied again, then run again";
    /// The project, the dataset or the table does not exist.
    CHECK_NAMES = "check the names of project, dataset and table, and the dataset's location";
    /// The account may not create the dataset.
    create_dataset(location, project, dataset) = "the account may not create datasets: run `bq mk --location={location} \
                                                  --dataset {project}:{dataset}` with an account that may";
    /// The dataset of `STAGING_DATASET` does not exist.
    create_staging(location, project, dataset) = "create it: bq mk --dataset --location={location} {project}:{dataset}";
    /// The dataset of `STAGING_DATASET` is in another location than the table's.
    move_staging(location, project) = "remove STAGING_DATASET, or name a dataset in {location}: bq mk --dataset \
                                       --location={location} {project}:finops_staging";
    /// BigQuery asks to wait for longer than a run waits.
    wait_seconds(seconds) = "run again in {seconds} s or later";
    /// BigQuery fails for a temporary reason.
    RUN_AGAIN = "run again: the loaded months are unchanged, and the next run loads the others";
    /// Somebody cancelled the job.
    CANCELLED = "somebody cancelled the job: run again";
    /// Something else created the same thing at the same time.
    CREATED_MEANWHILE = "something else created it in the meantime: run again, and finops uses it";
    /// A table was removed during its use.
    TABLE_GONE = "run again: finops creates it";
    /// Something else creates and drops the table.
    TABLE_COMES_AND_GOES = "find out what else creates and drops it, then run again";
    /// A file or the table was removed during a load job.
    WENT_AWAY = "a file or the table was removed during its use: run again";
    /// The table's columns changed during the load.
    COLUMNS_CHANGED = "the table's columns changed in the meantime: run again";
    /// The loaded month was changed while it was replaced.
    MONTH_CHANGED = "run again: the month is loaded again";
    /// A query cannot convert a value.
    NAMED_THEN = "the loaded month is unchanged; run again: the next run names the column and its values";
    /// A load job finds broken files, or values of other types.
    FILES_REFUSED = "the loaded month is unchanged; have the month delivered again, then run again. If the provider changed a \
                     column's type, choose another table name: finops loads all months there";
    /// The Parquet files' columns are not those of the table that was created for them.
    REPORT_OR_CSV = "report it with this message, or have the report delivered as CSV";
    /// The table has a record that the month's files do not have.
    DROP_RECORD = "drop that column from the table";
    /// The table has a column of a type that finops does not write.
    DROP_COLUMN = "drop or rename that column in the table";
    /// The swap of a month removed something from the table, such as its labels.
    RESTORE_TABLE = "the month itself is loaded; this run replaces no further month. Restore what was removed before others read \
                     the table, and report it with this message";
    /// BigQuery does not accept a request or a query of finops.
    REPORT_REQUEST = "BigQuery does not accept what finops sends: report it with this message; the loaded months are unchanged";
    /// BigQuery returns a number that cannot be read.
    REPORT = "report it with this message";
    /// BigQuery returns a time that cannot be read.
    REPORT_IF_IT_STAYS = "run again; if it happens again, report it with this message";
    /// The warehouse returns a sum of a month's cost that cannot be read.
    REPORT_SUM = "expected a month, a currency, amounts and counts: report it with this message";
}
