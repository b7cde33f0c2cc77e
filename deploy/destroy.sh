#!/usr/bin/env bash
# Removes everything that the other scripts created, except data. Can be run again.
# shellcheck source=deploy/lib.sh
source "$(dirname "$0")/lib.sh"

echo "In project $project, this removes alerts, schedules, jobs, rights, service accounts and images of finops."
echo "Datasets, tables and buckets stay."
if [[ ${YES:-} != yes ]]; then
    printf 'Type yes to remove them: '
    read -r answer || true
    [[ ${answer:-} == yes ]] || fail "nothing was removed" "type yes, or call make destroy YES=yes"
fi

# remove <what> <command>...
remove() {
    local what=$1
    shift
    if lookup "$@"; then
        say "$what" removed
    else
        say "$what" "does not exist"
    fi
}

for kind in policies channels; do
    call gcloud alpha monitoring "$kind" list --project "$project" --format json
    for name in $(python3 deploy/labelled.py "$found" names); do
        remove "${name#projects/*/}" gcloud alpha monitoring "$kind" delete "$name"
    done
done

for pipeline in $all_pipelines; do
    remove "schedule finops-$pipeline" \
        gcloud scheduler jobs delete "finops-$pipeline" --location "$region" --project "$project"
    # The rights on the job are removed with it.
    remove "job finops-$pipeline" gcloud run jobs delete "finops-$pipeline" --region "$region" --project "$project"
done

# unbind_bucket <bucket> <account>
unbind_bucket() {
    if lookup gcloud storage buckets describe "gs://$1" --project "$project" --format 'value(name)'; then
        read_policy gcloud storage buckets get-iam-policy "gs://$1" --project "$project"
        unbind "bucket $1" roles/storage.objectViewer "serviceAccount:$2" \
            gcloud storage buckets remove-iam-policy-binding "gs://$1" --project "$project" --condition None
    fi
}

# Before the accounts: the rights of a removed account remain, under a name that no command accepts.
read_policy gcloud projects get-iam-policy "$project"
unbind "project $project" roles/bigquery.jobUser "serviceAccount:$job_account" \
    gcloud projects remove-iam-policy-binding "$project" --condition None
unbind "project $project" roles/logging.logWriter "serviceAccount:$builder_account" \
    gcloud projects remove-iam-policy-binding "$project" --condition None
for bucket in $all_buckets; do
    unbind_bucket "$bucket" "$job_account"
done
unbind_bucket "$source_bucket" "$builder_account"
for dataset in $all_datasets; do
    if lookup bq --headless --format json --project_id "$project" show --dataset "$project:$dataset" &&
        python3 deploy/dataset.py grants "$found" "$job_account"; then
        call bq --headless --project_id "$project" --location "$location" query --use_legacy_sql=false \
            "REVOKE \`roles/bigquery.dataEditor\` ON SCHEMA \`$project.$dataset\` FROM 'serviceAccount:$job_account'"
        say "dataset $dataset: roles/bigquery.dataEditor for $job_account" removed
    fi
done

if lookup gcloud artifacts repositories describe "$repository" --location "$region" --project "$project" \
    --format 'value(labels.managed-by)'; then
    if [[ $(<"$found") == finops ]]; then
        # The rights on the repository are removed with it.
        remove "repository $repository in $region" \
            gcloud artifacts repositories delete "$repository" --location "$region" --project "$project"
    else
        say "repository $repository in $region" "kept, because finops did not create it; its images named $image_name are kept, too"
        read_policy gcloud artifacts repositories get-iam-policy "$repository" --location "$region" --project "$project"
        unbind "repository $repository" roles/artifactregistry.writer "serviceAccount:$builder_account" \
            gcloud artifacts repositories remove-iam-policy-binding "$repository" --location "$region" --project "$project"
    fi
else
    say "repository $repository in $region" "does not exist"
fi

for account in "$job_account" "$scheduler_account" "$builder_account"; do
    remove "service account ${account%@*}" gcloud iam service-accounts delete "$account" --project "$project"
done

echo "What stays: the datasets ($all_datasets) with all tables, the buckets ($all_buckets), the APIs that are enabled,"
echo "and the sources of builds in gs://$source_bucket."
