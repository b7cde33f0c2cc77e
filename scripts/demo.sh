#!/usr/bin/env bash
# Runs the job on exports of AWS and Azure, on this machine alone, and shows what it does.
#
# usage: demo.sh <folder of the built binaries>
#        demo.sh --clean
set -euo pipefail
cd "$(dirname "$0")/.."

place=data/demo

if [[ ${1:-} == --clean ]]; then
    rm -rf "$place"
    rmdir data 2>/dev/null || true
    exit
fi
binaries=$(cd "$1" && pwd)

rm -rf "$place"
mkdir -p "$place"

# shellcheck disable=SC2054  # the commas are in values
settings=(
    PIPELINE=all
    WAREHOUSE=duckdb
    DUCKDB_PATH="$place/finops.duckdb"
    AWS_SOURCE="$place/export/cur"
    AWS_DATASET=billing
    AWS_TABLE_NAME=aws_cur
    AZURE_SOURCE="$place/export/azure"
    AZURE_DATASET=billing
    AZURE_EXPORTS=actual,focus
    AZURE_ACTUAL_EXPORT_NAME=actual-cost
    AZURE_ACTUAL_TABLE_NAME=azure_actual
    AZURE_FOCUS_EXPORT_NAME=focus-cost
    AZURE_FOCUS_TABLE_NAME=azure_focus
)

heading() {
    printf '\n== %s\n' "$*"
}

# Nothing of the caller's environment takes part, so that the demo is the same everywhere.
finops() {
    printf '\n$ finops %s\n' "$*"
    env -i PATH="$PATH" HOME="${HOME:-/}" TERM="${TERM:-dumb}" "${settings[@]}" "$binaries/finops" "$@"
}

# azure <dialect> <name> <flag>...: a delivery of Azure's
azure() {
    local dialect=$1 name=$2
    shift 2
    "$binaries/billing-exports" "$dialect" "$place/export/azure" --name "$name" --rows 200 --currencies EUR "$@" >/dev/null
}

heading "The settings: a report of AWS, two exports of Azure, and a DuckDB file with a table for each"
printf '%s\n' "${settings[@]}"
cp -R examples/aws/first "$place/export"
azure azure-actual-enterprise actual-cost --months 2025-09
# While October lasts, Azure delivers it once a day.
azure azure-actual-enterprise actual-cost --months 2025-10 --daily
azure azure-focus-1.2 focus-cost --months 2025-09,2025-10 --format parquet

heading "What would be done"
finops plan

heading "Load it: of Azure's 31 runs of October only the one that reaches furthest"
finops run

heading "Once more: every month is loaded already"
finops run

heading "AWS delivers September again, with other amounts: that month alone is replaced.
   Azure delivers October again, but only its first 20 days: the whole month stays"
cp -R examples/aws/redelivery/. "$place/export/"
azure azure-actual-enterprise actual-cost --months 2025-10 --first-run 32 --until 20
finops run

heading "What is loaded"
finops status

heading "What the newest bills say, by service"
"$binaries/examples/bill-by-service" "$place/finops.duckdb"

printf '\nThe data is in %s: the tables of schema billing, and billing.finops_loads for what was loaded when.\n' "$place/finops.duckdb"
