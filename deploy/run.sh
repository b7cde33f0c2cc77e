#!/usr/bin/env bash
# Runs the job of a pipeline now, and waits until it ends.
#
# usage: run.sh aws|azure
# shellcheck source=deploy/lib.sh
source "$(dirname "$0")/lib.sh" "$@"

if ! watch gcloud run jobs execute "$prefix-$1" --region "$region" --project "$project" --wait; then
    if grep -q 'execution failed' "$work/stderr"; then
        fail "the run of $prefix-$1 failed" "make logs-$1 shows its log"
    fi
    fail "$prefix-$1 did not run" "$(hint)"
fi
