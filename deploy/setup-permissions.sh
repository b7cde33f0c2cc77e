#!/usr/bin/env bash
# Makes the two service accounts, and gives the job's what it needs: to run jobs in the project, to edit the datasets, to
# read the buckets. The scheduler's may start the jobs, which is given with each job (deploy.sh).
# shellcheck source=deploy/lib.sh
source "$(dirname "$0")/lib.sh"

# account <name> <what it is for>
account() {
    local email=$1@$project.iam.gserviceaccount.com
    if lookup gcloud iam service-accounts describe "$email" --project "$project"; then
        say "service account $1" unchanged
    else
        call gcloud iam service-accounts create "$1" --project "$project" --display-name "$2"
        say "service account $1" created
    fi
}
account finops-job "finops: runs the jobs"
account finops-scheduler "finops: starts the jobs"

read_policy gcloud projects get-iam-policy "$project"
bind "project $project" roles/bigquery.jobUser "serviceAccount:$job_account" \
    gcloud projects add-iam-policy-binding "$project" --condition None

# Whose account builds the image depends on the project's age and the organization's policies. It may have the right
# already, through a broader role.
call gcloud builds get-default-service-account --project "$project" --format 'value(serviceAccountEmail)'
builder=serviceAccount:$(sed 's|.*/||' "$found")
if bound roles/editor "$builder" || bound roles/owner "$builder"; then
    say "project $project: roles/cloudbuild.builds.builder for ${builder#*:}" "not needed, it may edit the project"
else
    bind "project $project" roles/cloudbuild.builds.builder "$builder" \
        gcloud projects add-iam-policy-binding "$project" --condition None
fi

for dataset in $datasets; do
    what="dataset $dataset: roles/bigquery.dataEditor for $job_account"
    lookup bq --headless --format json --project_id "$project" show --dataset "$project:$dataset" ||
        fail "dataset $project:$dataset is not there" "make setup-gcp makes it"
    if python3 deploy/dataset.py grants "$found" "$job_account"; then
        say "$what" unchanged
    else
        call bq --headless --project_id "$project" query --use_legacy_sql=false \
            "GRANT \`roles/bigquery.dataEditor\` ON SCHEMA \`$project.$dataset\` TO 'serviceAccount:$job_account'"
        say "$what" granted
    fi
done

for bucket in $buckets; do
    read_policy gcloud storage buckets get-iam-policy "gs://$bucket" --project "$project"
    bind "bucket $bucket" roles/storage.objectViewer "serviceAccount:$job_account" \
        gcloud storage buckets add-iam-policy-binding "gs://$bucket" --project "$project" --condition None
done
