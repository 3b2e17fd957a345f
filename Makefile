# Everything a fresh Debian 12 machine needs: `make demo` and `make test` do their own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
APT_PACKAGES := gcc g++ libc6-dev make cmake python3-venv libpython3-dev \
	gcc-arm-none-eabi libnewlib-arm-none-eabi binutils-arm-none-eabi qemu-system-arm \
	gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf qemu-system-misc espeak-ng
STAMP := $(VENV)/.patchloom-ready

setup: $(STAMP)

$(STAMP): pyproject.toml tools/setup.sh
	bash tools/setup.sh "$(PYTHON)" "$(VENV)" $(APT_PACKAGES)

demo: setup
	$(BIN)/python examples/okay_nabu/demo.py

test: setup
	bash tools/test.sh $(BIN)

check: setup
	bash tools/check.sh $(BIN)

bench: setup
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/profiles.py
	$(BIN)/python benchmarks/memory.py

.PHONY: setup demo test check bench
