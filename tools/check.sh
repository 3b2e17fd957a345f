#!/usr/bin/env bash
# Format, lint, types. Usage: check.sh BIN (the virtual environment's bin folder).
set -euo pipefail
bin=$(cd "$1" && pwd)
root=$(pwd)
"$bin/ruff" format --check .
"$bin/ruff" check .
# mypy does not follow the editable install of a package that is the repository root: give it a folder
# in which the package has its name.
links=$(mktemp -d)
trap 'rm -rf "$links"' EXIT
ln -s "$root" "$links/patchloom"
cd "$links"
"$bin/mypy" --config-file "$root/pyproject.toml" --cache-dir "$root/.mypy_cache" -p patchloom \
    --exclude '(^|/)(tests|\.venv|build)/'
