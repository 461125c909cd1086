# `make run` and `make test` are the two commands; `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help run once gpu-check test lint format check install clean

help:  ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

run: .venv/installed  ## start the service in the foreground, with config.toml
	@$(BIN)/qrossover run

once: .venv/installed  ## one pass over every probe, then exit
	@$(BIN)/qrossover once

gpu-check: .venv/installed  ## run every canary on a real GPU, twice, and keep what it measured
	@$(BIN)/python benchmarks/gpu_check.py

test: .venv/installed-dev  ## the whole test suite
	@$(BIN)/python -m pytest --numprocesses 3 --dist worksteal

lint: .venv/installed-dev  ## every static check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: .venv/installed-dev  ## put the code in its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

check: lint test  ## lint and test: the law before every commit

install: .venv/installed  ## the environment alone

# The lock is used as constraints: every version is exact, and pip still takes what a platform's
# own build of torch asks for (its CUDA wheels need packages that its CPU wheels do not list).
.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Qrossover needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing into .venv (a few minutes the first time) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
	  { rm -rf .venv; echo "$(PYTHON) cannot make virtual environments here. On Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable .
	@touch $@

.venv/installed-dev: .venv/installed
	@echo "Installing the tools for tests and checks ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev]'
	@touch $@

clean:  ## remove the environment and the caches (var/, with the history, stays)
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
