#!/usr/bin/env bash
# Creates a release on GitHub for a tag, with all files of dist. For .github/workflows/release.yml. Not run yet.
#
# usage: publish-release.sh <tag>
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/check-tag.sh "$1"
gh release create "$1" --verify-tag --generate-notes dist/*
