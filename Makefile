# Bare `make` lists the targets. Everything works offline once the packages are installed.
PYTHON ?= python3
ENGINE ?= embedded
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo dev test check fmt proto golden torch test-torch lock bench clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort | expand -t 14

$(BIN)/python:
	@echo "creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 10) <= sys.version_info[:2] <= (3, 13) else "hybridrank needs Python 3.10 to 3.13: make PYTHON=/path/to/python3.12")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.lock pyproject.toml | $(BIN)/python
	@echo "installing the packages of requirements/runtime.lock"
	@$(PIP) --progress-bar on --require-hashes --no-deps -r requirements/runtime.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.runtime
	@echo "installing the packages of requirements/dev.lock"
	@$(PIP) --require-hashes --no-deps -r requirements/dev.lock
	@touch $@

$(VENV)/.torch: requirements/train.lock $(VENV)/.dev
	@echo "installing the packages of requirements/train.lock (large)"
	@$(PIP) --require-hashes --no-deps -r requirements/train.lock
	@touch $@

demo: $(VENV)/.runtime  ## hybrid search with reranking over Python's own documentation (ENGINE=embedded|opensearch|elasticsearch)
	@$(BIN)/hybridrank demo --engine $(ENGINE)

dev: $(VENV)/.dev  ## the virtual environment with everything the tests need

test: $(VENV)/.dev  ## all tests, live engines included (torch not needed)
	@$(BIN)/python -m pytest -m "not torch"

test-torch: $(VENV)/.torch  ## the tests that compare with torch and transformers
	@$(BIN)/python -m pytest -m torch

check: $(VENV)/.dev  ## ruff, mypy, import-linter, generated stubs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m tests.stubs --check

fmt: $(VENV)/.dev  ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

proto: $(VENV)/.dev  ## generate the gRPC stubs
	@$(BIN)/python -m tests.stubs

golden: $(VENV)/.torch  ## rewrite the golden files with torch, then show what changed
	@$(BIN)/python -m tests.golden.rewrite
	@git --no-pager diff --stat -- tests/golden

lock:  ## resolve the lock files anew
	@sh requirements/compile.sh

clean:  ## remove the virtual environment and what the tools left behind
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
