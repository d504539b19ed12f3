# Every target sets up what it needs. PYTHON picks the interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
LOCK := $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links --quiet
KEEP ?=
# Each program is compiled once, whatever this shell was told: tests and demo start hundreds of them.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo screenshots clients web browser test test-all check bench bench-peers bench-serving bench-gaze docs lock clean

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(UV): requirements/uv.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Quadrat needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

$(VENV)/.base: $(UV) requirements/base.txt requirements/build.txt pyproject.toml
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/base.txt -r requirements/build.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.base requirements/dev.txt
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

.venvs/demo/.done: $(UV) requirements/demo.txt requirements/clients/lightly.txt
	$(UV) venv --quiet --clear --python $(BIN)/python .venvs/demo
	$(UV) pip install --quiet --python .venvs/demo/bin/python --require-hashes --no-deps \
		-r requirements/demo.txt -r requirements/clients/lightly.txt
	@touch $@

# The editable installation builds the pages when they are missing; this builds them again when their sources changed.
WEB := src/quadrat/webui/index.html
WEB_SOURCES := $(shell find web -path web/node_modules -prune -o -type f -print)

$(WEB): $(WEB_SOURCES) hatch_build.py | $(VENV)/.base
	$(BIN)/python hatch_build.py
	@touch $@

web: $(WEB)  ## Build the pages from web/

browser:  ## Chromium for the browser tests, with apt where there is none
	@tests/browser/chromium.sh

CLIENTS := ubiops ubiops-cli lightly pyecotaxa

.venvs/clients/%/.done: requirements/clients/%.txt | $(UV)
	$(UV) venv --quiet --clear --python $(BIN)/python $(@D)
	$(UV) pip install --quiet --python $(@D)/bin/python --require-hashes --no-deps -r $<
	@touch $@

clients: $(CLIENTS:%=.venvs/clients/%/.done)  ## One environment for each real client that the contract tests drive

PEERS := litserve mlserver bentoml cog ray

.venvs/bench/%/.done: requirements/bench/%.txt | $(UV)
	$(UV) venv --quiet --clear --python $(BIN)/python $(@D)
	$(UV) pip install --quiet --python $(@D)/bin/python --require-hashes --no-deps -r $<
	@touch $@

bench-peers: $(PEERS:%=.venvs/bench/%/.done)  ## One environment for each server that bench/serving compares with

bench-serving: $(VENV)/.dev bench-peers  ## Measure serving: beside its peers (needs wrk), batches, cold starts
	$(BIN)/python bench/serving/run.py
	$(BIN)/python bench/serving/batch.py
	$(BIN)/python bench/serving/cold.py

bench-gaze: $(VENV)/.dev .venvs/bench/gaze/.done  ## Measure statistics of gaze beside pandas and pymovements, and imports
	$(BIN)/python bench/gaze/statistics.py
	$(BIN)/python bench/gaze/imports.py

demo: $(VENV)/.base $(WEB) .venvs/demo/.done  ## Run the main job on real input (KEEP=1 leaves the server running)
	$(BIN)/python demo/run.py $(if $(KEEP),--keep)

check: $(VENV)/.dev $(WEB)  ## Format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/web/check.py

screenshots: $(VENV)/.dev $(WEB) .venvs/demo/.done browser  ## Run the demo and take the pictures of the README
	$(BIN)/python demo/screenshots.py

test: check clients browser  ## Checks and the test suite
	$(BIN)/pytest -n 2 --dist loadgroup -m "not slow and not external_pg"

test-all: check clients browser  ## All tests, the slow ones and an external PostgreSQL included
	$(BIN)/pytest -n 2 --dist loadgroup -m "not external_pg"
	tests/external_postgresql.sh $(BIN)/pytest

# What users install, without what developers need besides: some libraries load more where they find more.
.venvs/plain/.done: $(UV) $(WEB) requirements/base.txt requirements/build.txt pyproject.toml
	$(UV) venv --quiet --clear --python $(BIN)/python .venvs/plain
	$(UV) pip install --quiet --compile-bytecode --python .venvs/plain/bin/python --require-hashes -r requirements/base.txt \
		-r requirements/build.txt
	$(UV) pip install --quiet --python .venvs/plain/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

bench: .venvs/plain/.done $(VENV)/.dev browser bench-gaze  ## Measure what the documentation states
	.venvs/plain/bin/python bench/startup.py
	.venvs/plain/bin/python bench/pipelines/chain.py
	.venvs/plain/bin/python bench/platform/logs.py
	.venvs/plain/bin/python bench/objects/run.py
	$(BIN)/python bench/objects/import.py
	.venvs/plain/bin/python bench/objects/taxa.py
	.venvs/plain/bin/python bench/samples/million.py
	$(BIN)/python bench/web/run.py

docs: $(VENV)/.dev  ## Renew the generated pages
	$(BIN)/python docs/generate.py

lock: $(UV)  ## Renew the locked requirements
	$(LOCK) --extra umap pyproject.toml -o requirements/base.txt
	$(LOCK) --extra umap pyproject.toml requirements/dev.in -o requirements/dev.txt
	$(LOCK) requirements/build.in -o requirements/build.txt
	$(LOCK) requirements/uv.in -o requirements/uv.txt
	$(LOCK) requirements/clients/ubiops.in -o requirements/clients/ubiops.txt
	$(LOCK) --override requirements/clients/ubiops-cli.override requirements/clients/ubiops-cli.in \
		-o requirements/clients/ubiops-cli.txt
	$(LOCK) --no-deps requirements/clients/lightly.in -o requirements/clients/lightly.txt
	$(LOCK) requirements/clients/pyecotaxa.in -o requirements/clients/pyecotaxa.txt
	for peer in $(PEERS) gaze; do $(LOCK) requirements/bench/$$peer.in -o requirements/bench/$$peer.txt || exit 1; done
	$(LOCK) -c requirements/clients/lightly.txt requirements/demo.in -o requirements/demo.txt

clean:  ## Remove environments and caches
	rm -rf $(VENV) web/node_modules src/quadrat/webui .venvs .cache .mypy_cache .ruff_cache .pytest_cache dist build
