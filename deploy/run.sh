#!/usr/bin/env bash
# Runs the job of a pipeline now, and waits for its end.
#
# usage: run.sh aws|azure
# shellcheck source=deploy/lib.sh
source "$(dirname "$0")/lib.sh" "$@"

if ! gcloud run jobs execute "finops-$1" --region "$region" --project "$project" --wait \
    2> >(tee "$work/stderr" >&2); then
    echo "hint: make logs-$1 shows what the run said" >&2
    exit 1
fi
