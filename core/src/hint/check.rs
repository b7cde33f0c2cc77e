//! Hints of `finops check` only.

super::declare::hints! {
    "`finops check`";

    /// The service does not give its time.
    CLOCK_UNKNOWN = "if the other checks also fail, check the network, and this machine's date: with a wrong date no certificate \
                     is valid";
    /// No month from `START_DATE` to `END_DATE` is there.
    CHECK_DATES = "a run has nothing to do: are START_DATE and END_DATE right?";
    /// `AWS_LEAVE_OUT` or `AZURE_LEAVE_OUT` leaves out the newest month.
    names_nothing_else(setting) = "check that {setting} leaves out only what it should";
    /// The newest manifest was removed during the check.
    CHECK_AGAIN = "check again";
    /// The account may not see where the bucket is.
    bucket_location(bucket) = "give the account roles/storage.legacyBucketReader on the bucket, or find out yourself: gcloud \
                               storage buckets describe {bucket} --format='value(location)'";
    /// The bucket is in two regions, and the dataset in one of them.
    LOAD_ONE_MONTH = "load one month to find out";
    /// BigQuery cannot load from the bucket's location.
    move_bucket(dataset_location, bucket_location) = "mirror the export into a bucket in {dataset_location}, or use a dataset in \
                                                      {bucket_location} or in US; neither can be moved";
    /// The account lacks permissions.
    give_role(role) = "give the account {role}";
    /// An emulator does not know permissions.
    look_for_role(role) = "only Google's own server knows; check there that the account has {role}";
    /// The dataset of `STAGING_DATASET` is not there.
    staging_dataset(location, project, dataset) = "check the name, or create it: bq mk --dataset --location={location} \
                                                   {project}:{dataset}; without STAGING_DATASET, staging tables are created \
                                                   beside the export's table";
    /// The dataset of `STAGING_DATASET` is in another location than the tables.
    other_staging(location, project, dataset) = "bq mk --dataset --location={location} {project}:{dataset}, and set \
                                                 STAGING_DATASET={dataset}; or remove STAGING_DATASET";
    /// The account may not create tables in the export's dataset, and `STAGING_DATASET` names another one.
    COPY_UNKNOWN = "it is not known whether BigQuery then allows to copy a staging table; roles/bigquery.dataEditor on the \
                    dataset has all that is needed";
    /// New tables of the dataset expire.
    end_expiration(options, project, dataset) = "finops removes the expiration of its own tables when it loads; to remove it for \
                                                 all: bq update {options} {project}:{dataset}";
    /// The dataset does not exist, and a run creates it.
    new_dataset(location, project, dataset) = "is the name right? To create it yourself: bq mk --dataset --location={location} \
                                               {project}:{dataset}";
    /// The dataset does not exist, and the account may not create it.
    have_dataset_created(location, project, dataset) = "check the name, or create it with an account that may: bq mk --dataset \
                                                        --location={location} {project}:{dataset}";
    /// The table has row access policies.
    POLICIES_FOUND = "give the account access to all rows by a policy FILTER USING (TRUE), or put the policies on a view for the \
                      readers";
    /// The account may not see whether the table has row access policies.
    POLICIES_UNKNOWN = "this needs bigquery.rowAccessPolicies.list, which is not in roles/bigquery.dataEditor: add it in a \
                        custom role, or ask somebody who may list policies";
}
