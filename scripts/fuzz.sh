#!/usr/bin/env bash
# Runs a fuzz target (manifest, csv_header, parquet_footer) for some seconds. It starts with the sample exports, keeps new
# inputs in fuzz/corpus, and writes inputs that fail to fuzz/artifacts.
#
# usage: fuzz.sh <target> [seconds]
set -euo pipefail
cd "$(dirname "$0")/.."

target=$1 seconds=${2:-600}
cargo +nightly fuzz --version >/dev/null || {
    echo "hint: rustup toolchain install nightly, and cargo install cargo-fuzz" >&2
    exit 1
}
corpus=fuzz/corpus/$target
mkdir -p "$corpus"

seed() {
    cat >"$corpus/seed-$(tr / - <<<"$1")"
}
case $target in
manifest)
    while read -r key; do
        { echo "${key#examples/aws/*/}" && cat "$key"; } | seed "$key"
    done < <(find examples -name '*-Manifest.json')
    exports=$(mktemp -d)
    for dialect in aws-cur2 aws-focus-1.2 azure-actual-enterprise azure-focus-1.2; do
        for form in full sparse; do
            cargo run --quiet --locked --package billing-exports -- "$dialect" "$exports/$dialect" \
                --months 2025-09 --rows 1 --name "$form" --manifest "$form" >/dev/null
        done
    done
    while read -r key; do
        { echo "${key#"$exports"/}" && cat "$key"; } | seed "${key#"$exports"/}"
    done < <(find "$exports" -iname '*manifest.json')
    rm -r "$exports"
    ;;
csv_header)
    while read -r key; do
        # The first byte selects plain text, gzip, or compression by the target; the second, how much is read first.
        { printf '\1\200' && head -c 3000 "$key"; } | seed "$key.gz"
        { printf '\0\200' && gzip -dc "$key" | sed -n 1,2p; } | seed "$key.plain"
        { printf '\2\200' && gzip -dc "$key" | sed -n 1p | tr , '\n' | awk 'NR % 9 == 1' | paste -sd , ; } | seed "$key.short"
    done < <(find examples -name '*.csv.gz')
    ;;
parquet_footer)
    while read -r key; do
        # The file ends with the metadata, its length, and PAR1.
        length=$(tail -c 8 "$key" | od -An -tu4 -N4)
        tail -c $((length + 8)) "$key" | head -c $((length)) | seed "$key"
    done < <(find examples -name '*.parquet')
    ;;
*)
    echo "fuzz.sh: unknown target $target: expected manifest, csv_header or parquet_footer" >&2
    exit 2
    ;;
esac
# The seeds are larger than libFuzzer's default limit.
exec cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -rss_limit_mb=512 -max_len=32768 -print_final_stats=1
