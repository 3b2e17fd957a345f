#!/usr/bin/env bash
# All checks and tests. Usage: test.sh BIN (the virtual environment's bin folder).
set -euo pipefail
bash tools/check.sh "$1"
exec "$1/python" -m pytest -n 2 --dist worksteal tests
