#!/usr/bin/env bash
# Removes everything that the other scripts created for a deployment, or only what belongs to one pipeline alone. Data stays. Can
# be run again.
#
# usage: destroy.sh [aws|azure]
pipeline=${1:-}
# PIPELINE may no longer name the pipeline.
set --
# shellcheck source=deploy/lib.sh
source "$(dirname "$0")/lib.sh"

gone_pipelines=${pipeline:-$all_pipelines} gone_datasets=$all_datasets gone_buckets=$all_buckets
if [[ -n $pipeline ]]; then
    gone_datasets=${pipeline}_datasets gone_buckets=${pipeline}_buckets
    gone_datasets=${!gone_datasets} gone_buckets=${!gone_buckets}
    echo "In project $project, this removes the alerts, the schedule and the job $prefix-$pipeline, and the rights that only it needs."
else
    echo "In project $project, this removes alerts, schedules, jobs, rights, service accounts and images of $prefix."
fi
echo "Datasets, tables and buckets stay."
if [[ ${YES:-} != yes ]]; then
    printf 'Type yes to remove them: '
    read -r answer || true
    [[ ${answer:-} == yes ]] || fail "nothing was removed" "type yes, or call make destroy${pipeline:+-$pipeline} YES=yes"
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

# remove_alerts <policies|channels>
remove_alerts() {
    local name
    call gcloud alpha monitoring "$1" list --project "$project" --format json
    # shellcheck disable=SC2086  # no pipeline is no argument
    for name in $(python3 deploy/labelled.py "$found" names "$prefix" $pipeline); do
        remove "${name#projects/*/}" gcloud alpha monitoring "$1" delete "$name"
    done
}

# unbind_project <project> <role> <account>
unbind_project() {
    read_policy gcloud projects get-iam-policy "$1"
    unbind "project $1" "$2" "serviceAccount:$3" gcloud projects remove-iam-policy-binding "$1" --condition None
}

# unbind_bucket <bucket> <account>
unbind_bucket() {
    if lookup gcloud storage buckets describe "gs://$1" --project "$project" --format 'value(name)'; then
        read_policy gcloud storage buckets get-iam-policy "gs://$1" --project "$project"
        unbind "bucket $1" roles/storage.objectViewer "serviceAccount:$2" \
            gcloud storage buckets remove-iam-policy-binding "gs://$1" --project "$project" --condition None
    fi
}

# unbind_dataset <dataset>
unbind_dataset() {
    if lookup bq --headless --format json --project_id "$project" show --dataset "$project:$1" &&
        python3 deploy/dataset.py grants "$found" "$job_account"; then
        call bq --headless --project_id "$job_project" --location "$location" query --use_legacy_sql=false \
            "REVOKE \`roles/bigquery.dataEditor\` ON SCHEMA \`$project.$1\` FROM 'serviceAccount:$job_account'"
        say "dataset $1: roles/bigquery.dataEditor for $job_account" removed
    fi
}

# remove_repository: removes the repository that this deployment created, unless others push images to it.
remove_repository() {
    local what="repository $repository in $region" place=(--location "$region" --project "$project")
    if ! lookup gcloud artifacts repositories describe "$repository" "${place[@]}" \
        --format 'value(labels.managed-by, labels.deployment)'; then
        say "$what" "does not exist"
        return
    fi
    local creator
    creator=$(<"$found")
    read_policy gcloud artifacts repositories get-iam-policy "$repository" "${place[@]}"
    # Repositories of earlier versions have no label of their deployment: there was one, finops.
    if [[ $creator != finops$'\t'$prefix && ($creator != finops$'\t' || $prefix != finops) ]]; then
        say "$what" "kept, because $prefix did not create it; its images named $image_name are kept, too"
    elif grep -F 'roles/artifactregistry.writer' "$policy" | grep -qvF "serviceAccount:$builder_account"; then
        say "$what" "kept, because others may push images to it"
    else
        # The rights on the repository are removed with it.
        remove "$what" gcloud artifacts repositories delete "$repository" "${place[@]}"
        return
    fi
    unbind "repository $repository" roles/artifactregistry.writer "serviceAccount:$builder_account" \
        gcloud artifacts repositories remove-iam-policy-binding "$repository" "${place[@]}"
}

remove_alerts policies
[[ -n $pipeline ]] || remove_alerts channels

for each in $gone_pipelines; do
    remove "schedule $prefix-$each" \
        gcloud scheduler jobs delete "$prefix-$each" --location "$region" --project "$project"
    # The rights on the job are removed with it.
    remove "job $prefix-$each" gcloud run jobs delete "$prefix-$each" --region "$region" --project "$project"
done

# Before the accounts: the rights of a removed account remain, under a name that no command accepts.
if [[ -n $given_job_account ]]; then
    say "roles of $job_account" "kept, because others may need them"
else
    [[ -n $pipeline ]] || unbind_project "$job_project" roles/bigquery.jobUser "$job_account"
    for bucket in $gone_buckets; do
        unbind_bucket "$bucket" "$job_account"
    done
    for dataset in $gone_datasets; do
        unbind_dataset "$dataset"
    done
fi
if [[ -n $pipeline ]]; then
    echo "What stays: the other pipelines, the accounts, the images, the datasets and buckets with all data, and rights on"
    echo "datasets and buckets that $env_file no longer names."
    exit
fi

if [[ -n $given_image ]]; then
    say "what builds use" "not looked for, because IMAGE is set"
else
    unbind_project "$project" roles/logging.logWriter "$builder_account"
    unbind_bucket "$source_bucket" "$builder_account"
    remove_repository
    remove "service account ${builder_account%@*}" gcloud iam service-accounts delete "$builder_account" --project "$project"
fi
for given in job scheduler; do
    account=${given}_account given=given_${given}_account
    [[ -n ${!given} ]] ||
        remove "service account ${!account%@*}" gcloud iam service-accounts delete "${!account}" --project "$project"
done

echo "What stays: the datasets ($all_datasets) with all tables, the buckets ($all_buckets), the APIs that are enabled,"
echo "and the sources of builds in gs://$source_bucket."
