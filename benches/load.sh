#!/usr/bin/env bash
# Measures loads of CSV and Parquet from local folders into DuckDB. Prints figures; asserts nothing.
#
# usage: load.sh [rows a month, 100000 by default] [number of months, 3 by default, 12 at most]
# PROFILE=dev measures a debug build, to test the script.
set -euo pipefail
cd "$(dirname "$0")/.."

rows=${1:-100000}
count=${2:-3}
profile=${PROFILE:-release}
built=${CARGO_TARGET_DIR:-target}/${profile/#dev/debug}
months=$(printf '2025-%02d,' $(seq "$count"))

cargo build --locked --profile "$profile" --package finops --bin finops
cargo build --locked --profile "$profile" --package billing-exports --bins

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

printf '%-24s %-9s %7s %10s %8s %8s %10s %9s\n' \
    Export Format Months Rows MB Seconds 'Rows/s' 'Peak MB'
# load <pipeline> <dialect> <format>
load() {
    "$built/billing-exports" "$2" "$work/export" --format "$3" --months "${months%,}" --rows "$rows" --parts 4 >/dev/null
    python3 -B - "$2" "$3" "$built/finops" PATH="$PATH" HOME="$work" PIPELINE="$1" WAREHOUSE=duckdb \
        DUCKDB_PATH="$work/finops.duckdb" "${1^^}_SOURCE=$work/export" "${1^^}_DATASET=billing" \
        "${1^^}_TABLE_NAME=export" <<'PYTHON'
import sys

from benches.measure import measured, months

dialect, form, finops, *settings = sys.argv[1:]
report, wall, peak = measured([finops, "run", "--output", "json"], dict(s.split("=", 1) for s in settings))
loaded = [month for month in months(report) if month["status"] == "loaded"]
rows, megabytes = (sum(month[key] for month in loaded) for key in ("rows", "bytes"))
print(f"{dialect:<24} {form:<9} {len(loaded):>7} {rows:>10} {megabytes / 1e6:>8.1f} "
      f"{wall:>8.2f} {rows / wall:>10.0f} {peak:>9.1f}")
PYTHON
    rm -r "$work/export" "$work"/finops.duckdb*
}

load aws aws-cur csv-gzip
load aws aws-cur parquet
load aws aws-cur2 parquet
load azure azure-actual-enterprise csv-gzip
load azure azure-focus-1.2 csv-gzip
load azure azure-focus-1.2 parquet
