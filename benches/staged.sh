#!/usr/bin/env bash
# Measures each step of the staged pipeline on a month of CUR 2.0 in CSV, and compares it with DuckDB alone: `read_csv` of
# the same files into the same types, and a plain COPY to Parquet. Then it measures all steps in one process, with the
# emulator as BigQuery. Prints figures; asserts only that the amounts agree.
#
# usage: staged.sh [rows, 2000000 by default: 1.2 GB uncompressed]
# PROFILE=dev measures a debug build, to test the script.
set -euo pipefail
cd "$(dirname "$0")/.."

rows=${1:-2000000}
profile=${PROFILE:-release}
built=${CARGO_TARGET_DIR:-target}/${profile/#dev/debug}
library=${DUCKDB_LIB_DIR:-$PWD/.cache/duckdb}

cargo build --locked --profile "$profile" --package finops --bin finops --example duckdb-sql
cargo build --locked --profile "$profile" --package billing-exports --package bigquery-emulator --bins

# shellcheck source=benches/servers.sh
source benches/servers.sh

bigquery=$(free_port)
LD_LIBRARY_PATH=$library "$built/bigquery-emulator" --port "$bigquery" --project demo --dataset billing \
    >"$work/bigquery.log" 2>&1 &
servers+=($!)
wait_for bigquery "$bigquery"

"$built/billing-exports" aws-cur2 "$work/delivered" --months 2025-09 --rows "$rows" --parts 4 >"$work/delivered.json"
cat >"$work/config.toml" <<TOML
staging_dir = "$work/staging"
parquet_dir = "$work/exports"
[database.duckdb]
database_path = "$work/finops.duckdb"
[aws]
source = "$work/delivered"
export_name = "daily"
TOML
# The same settings with other folders, and with BigQuery.
mkdir "$work/whole"
sed -E "s,\"$work/(staging|exports|finops),\"$work/whole/\1," "$work/config.toml" >"$work/whole/config.toml"
cat >>"$work/whole/config.toml" <<TOML
[database.bigquery]
project_id = "demo"
dataset_id = "billing"
table_id = "aws_billing_data"
TOML

python3 -B - "$work" "$built/finops" "$built/examples/duckdb-sql" \
    PATH="$PATH" HOME="$work" LD_LIBRARY_PATH="$library" BIGQUERY_EMULATOR_HOST="http://127.0.0.1:$bigquery" <<'PYTHON'
import gzip
import json
import os
import sys
from decimal import Decimal
from glob import glob

from benches.measure import measured, months

work, finops, duckdb, *settings = sys.argv[1:]
env = dict(setting.split("=", 1) for setting in settings)
delivered = json.load(open(f"{work}/delivered.json"))
files = [f"{work}/delivered/{file['path']}" for file in delivered["files"]]


def uncompressed(path):
    with gzip.open(path) as file:
        return sum(len(block) for block in iter(lambda: file.read(1 << 20), b""))


def show(what, wall, peak, duckdb_wall=None):
    times = f"   {duckdb_wall / wall:.2f} of DuckDB's speed" if duckdb_wall else ""
    print(f"{what:<37} {wall:>8.2f} {peak:>9.1f}{times}")


def duckdb_alone(*statements):
    """Runs statements in a separate DuckDB database. Returns the last one's value, the time and the peak memory."""
    return measured([duckdb, f"{work}/alone.duckdb", *statements], env)


def check(where, cost):
    if Decimal(cost) != Decimal(delivered["cost"]["USD"]):
        sys.exit(f"{where} has {cost} USD, expected {delivered['cost']['USD']}")


print(f"{delivered['rows']} rows, {sum(map(uncompressed, files)) / 1e6:.0f} MB of CSV")
print(f"{'':<37} {'Seconds':>8} {'Peak MB':>9}")
cost = "CAST(sum(line_item_unblended_cost) AS VARCHAR)"
types = {"DECIMAL": "DECIMAL(38,18)", "STRING": "VARCHAR"}
# In the order of the files, which is the order of the table.
columns = ", ".join(f"'{name}': '{types.get(of, of)}'" for name, of in delivered["columns"])
read = f"read_csv({files}, auto_detect = false, header = true, quote = '\"', escape = '\"', columns = {{{columns}}})"
load = duckdb_alone(f"CREATE TABLE t AS SELECT * FROM {read}", f"SELECT {cost} FROM t")
check("DuckDB's read_csv", load[0])
write = duckdb_alone(f"COPY t TO '{work}/alone.parquet' (FORMAT parquet)", f"SELECT {cost} FROM t")
show("DuckDB: read_csv into a table", *load[1:])
show("DuckDB: COPY to Parquet", *write[1:])


def step(name, config):
    """Runs a step. Returns the last month of its report, the time and the peak memory. All months must be loaded."""
    report, *figures = measured([finops, "aws", name, "--config", config, "--output", "json"], env)
    for month in months(report):
        if month["status"] != "loaded":
            sys.exit(f"{name}: {month}")
    return month, *figures


duckdb_walls = {"extract-billing": None, "load-billing-local": load[1], "export-parquet": write[1]}
for name, duckdb_wall in duckdb_walls.items():
    month, *figures = step(name, f"{work}/config.toml")
    show(f"finops aws {name}", *figures, duckdb_wall)
check("DuckDB", month["cost"]["USD"])
month, *figures = step("run-pipeline", f"{work}/whole/config.toml")
show("finops aws run-pipeline, to BigQuery", *figures)
check("the emulator", month["cost"]["USD"])
(exported,) = glob(f"{work}/exports/*.parquet")
check("Parquet", duckdb_alone(f"SELECT {cost} FROM '{exported}'")[0])
print(f"Parquet: {os.path.getsize(exported) / 1e6:.0f} MB; all amounts agree")
PYTHON
