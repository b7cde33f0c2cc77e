#!/usr/bin/env bash
# Enables the APIs, and creates the datasets and, unless IMAGE is set, the image repository and the bucket for the sources of
# builds.
# shellcheck source=deploy/lib.sh
source "$(dirname "$0")/lib.sh"

missing=()
call gcloud services list --enabled --project "$project" --format 'value(config.name)'
for api in artifactregistry bigquery cloudbuild cloudresourcemanager cloudscheduler iam logging monitoring run storage; do
    [[ -z $given_image || ! $api =~ ^(artifactregistry|cloudbuild)$ ]] || continue
    grep -qxF "$api.googleapis.com" "$found" || missing+=("$api.googleapis.com")
done
if ((${#missing[@]})); then
    call gcloud services enable "${missing[@]}" --project "$project"
    say "APIs" "enabled ${missing[*]}"
else
    say "APIs" unchanged
fi

# setup_builds: creates what builds need.
setup_builds() {
    if lookup gcloud artifacts repositories describe "$repository" --location "$region" --project "$project" \
        --format 'value(format)'; then
        [[ $(<"$found") == DOCKER ]] || fail "repository $repository in $region is for $(<"$found"), and images need DOCKER" \
            "set ARTIFACT_REGISTRY_REPO in $env_file to another name"
        say "repository $repository in $region" unchanged
    else
        call gcloud artifacts repositories create "$repository" --location "$region" --project "$project" \
            --repository-format docker --labels "managed-by=finops,deployment=$prefix"
        say "repository $repository in $region" created
    fi

    # `gcloud builds submit` would create it, but the builder needs the right to read it before the first build.
    if lookup gcloud storage buckets describe "gs://$source_bucket" --project "$project" --format 'value(name)'; then
        say "bucket $source_bucket" unchanged
    else
        call gcloud storage buckets create "gs://$source_bucket" --location "$region" --project "$project" \
            --uniform-bucket-level-access --public-access-prevention
        say "bucket $source_bucket in $region" created
    fi
}

[[ -n $given_image ]] || setup_builds

# Of datasets that this deployment creates. The labels of others are not changed.
of_dataset="managed_by:finops deployment:$prefix${labels:+ $labels}"
for dataset in $datasets; do
    if lookup bq --headless --format json --project_id "$project" show --dataset "$project:$dataset"; then
        # Staging tables set their own expiration, so the defaults of their dataset do not matter.
        verb=check
        [[ $dataset != "$staging_dataset" ]] || verb=location
        python3 deploy/dataset.py "$verb" "$found" "$location"
        if python3 deploy/dataset.py unlabelled "$found" "$of_dataset"; then
            # shellcheck disable=SC2046,SC2086  # words
            call bq --headless --project_id "$project" update $(printf -- '--set_label %s ' $labels) --dataset "$project:$dataset"
            say "dataset $dataset in $location" "labelled $labels"
        else
            say "dataset $dataset in $location" unchanged
        fi
    else
        # shellcheck disable=SC2046,SC2086  # words
        call bq --headless --project_id "$project" --location "$location" mk $(printf -- '--label %s ' $of_dataset) \
            --dataset "$project:$dataset"
        say "dataset $dataset in $location" created
    fi
done
