#!/usr/bin/env bash
# Checks the settings without the cloud, and reports all problems.
# shellcheck source=deploy/lib.sh
source "$(dirname "$0")/lib.sh"

say "$env_file" "complete"
say "project" "$project, jobs in $region, datasets in $location"
for pipeline in $pipelines; do
    say "job" "finops-$pipeline"
done
say "datasets" "$datasets"
say "buckets" "$buckets"
if [[ -n $unused ]]; then
    say "not used" "$unused"
fi
if [[ -z $alert_email ]]; then
    say "ALERT_EMAIL" "not set; make setup-alerts needs it"
fi
