# The commands a newcomer and CI use. Needs only Python 3.11+, venv and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALL ?= $(PIP) install
DEFAULT := $(VENV)/.default-$(shell cksum < requirements/default.txt | cut -d' ' -f1)
DEV := $(VENV)/.dev-$(shell cksum < requirements/dev.txt | cut -d' ' -f1)

MINUTES ?= 60

.PHONY: help environment demo test test-slow hunt coverage check check-style check-types check-pages check-examples fix bench docs lock clean

help:  ## what the commands do
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | sort

environment: $(DEV)  ## set up .venv

demo: $(DEFAULT)  ## the whole loop on simulated payments, then the web UI
	@$(BIN)/penstock demo

test: $(DEV)  ## the tests, with the same random draws each time; in minutes
	@$(BIN)/python -m compileall -q src  # the commands that tests start need not each compile it
	@$(BIN)/python -m pytest -n 4 --dist worksteal -q -m "not slow"  # on two cores: half of it waits

test-slow: $(DEV)  ## whole pages, stories and tables, kills and clusters: what CI runs besides
	@$(BIN)/python -m compileall -q src
	@$(BIN)/python -m pytest -n 3 --dist worksteal -q -m slow

hunt: $(DEV)  ## random tests with new draws, for MINUTES=60; prints how to repeat a finding
	@$(BIN)/python -m compileall -q src
	@$(BIN)/python tests/hunt.py --minutes $(MINUTES)

coverage: $(DEV)  ## all tests, with the lines that none reaches; takes twice as long
	@$(BIN)/python -m compileall -q src
	@$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term:skip-covered -q

check: check-style check-types check-pages check-examples  ## format, lint, types, imports, docs and the examples of docstrings

check-style: $(DEV)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports

check-types: $(DEV)
	@$(BIN)/mypy

check-pages: $(DEV)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --site-dir site

check-examples: $(DEV)
	@$(BIN)/python -m pytest -q -n 2 tests/docs/test_doctests.py

fix: $(DEV)  ## format, and apply automatic fixes
	@$(BIN)/ruff check --fix --unsafe-fixes .
	@$(BIN)/ruff format .

bench: $(DEV)  ## measure every figure into benchmarks/RESULTS.md
	@$(BIN)/python benchmarks/run_all.py

docs: $(DEV)  ## serve the documentation
	@$(BIN)/python -m mkdocs serve

lock: $(DEV)  ## resolve requirements/*.txt anew (hashes, no registry addresses)
	@$(PIP) install uv
	@$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	  --no-annotate --custom-compile-command "make lock" --quiet -o requirements/default.txt
	@$(BIN)/uv pip compile pyproject.toml $(patsubst %,--extra %,pandas boosters search postgres s3 files sql duckdb kafka delta iceberg redis people pickle media gpu) --group dev --universal --no-strip-extras \
	  --python-version 3.11 --generate-hashes --no-annotate \
	  --custom-compile-command "make lock" --quiet -o requirements/dev.txt

clean:  ## remove what was set up
	@rm -rf $(VENV) site

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "penstock needs Python 3.11 or newer; $$($(PYTHON) --version) was found. Name another: make PYTHON=python3.12 …"; exit 2; }
	@echo "Setting up $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(DEFAULT): $(VENV)/bin/python requirements/default.txt
	@echo "Installing penstock (about 50 packages, a minute or two) …"
	@$(INSTALL) --require-hashes -r requirements/default.txt
	@$(INSTALL) --no-deps -e .
	@touch $@

$(DEV): $(VENV)/bin/python requirements/dev.txt
	@echo "Installing penstock and its development tools (about 100 packages) …"
	@$(INSTALL) --require-hashes -r requirements/dev.txt
	@$(INSTALL) --no-deps -e .
	@touch $@
