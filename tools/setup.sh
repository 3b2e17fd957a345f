#!/usr/bin/env bash
# Set up a checkout: Debian packages where apt-get is there to install them, then a virtual environment
# with the `patchloom` command. Usage: setup.sh PYTHON VENV PACKAGE...
set -euo pipefail
python=$1 venv=$2
shift 2

missing=()
for package in "$@"; do
    if ! dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed'; then
        missing+=("$package")
    fi
done

if [ "${#missing[@]}" -gt 0 ]; then
    if ! command -v apt-get >/dev/null; then
        echo "This is not Debian or Ubuntu: please install what provides: ${missing[*]}" >&2
    else
        sudo=()
        [ "$(id -u)" -eq 0 ] || sudo=(sudo)
        echo "installing ${missing[*]}"
        "${sudo[@]}" apt-get update -qq
        DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    fi
fi

command -v "$python" >/dev/null || { echo "python3 is missing; patchloom needs Python 3.11 or newer" >&2; exit 2; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    { echo "$("$python" --version) is too old; patchloom needs 3.11 or newer" >&2; exit 2; }
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
