#!/usr/bin/env bash
# Prints the path of a Python of a version, from PATH or pyenv, that can create environments with pip. Fails where there is none.
#
# usage: find-python.sh <version, such as 3.13>
set -euo pipefail

shopt -s nullglob
for python in "$(command -v "python$1" || true)" "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/$1".*/bin/python; do
    # pyenv has a `python3.13` on PATH that fails unless that version is selected. Debian's Python may lack these modules.
    if [[ -n $python ]] && "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "$python"
        exit
    fi
done
exit 1
