#!/usr/bin/env bash
# Downloads the DuckDB library into .cache/duckdb, the folder in .cargo/config.toml. Does nothing where it exists.
# The library is from DuckDB's npm package; compiling it takes over half an hour on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."

# Must match the version of the duckdb crate in Cargo.toml: 1.10506 is DuckDB 1.5.6.
version=1.5.6-r.1
# For other platforms, npm checks the package against the registry's checksum.
linux_x64_sha512='IXcrZJE6kEqM0Z4wwdVnGBHX/frOS33VPNAwDXQ/Q+Fs84b058Qe94chrCCIcNJlG8Y3UHIUU4eBeCQxW5mN1Q=='

case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) platform=linux-x64 library=libduckdb.so ;;
    Linux-aarch64 | Linux-arm64) platform=linux-arm64 library=libduckdb.so ;;
    Darwin-arm64) platform=darwin-arm64 library=libduckdb.dylib ;;
    Darwin-x86_64) platform=darwin-x64 library=libduckdb.dylib ;;
    *)
        echo "duckdb-lib: there is no DuckDB library for $(uname -s) $(uname -m)" >&2
        echo "hint: build with --no-default-features, or set DUCKDB_LIB_DIR to a folder with the library" >&2
        exit 1
        ;;
esac

target=.cache/duckdb
if [[ -f $target/$library && "$(cat "$target/version" 2>/dev/null)" == "$version $platform" ]]; then
    exit 0
fi
command -v npm >/dev/null || {
    echo "duckdb-lib: npm is not installed; it is required to download the DuckDB library" >&2
    echo "hint: install Node.js, or set DUCKDB_LIB_DIR to a folder with $library" >&2
    exit 1
}

mkdir -p .cache
work=$(mktemp -d .cache/duckdb.XXXXXX)
trap 'rm -rf "$work"' EXIT
package=@duckdb/node-bindings-$platform@$version
echo "duckdb-lib: downloading $package" >&2
(cd "$work" && npm pack --silent "$package" >/dev/null)
archive=$(echo "$work"/*.tgz)

if [[ $platform == linux-x64 ]]; then
    found=$(python3 -c 'import base64, hashlib, sys
print(base64.b64encode(hashlib.sha512(open(sys.argv[1], "rb").read()).digest()).decode())' "$archive")
    if [[ $found != "$linux_x64_sha512" ]]; then
        echo "duckdb-lib: $package has sha512 $found, expected $linux_x64_sha512" >&2
        echo "hint: the package differs from the pinned one; do not use it" >&2
        exit 1
    fi
fi

mkdir "$work/lib"
tar -xzf "$archive" -C "$work/lib" --strip-components=1 "package/$library" package/LICENSE
echo "$version $platform" >"$work/lib/version"
rm -rf "$target"
mv "$work/lib" "$target"
