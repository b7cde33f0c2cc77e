#!/usr/bin/env bash
# Creates examples/aws/first and examples/aws/redelivery with koku-nise, converts the first to Parquet, and computes the
# expected figures of each. Amounts are the same each time (fixed seeds); assembly ids and gzip headers are new.
set -euo pipefail
cd "$(dirname "$0")/.."

nise_version=5.4.4
prefix=cur
name=cost-and-usage
venv=.cache/nise-$nise_version
if [[ ! -x $venv/bin/nise ]]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet "koku-nise==$nise_version"
fi

root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# nise <start> <end> <seed> <delivery>
nise() {
    local bucket=$work/$4
    mkdir "$bucket"
    # nise writes its CSV files to the current folder before it compresses them.
    (cd "$work" && "$root/$venv/bin/python" -c '
import random, sys
from faker import Faker
from nise.__main__ import main
seed = int(sys.argv.pop(1))
random.seed(seed)
Faker.seed(seed)
main()' "$3" report aws -s "$1" -e "$2" --file-row-limit 500 \
        --static-report-file "$root/examples/aws/$4.yml" \
        --aws-s3-bucket-name "$bucket" --aws-s3-report-prefix "$prefix" --aws-s3-report-name "$name")
    # The manifest names the folder as its bucket; replace it.
    find "$bucket" -name '*-Manifest.json' -exec sed -i.bak "s|$bucket|example-billing-bucket|" {} +
    find "$bucket" -name '*.bak' -delete
    rm -rf "examples/aws/$4"
    mv "$bucket" "examples/aws/$4"
    python3 scripts/expected.py "examples/aws/$4" >"examples/aws/$4.expected.json"
}

nise 2025-08-01 2025-10-31 20251101 first
nise 2025-09-01 2025-09-30 20251115 redelivery

# parquet <layout>
parquet() {
    local tree=examples/aws/parquet-$1
    rm -rf "$tree"
    .cache/python/bin/python scripts/make-parquet.py examples/aws/first "$tree" "$1"
    .cache/python/bin/python scripts/expected.py "$tree" >"$tree.expected.json"
}

scripts/test-servers.sh
parquet athena
parquet versioned
