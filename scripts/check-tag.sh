#!/usr/bin/env bash
# Fails unless the tag names the version of Cargo.toml.
#
# usage: check-tag.sh <tag>
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
if [[ $1 != "v$version" ]]; then
    echo "check-tag: the tag is $1, and Cargo.toml has version $version: expected the tag v$version" >&2
    echo "hint: set workspace.package.version in Cargo.toml, commit it, and tag that commit" >&2
    exit 1
fi
