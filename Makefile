# Bare `make` lists the targets. Everything works offline once the packages are installed.
PYTHON ?= python3
ENGINE ?= embedded
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo dev test test-torch test-large test-wheel check check-chart fmt proto families golden chaos bench-sidecar bench-peers bench-overload bench-soak bench-rerankers bench-engines lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort | expand -t 14

$(VENV)/.runtime $(VENV)/.dev $(VENV)/.train: $(VENV)/.%: requirements/%.lock pyproject.toml requirements/install.py
	@$(PYTHON) requirements/install.py $*

demo: $(VENV)/.runtime  ## hybrid search with reranking over Python's own documentation (ENGINE=embedded|opensearch|elasticsearch)
	@$(BIN)/hybridrank demo --engine $(ENGINE)

dev: $(VENV)/.dev  ## the virtual environment with everything the tests need

# What needs the whole machine runs alone: servers, and answers near a deadline. The rest runs in two processes.
TIMED := tests/connector/test_bad_days.py tests/connector/test_forks.py $(addprefix tests/sidecar/test_,lambdamart.py soak.py windows.py)
ALONE := tests/live tests/local_engines $(TIMED)
PLAIN := -m "not torch and not chart and not wheel and not large"

test: $(VENV)/.dev  ## all tests, live engines included (torch not needed)
	@$(BIN)/python -m pytest $(PLAIN) -n 2 --dist loadfile $(addprefix --ignore=,$(ALONE))
	@$(BIN)/python -m pytest $(PLAIN) $(ALONE)

test-torch: $(VENV)/.train  ## the tests that compare with torch and transformers
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m torch -n 2 --dist loadfile

test-large: $(VENV)/.train  ## the largest models, at their real size: 10 minutes, 8 GB of memory, 12 GB of disk (before a release)
	@$(BIN)/python -m pytest -m large tests/training/test_large_models.py

test-wheel: $(VENV)/.dev  ## the wheel with each extra in fresh environments, on every Python at hand (packages are downloaded once)
	@$(BIN)/python -m pytest -m wheel tests/wheel

check: $(VENV)/.dev  ## ruff, mypy, import-linter, hadolint, structure, generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/hadolint docker/*.Dockerfile
	@$(BIN)/python -m tests.structure
	@$(BIN)/python -m tests.stubs --check
	@$(BIN)/python -m tests.training.families.write --check

check-chart: $(VENV)/.dev  ## the Helm chart under helm and kubeconform, compose files by their schema (needs Go; minutes the first time)
	@$(BIN)/python -m tests.docker.tools
	@$(BIN)/python -m pytest -m chart tests/docker

fmt: $(VENV)/.dev  ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

proto: $(VENV)/.dev  ## generate the gRPC stubs
	@$(BIN)/python -m tests.stubs

families: $(VENV)/.dev  ## write the matrix of families of checkpoints, for docs and command line
	@$(BIN)/python -m tests.training.families.write

golden: $(VENV)/.train  ## rewrite the golden files with torch, then show what changed
	@$(BIN)/python -m tests.golden.rewrite
	@git --no-pager diff --stat -- tests/golden

chaos: $(VENV)/.dev  ## three nodes of each server, ten of which go and come back under searches and writes (10 minutes)
	@HYBRIDRANK_CHAOS_TURNS=10 HYBRIDRANK_FRESH=1 $(BIN)/python -m pytest -s tests/live/test_chaos.py

bench-sidecar: $(VENV)/.dev  ## the sidecar's throughput and int8's quality beside its peers (COLLECTION=DIR [PEERS=DIR])
	@$(BIN)/python -m benchmarks.sidecar_throughput --collection $(COLLECTION) $(if $(PEERS),--peers $(PEERS))
	@$(if $(PEERS),$(BIN)/python -m benchmarks.sidecar_quality --collection $(COLLECTION) --fp32-model $(PEERS)/fp32-onnx)

bench-peers: $(VENV)/.train  ## the peers of bench-sidecar, each in an environment of its own (PEERS=DIR, 12 GB)
	@sh benchmarks/peers/build.sh $(BIN)/python $(PEERS)

bench-overload: $(VENV)/.dev  ## ten times what the sidecar can do, for a minute (COLLECTION=DIR)
	@$(BIN)/python -m benchmarks.sidecar_overload --collection $(COLLECTION)

bench-soak: $(VENV)/.dev  ## half an hour of mixed load with a model replaced every minute (COLLECTION=DIR)
	@$(BIN)/python -m benchmarks.sidecar_soak --collection $(COLLECTION)

bench-rerankers: $(VENV)/.dev  ## rerankers through the sidecar beside the libraries that compute them ([COLLECTION=DIR] [PEERS=DIR] [CHECKPOINT=DIR EXPORTED=DIR])
	@$(BIN)/python -m benchmarks.rerankers $(if $(PEERS),--peers $(PEERS)) $(if $(COLLECTION),--collection $(COLLECTION)) \
		$(if $(CHECKPOINT),--checkpoint $(CHECKPOINT)) $(if $(EXPORTED),--exported $(EXPORTED))

bench-engines: $(VENV)/.dev  ## the library beside OpenSearch's own pipelines, their nDCG@10 and their latency (COLLECTION=DIR)
	@$(BIN)/python -m benchmarks.engine_pipelines --collection $(COLLECTION)
	@$(BIN)/python -m benchmarks.engine_latency --collection $(COLLECTION)

lock:  ## resolve the lock files anew
	@sh requirements/compile.sh

clean:  ## remove the virtual environment and what the tools left behind
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
