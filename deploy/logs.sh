#!/usr/bin/env bash
# Shows the log of the last execution of a pipeline's job: its last lines, oldest first.
#
# usage: logs.sh aws|azure
# shellcheck source=deploy/lib.sh
source "$(dirname "$0")/lib.sh" "$@"

lookup gcloud run jobs describe "$prefix-$1" --region "$region" --project "$project" \
    --format 'value(status.latestCreatedExecution.name, status.latestCreatedExecution.creationTimestamp)' ||
    fail "job $prefix-$1 is not deployed in $project, $region" "make deploy-$1 deploys it"
IFS=$'\t' read -r execution created <"$found" || true
if [[ -z $execution ]]; then
    say "job $prefix-$1" "has no execution yet; make run-$1 runs it"
    exit
fi
# Without a time, gcloud reads only the last day.
call gcloud logging read "resource.type=\"cloud_run_job\" AND resource.labels.job_name=\"$prefix-$1\" AND \
labels.\"run.googleapis.com/execution_name\"=\"$execution\" AND timestamp>=\"$created\"" \
    --project "$project" --limit 300 --order desc --format json
say "execution" "$execution of $created"
python3 deploy/log_lines.py "$found"
