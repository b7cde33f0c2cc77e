//! Hints about the stores that exports are read from.

super::declare::hints! {
    "Source";

    /// The source is a folder that is not there.
    NAME_FOLDER = "name the folder that contains the export, or its parent folder";
    /// A local file or folder cannot be read.
    READABLE_FILE = "check that the file is there and that the account that runs finops may read it";
    /// There is no manifest below the prefix, and no month was loaded from there.
    NO_MANIFEST = "check the prefix and the export's name, and that the provider has delivered and the mirror has run";
    /// No manifest is left below the prefix, but months are loaded from there.
    MANIFESTS_GONE = "check the prefix, the export's name and the mirror; if the export has ended, remove it from the settings";
    /// The newest delivery is older than `MAX_AGE_HOURS` allows.
    EXPORT_SILENT = "check that the provider still exports and the mirror still runs; if the export has ended, remove it from \
                     the settings";
    /// Google Cloud Storage or BigQuery cannot be reached.
    check_network(setting) = "check the network (and {setting} if it is set), then run again";
    /// Reading an object failed or took too long.
    NETWORK_OR_ENDPOINT = "check the network, and the endpoint or emulator that is set, then run again";
    /// A store refused a request for a temporary reason, or an answer ended early.
    RUN_AGAIN_LATER = "run again later: the loaded months are unchanged";
    /// A store answered with more than was asked for, or without a required field.
    SERVER_AT_FAULT = "this is a fault of the server: report it there";
    /// A listing of Google Cloud Storage returns to the same page.
    SERVER_MAY_BE_AT_FAULT = "run again; if it happens again, it is a fault of the server";
    /// There are no Google credentials, or Google does not accept them.
    LOG_IN = "run `gcloud auth application-default login`, set GOOGLE_APPLICATION_CREDENTIALS, or run the job as a service account";
    /// The account may not read the Google Cloud Storage bucket.
    grant_viewer(bucket) = "grant roles/storage.objectViewer on bucket {bucket} to the job's account";
    /// The bucket or the object does not exist.
    check_bucket(bucket) = "check the bucket's name, `{bucket}`, and the prefix";
    /// There are no usable AWS credentials.
    AWS_CREDENTIALS = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run on a machine that has a role";
    /// An Azure export has data files, but no manifest.
    FILE_PARTITIONING = "turn on file partitioning for the export in Azure, and run the export again for each month: without it \
                         Azure writes no manifest. If it is on, let the mirror also copy manifest.json";
    /// The manifests are in a folder below the prefix.
    CHOOSE_FOLDER = "set the prefix to one of these folders; to load several, define an export with its own table for each \
                     (AWS_EXPORTS, AZURE_EXPORTS)";
    /// The manifests below the prefix are those of another provider.
    other_pipeline(pipeline) = "check the prefix and the bucket; the pipeline {pipeline} loads these manifests";
    /// A data export has the folder `data`, but not the folder `metadata`.
    COPY_METADATA = "let the replication or the mirror also copy `metadata/`, beside `data/`: it contains the manifests";
    /// The AWS credentials have expired.
    SIGN_IN = "sign in again (`aws sso login`, with --profile if AWS_PROFILE is set), or set a new session token";
    /// S3 does not accept the credentials.
    RENEW_CREDENTIALS = "renew the credentials, or choose others with AWS_PROFILE";
    /// The role may not list or read the S3 bucket.
    allow_s3(bucket) = "allow s3:ListBucket and s3:GetObject on bucket {bucket} for the job's role; if it has both, check that \
                        it may use the key (kms:Decrypt), and that Requester Pays is off, as finops sends no requests at your \
                        cost";
    /// The role may not decrypt the S3 object.
    ALLOW_DECRYPT = "allow kms:Decrypt on the key for the job's role, in the role's policy and in the key's policy, and check \
                     that the key is enabled";
    /// Objects are in a storage class from which they must be restored before they can be read.
    RESTORE_ARCHIVED = "restore the month's objects from the archive (finops reads restored copies)";
    /// The S3 bucket is in another region.
    aws_region(region) = "the bucket is in {region}: set AWS_REGION={region}";
    /// The S3 bucket is in another region, and S3 does not say in which.
    AWS_REGION = "set AWS_REGION to the bucket's region";
    /// S3 cannot be reached.
    S3_UNREACHABLE = "check the network, AWS_REGION, and AWS_ENDPOINT_URL if it is set";
    /// S3 cannot be reached, and no region is set.
    S3_WITHOUT_REGION = "set AWS_REGION to the bucket's region (region in config.toml): none is set; if it still fails, check the \
                         network";
    /// The machine has no root certificates, which connections to S3 require.
    ROOT_CERTIFICATES = "install the system's ca-certificates, or set SSL_CERT_FILE";
    /// The S3 server ignores ranges.
    NEEDS_RANGES = "use a server that supports range requests";
    /// An object differs from its entry in the listing.
    REPLACED_MEANWHILE = "it may have been replaced in the meantime: run again";
    /// An object was replaced or removed after it was listed.
    WAIT_FOR_WRITER = "run again when the mirror or the provider has finished writing there";
}
