#!/usr/bin/env bash
# Checks the settings without the cloud, and reports all problems.
# shellcheck source=deploy/lib.sh
source "$(dirname "$0")/lib.sh"

say "$env_file" "complete"
say "project" "$project, jobs in $region, datasets in $location"
for pipeline in $pipelines; do
    say "job" "$prefix-$pipeline"
done
[[ -z $given_job_account ]] || say "account" "$job_account runs the jobs"
[[ -z $given_scheduler_account ]] || say "account" "$scheduler_account starts the jobs"
[[ -z $given_image ]] || say "image" "$given_image"
[[ $job_project == "$project" ]] || say "BigQuery jobs" "run in $job_project"
[[ -z $labels ]] || say "labels" "${labels//:/=}"
say "datasets" "$datasets"
say "buckets" "$buckets"
if [[ -n $unused ]]; then
    say "not used" "$unused"
fi
if [[ -z $alert_email$alert_channel ]]; then
    say "ALERT_EMAIL" "not set; make setup-alerts needs it"
fi
