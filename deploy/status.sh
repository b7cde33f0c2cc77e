#!/usr/bin/env bash
# Shows the jobs with their images, their last executions, and their schedules.
# shellcheck source=deploy/lib.sh
source "$(dirname "$0")/lib.sh"

deployed=()
for pipeline in $all_pipelines; do
    if lookup gcloud run jobs describe "$prefix-$pipeline" --region "$region" --project "$project" \
        --format 'value(spec.template.spec.template.spec.containers[0].image)'; then
        say "job $prefix-$pipeline" "$(sed 's|.*/||' "$found")"
        deployed+=("$prefix-$pipeline")
    fi
done
if ((${#deployed[@]} == 0)); then
    say "jobs" "none is deployed in $project, $region; make deploy deploys them"
    exit
fi
for job in "${deployed[@]}"; do
    printf '\n'
    watch gcloud run jobs executions list --job "$job" --region "$region" --project "$project" --limit 5 ||
        fail "the executions of $job are not shown" "$(hint)"
done
printf '\n'
watch gcloud scheduler jobs list --location "$region" --project "$project" --filter "name ~ \"/$prefix-(${all_pipelines// /|})$\"" \
    --format 'table(name.basename():label=SCHEDULE, schedule:label=CRON, timeZone, state, scheduleTime:label=NEXT)' ||
    fail "the schedules are not shown" "$(hint)"
