#!/usr/bin/env bash
# Installs a wheel into an empty environment of each Python, without network, and loads the sample export with it.
#
# usage: try-wheel.sh <wheel> <python>...
set -euo pipefail
wheel=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
cd "$(dirname "$0")/.."

fail() {
    echo "try-wheel: $1" >&2
    exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)

# finops <folder of the environment> <argument>...: runs the installed program. PATH and LD_LIBRARY_PATH are not set.
finops() {
    local environment=$1
    shift
    env -i HOME="$work" PIPELINE=aws WAREHOUSE=duckdb DUCKDB_PATH="$environment/finops.duckdb" AWS_SOURCE=examples/aws/first/cur \
        AWS_DATASET=billing AWS_TABLE_NAME=aws_cur "$environment/bin/finops" "$@"
}

# starts <folder of the environment>: checks the version, and which DuckDB library the program loads
starts() {
    local printed library
    printed=$(finops "$1" --version)
    [[ $printed == "finops $version" || $printed == "finops $version ("*")" ]] || fail "$printed is not version $version"
    # A debug build would find the library in its build's folder, too.
    if [[ $(uname -s) == Linux ]]; then
        library=$(env -i LD_TRACE_LOADED_OBJECTS=1 "$1/bin/finops" | awk '$1 == "libduckdb.so" { print $3 }')
        [[ $(readlink -f "$library") == "$(readlink -f "$1")/lib/finops/libduckdb.so" ]] ||
            fail "$1/bin/finops loads $library, expected the library of the wheel"
    fi
    echo "$printed"
}

for python in "$@"; do
    echo "== $("$python" --version), in an empty environment"
    environment=$work/$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    "$python" -m venv "$environment"
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps "$wheel"
    starts "$environment"
    finops "$environment" run
    finops "$environment" status --output json >"$work/status.json"
    "$environment/bin/python" - "$work/status.json" examples/aws/first.expected.json <<'PYTHON'
import json, sys
status, expected = (json.load(open(path)) for path in sys.argv[1:])
loaded = {month["billing_period"]: (month["rows"], month["cost"]) for table in status for month in table["months"]}
wanted = {period: (month["rows"], month["unblended_cost"]) for period, month in expected.items()}
assert loaded == wanted, f"loaded {loaded}, expected {wanted}"
PYTHON
    finops "$environment" demo --dir "$environment/demo" >"$work/demo"
    tail -n 4 "$work/demo"

    echo "== $("$python" --version), with pip install --user"
    # Debian's own Python refuses this without the variable; the folder of the user is a new one here.
    PYTHONUSERBASE=$environment/user PIP_BREAK_SYSTEM_PACKAGES=1 "$python" -m pip install --user --quiet \
        --disable-pip-version-check --no-warn-script-location --no-index --no-deps "$wheel"
    starts "$environment/user"
done
