#!/usr/bin/env bash
# Downloads maturin, which makes the Python wheel, into .cache/bin. Does nothing where it exists.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(sed -n 's/^requires = \["maturin==\(.*\)"\]$/\1/p' pyproject.toml)
scripts/wheel-binary.sh maturin maturin "$version" 837db2f4d93d4899c3ac393fb3cc9eebf35b6002336e5d574f4a4fb6c49fe283
