#!/usr/bin/env bash
# Runs the job on the sample exports, on this machine alone, and shows what it does.
#
# usage: demo.sh <folder of the built binaries>
#        demo.sh --clean
set -euo pipefail
cd "$(dirname "$0")/.."

marker=data/.made-by-the-demo

# Removes an earlier demo, and only that: a data folder without the marker is someone's own.
clean() {
    if [[ -e $marker ]]; then
        rm -rf data/export data/finops.duckdb data/finops.duckdb.wal "$marker"
        rmdir data 2>/dev/null || true
    fi
}

if [[ ${1:-} == --clean ]]; then
    clean
    exit
fi
binaries=$(cd "$1" && pwd)

clean
if [[ -e data/finops.duckdb || -e data/export ]]; then
    echo "demo: data/ holds files that the demo did not make, and it would write over them" >&2
    echo "hint: move data/finops.duckdb and data/export elsewhere, then run make demo again" >&2
    exit 1
fi
mkdir -p data
touch "$marker"

settings=(
    PIPELINE=aws
    WAREHOUSE=duckdb
    DUCKDB_PATH=data/finops.duckdb
    AWS_SOURCE=data/export/cur
    AWS_EXPORT_NAME=cost-and-usage
    AWS_DATASET=billing
    AWS_TABLE_NAME=aws_cur
)

heading() {
    printf '\n== %s\n' "$*"
}

# Nothing of the caller's environment takes part, so that the demo is the same everywhere.
finops() {
    printf '\n$ finops %s\n' "$*"
    env -i PATH="$PATH" HOME="${HOME:-/}" TERM="${TERM:-dumb}" "${settings[@]}" "$binaries/finops" "$@"
}

heading "The settings: a folder with an AWS Cost and Usage Report of three months, and a DuckDB file"
printf '%s\n' "${settings[@]}"
cp -R examples/aws/first data/export

heading "What would be done"
finops plan

heading "Load it"
finops run

heading "Once more: every month is loaded already"
finops run

heading "AWS delivers September again, with other amounts: that month alone is replaced"
cp -R examples/aws/redelivery/. data/export/
finops run

heading "What is loaded"
finops status

heading "What the bill says, by service"
"$binaries/examples/bill-by-service" data/finops.duckdb

printf '\nThe data is in data/finops.duckdb: table billing.aws_cur, and billing.finops_loads for what was loaded when.\n'
