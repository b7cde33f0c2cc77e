//! Hints of `finops check` only.

super::declare::hints! {
    "`finops check`";

    /// The service does not give its time.
    CLOCK_UNKNOWN = "if the other checks fail too, check the network, and this machine's date: far off, no certificate holds";
    /// No month from `START_DATE` to `END_DATE` is there.
    CHECK_DATES = "a run has nothing to do: are START_DATE and END_DATE right?";
    /// `AWS_LEAVE_OUT` or `AZURE_LEAVE_OUT` leaves out the newest month.
    names_nothing_else(setting) = "see that {setting} names nothing else";
    /// The newest manifest was removed during the check.
    CHECK_AGAIN = "check again";
    /// The account may not see where the bucket is.
    bucket_location(bucket) = "give the account roles/storage.legacyBucketReader on the bucket, or look yourself: gcloud \
                               storage buckets describe {bucket} --format='value(location)'";
    /// The bucket is in two regions, and the dataset in one of them.
    LOAD_ONE_MONTH = "load one month, and see";
    /// BigQuery cannot load from the bucket's location.
    move_bucket(dataset_location, bucket_location) = "mirror the export into a bucket in {dataset_location}, or use a dataset in {bucket_location} \
                                                      or in US; neither can be moved";
    /// The account lacks permissions.
    give_role(role) = "give the account {role}";
    /// An emulator does not know permissions.
    look_for_role(role) = "Google's own server tells; see that the account has {role}";
    /// The dataset of `STAGING_DATASET` is not there.
    staging_dataset(location, project, dataset) = "check the name, or create it: bq mk --dataset --location={location} {project}:{dataset}; without \
                                                   STAGING_DATASET, staging tables are made beside the export's table";
    /// The dataset of `STAGING_DATASET` is in another location than the tables.
    other_staging(location, project, dataset) = "bq mk --dataset --location={location} {project}:{dataset}, and set \
                                                 STAGING_DATASET={dataset}; or leave STAGING_DATASET out";
    /// The account may not create tables in the export's dataset, and `STAGING_DATASET` names another one.
    COPY_UNKNOWN = "whether BigQuery then takes a staging table's copy is not known; roles/bigquery.dataEditor on the dataset \
                    has all that is needed";
    /// New tables of the dataset expire.
    end_expiration(options, project, dataset) = "finops takes that away from its own tables when it loads; to end it for all: bq update \
                                                 {options} {project}:{dataset}";
    /// The dataset is not there, and a run creates it.
    new_dataset(location, project, dataset) = "is the name right? To create it yourself: bq mk --dataset --location={location} {project}:{dataset}";
    /// The dataset is not there, and the account may not create it.
    have_dataset_created(location, project, dataset) = "check the name, or create it as one who may: bq mk --dataset --location={location} \
                                                        {project}:{dataset}";
    /// The table has row access policies.
    POLICIES_FOUND = "the account must see all rows, by a policy FILTER USING (TRUE); or put the policies on a view that \
                      readers use instead";
    /// The account may not see whether the table has row access policies.
    POLICIES_UNKNOWN = "bigquery.rowAccessPolicies.list shows them, which roles/bigquery.dataEditor does not have: give it \
                        in a role of your own, or ask somebody who may list them";
}
