#!/usr/bin/env bash
# Creates the service accounts and grants their roles. The job's account runs BigQuery jobs in the project, edits the datasets
# and reads the buckets. The builder's account reads the source, writes its log and pushes the image. The scheduler's account
# starts the jobs; deploy.sh grants that with each job.
# shellcheck source=deploy/lib.sh
source "$(dirname "$0")/lib.sh"

# account <name> <purpose>
account() {
    local email=$1@$project.iam.gserviceaccount.com
    if lookup gcloud iam service-accounts describe "$email" --project "$project"; then
        say "service account $1" unchanged
    else
        call gcloud iam service-accounts create "$1" --project "$project" --display-name "$2"
        say "service account $1" created
    fi
}

# bind_bucket <bucket> <account>: lets the account read the bucket.
bind_bucket() {
    read_policy gcloud storage buckets get-iam-policy "gs://$1" --project "$project"
    bind "bucket $1" roles/storage.objectViewer "serviceAccount:$2" \
        gcloud storage buckets add-iam-policy-binding "gs://$1" --project "$project" --condition None
}

account finops-job "finops: runs the jobs"
account finops-scheduler "finops: starts the jobs"
account finops-builder "finops: builds the image"

read_policy gcloud projects get-iam-policy "$project"
bind "project $project" roles/bigquery.jobUser "serviceAccount:$job_account" \
    gcloud projects add-iam-policy-binding "$project" --condition None

bind "project $project" roles/logging.logWriter "serviceAccount:$builder_account" \
    gcloud projects add-iam-policy-binding "$project" --condition None

read_policy gcloud artifacts repositories get-iam-policy "$repository" --location "$region" --project "$project"
bind "repository $repository" roles/artifactregistry.writer "serviceAccount:$builder_account" \
    gcloud artifacts repositories add-iam-policy-binding "$repository" --location "$region" --project "$project"
bind_bucket "$source_bucket" "$builder_account"

for dataset in $datasets; do
    lookup bq --headless --format json --project_id "$project" show --dataset "$project:$dataset" ||
        fail "dataset $project:$dataset does not exist" "make setup-gcp creates it"
    if python3 deploy/dataset.py grants "$found" "$job_account"; then
        say "dataset $dataset: roles/bigquery.dataEditor for $job_account" unchanged
    else
        grant "dataset $dataset" roles/bigquery.dataEditor "$job_account" \
            bq --headless --project_id "$project" --location "$location" query --use_legacy_sql=false \
            "GRANT \`roles/bigquery.dataEditor\` ON SCHEMA \`$project.$dataset\` TO 'serviceAccount:$job_account'"
    fi
done

for bucket in $buckets; do
    bind_bucket "$bucket" "$job_account"
done
