#!/usr/bin/env bash
# Writes SHA256SUMS, the checksums of all archives, wheels and lists of components in a folder. `sha256sum --check SHA256SUMS`
# checks them.
#
# usage: checksums.sh <folder>
set -euo pipefail
cd "$1"

sum=(sha256sum)
command -v sha256sum >/dev/null || sum=(shasum -a 256)
# The order of the shell's patterns depends on the locale.
LC_ALL=C
shopt -s nullglob
files=(*.json *.tar.gz *.whl)
((${#files[@]} > 0)) || {
    echo "checksums: there are no archives and no wheels in $1" >&2
    echo "hint: \`make dist\` builds them into dist" >&2
    exit 1
}
"${sum[@]}" "${files[@]}" >SHA256SUMS
cat SHA256SUMS
