#!/usr/bin/env bash
# Runs the job on exports of AWS and Azure, on this machine only, and shows its results.
#
# usage: demo.sh <folder of the built binaries>
#        demo.sh --clean
set -euo pipefail
cd "$(dirname "$0")/.."

folder=data/demo

if [[ ${1:-} == --clean ]]; then
    rm -rf "$folder"
    rmdir data 2>/dev/null || true
    exit
fi
binaries=$(cd "$1" && pwd)

rm -rf "$folder"
mkdir -p "$folder"

# shellcheck disable=SC2054  # the commas are in values
settings=(
    PIPELINE=all
    WAREHOUSE=duckdb
    DUCKDB_PATH="$folder/finops.duckdb"
    AWS_SOURCE="$folder/export/cur"
    AWS_DATASET=billing
    AWS_TABLE_NAME=aws_cur
    AZURE_SOURCE="$folder/export/azure"
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

# The demo does not use the caller's environment, so that it is the same everywhere.
finops() {
    printf '\n$ finops %s\n' "$*"
    env -i PATH="$PATH" HOME="${HOME:-/}" TERM="${TERM:-dumb}" "${settings[@]}" "$binaries/finops" "$@"
}

# azure <dialect> <name> <flag>...: writes deliveries of Azure
azure() {
    local dialect=$1 name=$2
    shift 2
    "$binaries/billing-exports" "$dialect" "$folder/export/azure" --name "$name" --rows 200 --currencies EUR "$@" >/dev/null
}

heading "The settings: one export of AWS, two exports of Azure, and a DuckDB file with a table for each"
printf '%s\n' "${settings[@]}"
cp -R examples/aws/first "$folder/export"
azure azure-actual-enterprise actual-cost --months 2025-09
# Azure delivers the current month once a day.
azure azure-actual-enterprise actual-cost --months 2025-10 --daily
azure azure-focus-1.2 focus-cost --months 2025-09,2025-10 --format parquet

heading "The plan"
finops plan

heading "Load the months. Of Azure's 31 runs of October, only the one that covers the most days is loaded"
finops run

heading "Run again: every month is already loaded"
finops run

heading "AWS delivers September again, with other amounts: only that month is replaced.
   Azure delivers the first 20 days of October again: the loaded month is unchanged"
cp -R examples/aws/redelivery/. "$folder/export/"
azure azure-actual-enterprise actual-cost --months 2025-10 --first-run 32 --until 20
finops run

heading "The loaded months"
finops status

heading "The cost of the newest months, by service"
"$binaries/examples/bill-by-service" "$folder/finops.duckdb"

printf '\nThe data is in %s: the tables of schema billing, and the record of all loads in billing.finops_loads.\n' "$folder/finops.duckdb"
