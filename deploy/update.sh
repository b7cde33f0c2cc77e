#!/usr/bin/env bash
# Updates the deployed jobs to the image of this tree and the settings. Schedules and rights are unchanged.
# shellcheck source=deploy/job.sh
source "$(dirname "$0")/job.sh"

deployed=''
for pipeline in $pipelines; do
    if find_job "$pipeline"; then
        deployed+=" $pipeline"
    else
        say "job $prefix-$pipeline" "not deployed; make deploy-$pipeline deploys it"
    fi
done
[[ -n $deployed ]] || fail "no job is deployed in $project, $region" "make deploy deploys them"
ensure_image
for pipeline in $deployed; do
    put_job "$pipeline"
done
