#!/usr/bin/env bash
# Measures a run that has nothing to do: 39 months, all loaded, on fake-gcs-server and the emulator.
# Prints figures and their goals; asserts nothing.
#
# usage: noop.sh [number of measured runs, 20 by default]
# PROFILE=dev measures a debug build, to test the script.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=${1:-20}
profile=${PROFILE:-release}
built=${CARGO_TARGET_DIR:-target}/${profile/#dev/debug}

cargo build --locked --profile "$profile" --package bigquery-emulator --bins
cargo build --locked --profile "$profile" --package billing-exports --bins
cargo build --locked --profile "$profile" --package finops --bin finops --no-default-features
finops=$built/finops
library=${DUCKDB_LIB_DIR:-$PWD/.cache/duckdb}

# shellcheck source=benches/servers.sh
source benches/servers.sh

months=$(printf '%s,' {2022..2025}-{01..12})
# The 39 months from 2022-08 to 2025-10.
months=${months#*2022-07,}
months=${months%,2025-11*}
"$built/billing-exports" aws-cur "$work/buckets/example-billing-bucket/cur" --name cost-and-usage \
    --months "$months" --rows 100 >/dev/null
storage=$(free_port)
.cache/bin/fake-gcs-server -scheme http -host 127.0.0.1 -port "$storage" -backend memory \
    -data "$work/buckets" -public-host "127.0.0.1:$storage" \
    -external-url "http://127.0.0.1:$storage" >"$work/storage.log" 2>&1 &
servers+=($!)
bigquery=$(free_port)
LD_LIBRARY_PATH=$library "$built/bigquery-emulator" --port "$bigquery" --project demo \
    --storage "http://127.0.0.1:$storage" >"$work/bigquery.log" 2>&1 &
servers+=($!)
wait_for storage "$storage"
wait_for bigquery "$bigquery"

settings=(
    PATH="$PATH" HOME="$work"
    PIPELINE=aws GCP_PROJECT_ID=demo
    AWS_GCS_BUCKET=example-billing-bucket AWS_GCS_PREFIX=cur AWS_EXPORT_NAME=cost-and-usage
    AWS_DATASET=billing AWS_TABLE_NAME=aws_cur
    STORAGE_EMULATOR_HOST="http://127.0.0.1:$storage"
    BIGQUERY_EMULATOR_HOST="http://127.0.0.1:$bigquery"
)
env -i "${settings[@]}" "$finops" run --output json >"$work/first.json"

python3 -B - "$runs" "$work/first.json" "$finops" "${settings[@]}" <<'PYTHON'
import json
import os
import statistics
import sys

from benches.measure import measured, statuses

runs, first, finops, *settings = sys.argv[1:]
env = dict(setting.split("=", 1) for setting in settings)

print("first run:", statuses(json.load(open(first))))
walls, peaks = [], []
for _ in range(int(runs)):
    report, wall, peak = measured([finops, "run", "--output", "json"], env)
    walls.append(wall)
    peaks.append(peak)
print("measured runs:", statuses(report))
print(f"wall time  {statistics.median(walls):8.3f} s   median of {runs}, "
      f"{min(walls):.3f} to {max(walls):.3f}   (goal 0.3 s)")
print(f"peak RSS   {max(peaks):8.1f} MB                          (goal 50 MB)")
print(f"binary     {os.path.getsize(finops) / 1e6:8.1f} MB                          (goal 20 MB)")
PYTHON
