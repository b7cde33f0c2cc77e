#!/usr/bin/env bash
# Packs the program and the DuckDB library into a Python wheel, with maturin, and puts the list of the program's crates beside
# it (CycloneDX; maturin writes it into the wheel). Prints the path of the wheel. `make wheel` calls this script.
#
# In an environment, the program is in bin/ and the library in lib/finops/, where the program finds it (emulator/build.rs).
# maturin itself would put a Python script in bin/, which does not find the program after `pip install --user`.
#
# usage: wheel.sh <Cargo's profile> <folder for the wheel>
set -euo pipefail
cd "$(dirname "$0")/.."

profile=$1 folder=$2
limit=$((60 * 1000 * 1000))

fail() {
    echo "wheel: $1" >&2
    echo "hint: $2" >&2
    exit 1
}

scripts/maturin.sh

case $(uname -s) in
    Darwin) library=libduckdb.dylib ;;
    *) library=libduckdb.so ;;
esac
libraries=$(cd "${DUCKDB_LIB_DIR:-.cache/duckdb}" && pwd)
for file in "$library" LICENSE; do
    [[ -f $libraries/$file ]] || fail "there is no $libraries/$file" "run \`make lib\`, or copy DuckDB's library and LICENSE there"
done
data=dist/wheel/data/lib/finops
mkdir -p "$data" "$folder"
ln -sf "$libraries/$library" "$libraries/LICENSE" "$data/"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Audited, so that the wheel's tag has the glibc that the program needs; not repaired, because the library is in it already.
.cache/bin/maturin build --locked --profile "$profile" --auditwheel warn --out "$work" >&2
wheel=$(echo "$work"/*.whl)
python3 -m zipfile -e "$wheel" "$work/wheel"

# maturin's audit sees the program only. So compare the tag with what the library needs, too.
if [[ $library == *.so ]]; then
    tagged=$(sed -n 's/.*-manylinux_\([0-9]*\)_\([0-9]*\)_.*/\1.\2/p' <<<"$wheel")
    [[ -n $tagged ]] || fail "$(basename "$wheel") has no manylinux tag, so PyPI refuses it" "read maturin's output above"
    needed=$(find "$work/wheel" \( -name finops -o -name "$library" \) -type f -exec objdump --dynamic-syms {} + |
        grep -o 'GLIBC_[0-9][0-9.]*' | sed 's/GLIBC_//' | sort --version-sort | tail -n 1)
    [[ $(printf '%s\n' "$needed" "$tagged" | sort --version-sort | tail -n 1) == "$tagged" ]] ||
        fail "$(basename "$wheel") needs glibc $needed, its tag says $tagged" "give maturin a newer tag with --compatibility"
    echo "wheel: needs glibc $needed, its tag says $tagged" >&2
fi

size=$(wc -c <"$wheel")
echo "wheel: $size bytes, at most $limit" >&2
((size <= limit)) || fail "$(basename "$wheel") is larger than $limit bytes" "find out which file grew: python3 -m zipfile -l"
cp "$work"/wheel/*.dist-info/sboms/*.cyclonedx.json "$folder/$(basename "$wheel" .whl).cyclonedx.json"
mv "$wheel" "$folder/"
echo "$folder/$(basename "$wheel")"
