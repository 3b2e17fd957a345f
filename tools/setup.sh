#!/usr/bin/env bash
# Set up a checkout: Debian packages where they can be installed, then a virtual environment with the
# `patchloom` command. Usage: setup.sh PYTHON VENV PACKAGE...
# VENV/.patchloom-ready appears when nothing is missing; until then every call says what is.
set -euo pipefail
python=$1 venv=$2
shift 2
# What the packages provide, for systems that name them differently.
programs=(cc c++ make cmake arm-none-eabi-gcc arm-none-eabi-objdump qemu-system-arm riscv64-unknown-elf-gcc
    riscv64-unknown-elf-objdump qemu-system-riscv32 qemu-system-riscv64 espeak-ng)
missing=()

missing_packages() {
    missing=()
    local package
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
            missing+=("$package")
    done
}

# Debian and Ubuntu: installs `missing` as root or through sudo; false when that was not possible.
install_missing() {
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "you are not root, and sudo is not installed" >&2; return 1; }
        as_root=(sudo)
    fi
    echo "installing (about 0.5 GB to download, 3 GB on disk): ${missing[*]}"
    "${as_root[@]}" apt-get update -qq &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
    missing_packages "$@"
    if [ "${#missing[@]}" -gt 0 ]; then
        install_missing || true
        missing_packages "$@"
    fi
    if [ "${#missing[@]}" -gt 0 ]; then
        printf '%s\n' "Debian packages are missing. As root, run" "" \
            "    apt-get install --no-install-recommends ${missing[*]}" "" "and then make again." >&2
    fi
else
    for program in "${programs[@]}"; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    if [ "${#missing[@]}" -gt 0 ]; then
        echo "This is not Debian or Ubuntu; please install what provides: ${missing[*]}" >&2
    fi
fi

command -v "$python" >/dev/null ||
    { echo "$python is missing: patchloom needs Python 3.11 or newer, with venv" >&2; exit 2; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    { echo "$("$python" --version) is too old: patchloom needs 3.11 or newer" >&2; exit 2; }
# A virtual environment without pip is what a failed attempt leaves behind.
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    "$python" -m venv --clear "$venv" ||
        { echo "$python cannot make a virtual environment: its venv module is missing" >&2; exit 2; }
fi
if ! [ "$venv/.patchloom-installed" -nt pyproject.toml ]; then
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
    touch "$venv/.patchloom-installed"
fi

if [ "${#missing[@]}" -gt 0 ]; then
    echo "going on without: ${missing[*]}. What needs them says so, and its tests are skipped" \
        "(but most tests need a C compiler, cc)." >&2
else
    touch "$venv/.patchloom-ready"
fi
