#!/usr/bin/env bash
# Enables the APIs, and creates the image repository, the bucket for the sources of builds, and the datasets.
# shellcheck source=deploy/lib.sh
source "$(dirname "$0")/lib.sh"

missing=()
call gcloud services list --enabled --project "$project" --format 'value(config.name)'
for api in artifactregistry bigquery cloudbuild cloudresourcemanager cloudscheduler iam logging monitoring run storage; do
    grep -qxF "$api.googleapis.com" "$found" || missing+=("$api.googleapis.com")
done
if ((${#missing[@]})); then
    call gcloud services enable "${missing[@]}" --project "$project"
    say "APIs" "enabled ${missing[*]}"
else
    say "APIs" unchanged
fi

if lookup gcloud artifacts repositories describe "$repository" --location "$region" --project "$project" \
    --format 'value(format)'; then
    [[ $(<"$found") == DOCKER ]] || fail "repository $repository in $region is for $(<"$found"), and images need DOCKER" \
        "set ARTIFACT_REGISTRY_REPO in $env_file to another name"
    say "repository $repository in $region" unchanged
else
    call gcloud artifacts repositories create "$repository" --location "$region" --project "$project" \
        --repository-format docker --labels managed-by=finops
    say "repository $repository in $region" created
fi

# `gcloud builds submit` would create it, but finops-builder needs the right to read it before the first build.
if lookup gcloud storage buckets describe "gs://$source_bucket" --project "$project" --format 'value(name)'; then
    say "bucket $source_bucket" unchanged
else
    call gcloud storage buckets create "gs://$source_bucket" --location "$region" --project "$project" \
        --uniform-bucket-level-access --public-access-prevention
    say "bucket $source_bucket in $region" created
fi

for dataset in $datasets; do
    if lookup bq --headless --format json --project_id "$project" show --dataset "$project:$dataset"; then
        # Staging tables set their own expiration, so the defaults of their dataset do not matter.
        verb=check
        [[ $dataset != "$staging_dataset" ]] || verb=location
        python3 deploy/dataset.py "$verb" "$found" "$location"
        say "dataset $dataset in $location" unchanged
    else
        call bq --headless --project_id "$project" --location "$location" mk --dataset "$project:$dataset"
        say "dataset $dataset in $location" created
    fi
done
