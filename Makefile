# Two commands for a newcomer: `make demo` and `make test`. Both make .venv themselves.
# Wanted beforehand: Python 3.11 or newer, and make.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
JOBS ?= 2
LIVES ?= 200

FITS := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c '$(FITS)' 2>/dev/null && echo $$python && break; done)

.PHONY: audit demo dev docs test test-server check lint types imports pyright scenarios soak browser door spark mutation bench \
	clean
.DEFAULT_GOAL := test

demo: $(VENV)/.installed  ## one small month, from outage to credit
	@$(BIN)/keizoku demo

test: $(VENV)/.installed-test  ## every test but those in a browser, with monitors, with Node and on Spark
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not browser and not monitor and not node and not spark"

# the oldest major version that is supported: on Debian 12 apt-get install postgresql-15 puts its programs there
SERVER ?= /usr/lib/postgresql/15/bin
TESTS ?= -m database tests/integration
test-server: $(VENV)/.installed-test  ## the database's tests on a server made from SERVER's programs; TESTS chooses
	@$(BIN)/python -m tests.other_server $(SERVER) $(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(TESTS)

check: lint types imports docs test scenarios  ## everything but the browser

lint: $(VENV)/.installed-test
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .

types: $(VENV)/.installed-test
	@$(BIN)/mypy

imports: $(VENV)/.installed-test  ## who may import whom
	@$(BIN)/lint-imports

# from nothing, so that a page that is gone is gone; needs no network
docs: $(VENV)/.installed-test  ## the documentation as a site, with a reference made from docstrings
	@rm -rf build/docs build/doctrees
	@$(BIN)/python -m sphinx -W --keep-going --quiet -d build/doctrees docs build/docs
	@echo "build/docs/index.html"

# pyright is asked for here alone, and fetches itself at the first run
pyright: $(VENV)/.installed-test  ## what editors say; `make types` is what counts
	@$(PIP) pyright
	@$(BIN)/pyright

dev: $(VENV)/.installed-test  ## set up to work on Keizoku: everything, and the checks before each commit
	@$(PIP) pre-commit
	@$(BIN)/pre-commit install

# in a folder of its own, which the database's account may pass through when we are root
scenarios: $(VENV)/.installed-test
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && chmod 755 "$$folder" && \
	KEIZOKU_DATA_DIR=$$folder $(BIN)/keizoku scenario run tests/scenarios/*.yaml

# kills and nights say their figures (WRITE=--write keeps them in docs/); of the lives, about 10 s each, a failure
# prints the life, and the line that lives it again
NIGHTS ?= 200
KILLS ?= 100
POISON ?= 20
CALLS ?= 5000
COMMANDS ?= 5000
RESTORES ?= 100
QUARTERS ?= 5
ORDERS ?= 50
SEED ?= 5
WRITE ?=
soak: $(VENV)/.installed-test  ## random nights, kills, restores, poison, calls, commands, quarters, lives: make soak NIGHTS=200 POISON=50 SEED=7
	@$(BIN)/python -m tests.soak --nights $(NIGHTS) --kills $(KILLS) --poison $(POISON) --calls $(CALLS) \
		--commands $(COMMANDS) --restores $(RESTORES) --quarters $(QUARTERS) --orders $(ORDERS) --seed $(SEED) $(WRITE)
	@KEIZOKU_TEST_SOAK=$(LIVES) KEIZOKU_TEST_KILLS=all $(BIN)/python -m pytest -n $(JOBS) \
		tests/integration/night/test_lives.py tests/integration/night/test_missed_nights.py \
		tests/integration/web/test_killed_acts.py tests/integration/link/test_link_lives.py \
		tests/integration/link/test_link_killed.py

audit: $(VENV)/.installed-test  ## known vulnerabilities of the pinned versions, where their list can be reached
	@$(PIP) pip-audit
	@$(BIN)/python -m tests.known_vulnerabilities constraints.txt

browser: $(VENV)/.installed-browser  ## wants chromium and libreoffice-calc
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m browser tests/browser

door: $(VENV)/.installed-test $(VENV)/node/.installed  ## wants Node 18, npm and chromium: Spectral, Lighthouse, and the clients in examples/http
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal -m node tests/node

$(VENV)/node/.installed: tests/node/package.json tests/node/package-lock.json
	@mkdir -p $(VENV)/node && cp tests/node/package*.json $(VENV)/node/
	@cd $(VENV)/node && npm ci --no-audit --no-fund --ignore-scripts --silent && touch .installed

spark: $(VENV)/.installed-spark  ## wants Java 17; a real Spark with two workers on this machine
	@$(BIN)/python -m pytest -m spark tests/spark

# two hours of a machine that does nothing else; CASES=quorum for one of them, SIZE=large for half an hour more
CASES ?=
SIZE ?= ordinary
bench: $(VENV)/.installed-bench
	@$(BIN)/python -m tests.benchmarks.run $(CASES) --size $(SIZE)

# mutmut is asked for here alone: nothing else wants it
mutation: $(VENV)/.installed-test  ## mutants of what decides that no unit test notices; minutes
	@$(PIP) mutmut
	@$(BIN)/mutmut run --max-children $(JOBS) && $(BIN)/mutmut results

clean:
	@rm -rf $(VENV) build dist docs/reference/calls *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Keizoku needs Python 3.11 or newer; found: $$(python3 --version 2>&1)" >&2; \
		echo "(another one: make PYTHON=/path/to/python3.12)" >&2; exit 1; }
	@$(PYTHON) -c '$(FITS)' || { echo "$(PYTHON) is older than Python 3.11" >&2; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)" >&2
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "no virtual environment could be made; on Debian: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.installed: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing Keizoku into $(VENV)" >&2
	@$(PIP) --editable '.[all]'
	@touch $@

$(VENV)/.installed-test: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing Keizoku and what its tests want into $(VENV)" >&2
	@$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-browser: $(VENV)/.installed-test
	@$(PIP) --editable '.[test,browser]'
	@touch $@

# some 450 MB; apart from the others, because nothing else wants it
$(VENV)/.installed-spark: $(VENV)/.installed-test
	@echo "installing pyspark" >&2
	@$(PIP) --editable '.[test,spark]'
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed-test
	@$(PIP) --editable '.[test,bench]'
	@touch $@
