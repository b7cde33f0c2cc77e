#!/usr/bin/env bash
# Creates the service accounts that .env does not name, and grants their roles. The job's account runs BigQuery jobs in the
# project of the jobs, edits the datasets and reads the buckets. The builder's account, which an image of IMAGE does not need,
# reads the source, writes its log and pushes the image. The scheduler's account starts the jobs; deploy.sh grants that with each
# job.
# shellcheck source=deploy/lib.sh
source "$(dirname "$0")/lib.sh"

# account <e-mail> <purpose> <the same e-mail where .env names it, or nothing>
account() {
    if [[ -n $3 ]]; then
        say "service account $1" "exists, as $env_file says"
    elif lookup gcloud iam service-accounts describe "$1" --project "$project"; then
        say "service account ${1%@*}" unchanged
    else
        call gcloud iam service-accounts create "${1%@*}" --project "$project" --display-name "$prefix: $2"
        say "service account ${1%@*}" created
    fi
}

# bind_project <project> <role> <account>
bind_project() {
    read_policy_to_grant gcloud projects get-iam-policy "$1"
    bind "project $1" "$2" "serviceAccount:$3" gcloud projects add-iam-policy-binding "$1" --condition None
}

# bind_bucket <bucket> <account>: lets the account read the bucket.
bind_bucket() {
    read_policy_to_grant gcloud storage buckets get-iam-policy "gs://$1" --project "$project"
    bind "bucket $1" roles/storage.objectViewer "serviceAccount:$2" \
        gcloud storage buckets add-iam-policy-binding "gs://$1" --project "$project" --condition None
}

# bind_builder: what a build needs.
bind_builder() {
    bind_project "$project" roles/logging.logWriter "$builder_account"
    read_policy_to_grant gcloud artifacts repositories get-iam-policy "$repository" --location "$region" --project "$project"
    bind "repository $repository" roles/artifactregistry.writer "serviceAccount:$builder_account" \
        gcloud artifacts repositories add-iam-policy-binding "$repository" --location "$region" --project "$project"
    bind_bucket "$source_bucket" "$builder_account"
}

account "$job_account" "runs the jobs" "$given_job_account"
account "$scheduler_account" "starts the jobs" "$given_scheduler_account"
[[ -n $given_image ]] || account "$builder_account" "builds the image" ""

bind_project "$job_project" roles/bigquery.jobUser "$job_account"
[[ -n $given_image ]] || bind_builder

for dataset in $datasets; do
    lookup bq --headless --format json --project_id "$project" show --dataset "$project:$dataset" ||
        fail "dataset $project:$dataset does not exist" "make setup-gcp creates it"
    if python3 deploy/dataset.py grants "$found" "$job_account"; then
        say "dataset $dataset: roles/bigquery.dataEditor for $job_account" unchanged
    else
        grant "dataset $dataset" roles/bigquery.dataEditor "$job_account" \
            bq --headless --project_id "$job_project" --location "$location" query --use_legacy_sql=false \
            "GRANT \`roles/bigquery.dataEditor\` ON SCHEMA \`$project.$dataset\` TO 'serviceAccount:$job_account'"
    fi
done

for bucket in $buckets; do
    bind_bucket "$bucket" "$job_account"
done
end_grants
