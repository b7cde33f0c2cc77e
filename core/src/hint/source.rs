//! Hints about the stores that exports are read from.

super::declare::hints! {
    "Source";

    /// The source is a folder that is not there.
    NAME_FOLDER = "name the folder that holds the export, or the one above it";
    /// A local file or folder cannot be read.
    READABLE_FILE = "check that the file is there and that the account that runs finops may read it";
    /// There is no manifest below the prefix, and nothing was ever loaded from there.
    NO_MANIFEST = "check the prefix and the export's name, and that the provider has delivered and the mirror has run";
    /// There is no manifest below the prefix any more, and months are loaded from there.
    MANIFESTS_GONE = "check the prefix, the export's name and the mirror; remove an export that ended from the settings";
    /// The newest delivery is older than `MAX_AGE_HOURS` allows.
    EXPORT_SILENT = "check that the provider still exports and the mirror still runs; remove an export that ended from the settings";
    /// Google Cloud Storage or BigQuery cannot be reached.
    check_network(setting) = "check the network (and {setting} where it is set), then run again";
    /// Reading an object broke off or took too long.
    NETWORK_OR_ENDPOINT = "check the network, and the endpoint or emulator that is set, then run again";
    /// A store refused a request for a reason that may pass, or an answer ended early.
    RUN_AGAIN_LATER = "run again later: nothing that is loaded was changed";
    /// A store answered with more than was asked for, or without what every answer has.
    SERVER_AT_FAULT = "the server is at fault: report it there";
    /// A listing of Google Cloud Storage comes back to the same page.
    SERVER_MAY_BE_AT_FAULT = "run again; if it stays, the server is at fault";
    /// There are no Google credentials, or Google does not accept them.
    LOG_IN = "run `gcloud auth application-default login`, set GOOGLE_APPLICATION_CREDENTIALS, or run the job as a service account";
    /// The account may not read the Google Cloud Storage bucket.
    grant_viewer(bucket) = "grant roles/storage.objectViewer on bucket {bucket} to the job's account";
    /// The bucket or the object is not there.
    check_bucket(bucket) = "check the bucket's name, `{bucket}`, and the prefix";
    /// There are no usable AWS credentials.
    AWS_CREDENTIALS = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role is given";
    /// There is no manifest beside the data files of an Azure export.
    FILE_PARTITIONING = "turn on file partitioning for the export in Azure, and run the export again for each month: without it \
                         Azure writes no manifest; where it is on, let the mirror copy manifest.json too";
    /// The manifests are in a folder below the prefix.
    CHOOSE_FOLDER = "let the prefix name one of these folders; several of them are an export and a table each (AWS_EXPORTS, \
                     AZURE_EXPORTS)";
    /// The folder `data` of a data export is there, and its folder `metadata` is not.
    COPY_METADATA = "have the replication or the mirror copy `metadata/` beside `data/` too: the manifests are there";
    /// The AWS credentials have expired.
    SIGN_IN = "sign in again (`aws sso login`, with --profile where AWS_PROFILE is set), or set a new session token";
    /// S3 does not accept the credentials.
    RENEW_CREDENTIALS = "renew them, or choose others with AWS_PROFILE";
    /// The role may not list or read the S3 bucket.
    allow_s3(bucket) = "allow s3:ListBucket and s3:GetObject on bucket {bucket} to the job's role; where it has both, check that it may \
                        use the key (kms:Decrypt), and that Requester Pays is off, as finops sends no requests at your cost";
    /// The role may not decrypt the S3 object.
    ALLOW_DECRYPT = "allow kms:Decrypt on the key to the job's role, in the role's policy and in the key's own, and check that \
                     the key is enabled";
    /// Objects are in a class of storage from which they must be restored before they are read.
    RESTORE_ARCHIVED = "restore the month's objects from the archive (a restored copy is read)";
    /// The S3 bucket is in another region.
    aws_region(region) = "the bucket lies in {region}: set AWS_REGION={region}";
    /// The S3 bucket is in another region, and S3 does not say in which.
    AWS_REGION = "set AWS_REGION to the bucket's region";
    /// S3 cannot be reached.
    S3_UNREACHABLE = "check the network, AWS_REGION, and AWS_ENDPOINT_URL where one is set";
    /// The machine has no root certificates, without which nothing is read from S3.
    ROOT_CERTIFICATES = "install the system's ca-certificates, or set SSL_CERT_FILE";
    /// The server of S3 ignores ranges.
    NEEDS_RANGES = "use a server that answers to ranges";
    /// An object arrived otherwise than it is listed.
    REPLACED_MEANWHILE = "it may have been replaced meanwhile: run again";
    /// An object was replaced or removed after it was listed.
    WAIT_FOR_WRITER = "run again when whatever writes there (a mirror, the provider) is done";
}
