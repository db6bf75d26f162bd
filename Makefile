# One line each: `make` lists the targets. Everything lives in .venv; nothing is installed outside it.

PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11 python,$(shell \
	$(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= auto
ARGS ?=

PIP := $(BIN)/python -m pip --disable-pip-version-check -qq --no-input
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 8 --dist loadfile
SOURCES := pyproject.toml requirements.lock

# Each stamp says that a set of packages was installed after its sources last changed.
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
BENCH := $(VENV)/.bench

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help env run test test-slow chaos soak check fix neural bench lock clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-16s %s\n", $$1, $$2}'

env: $(DEV) ## Make .venv and install everything that work on vpp needs
	@echo "$(VENV) is ready"

run: $(RUNTIME) ## Start the built-in plant and its page (ARGS="--speed 60" passes options on)
	@$(BIN)/vpp up $(ARGS)

test: $(DEV) ## Install and run every test that takes less than minutes (ARGS="-k storage" passes options on)
	@$(PYTEST) -m "not slow" $(ARGS)

test-slow: $(DEV) ## Run the tests that take minutes
	@$(PYTEST) -m slow $(ARGS)

chaos: $(DEV) ## Kill, cut and freeze every part of the data plane twenty times under load
	@$(PYTEST) -m slow tests/e2e --ignore tests/e2e/test_soak.py $(ARGS)

soak: $(DEV) ## A day of data in a minute: memory and open files (VPP_SOAK_HOURS=240 for ten days)
	@$(BIN)/python -m pytest -m slow tests/e2e/test_soak.py -s $(ARGS)

check: $(DEV) ## Lint, format, types, import rules, house rules; changes nothing
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest --quiet tests/unit/test_house.py

fix: $(DEV) ## Repair what ruff can repair
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

neural: $(DEV) ## Add PyTorch to .venv, for N-BEATS and LSTM
	@$(PIP) install --editable '.[neural]'

bench: $(BENCH) ## Measure and write benchmarks/RESULTS.md (ARGS="--only startup" for one)
	@$(BIN)/python -m benchmarks $(ARGS)

lock: $(BIN)/python ## Pin every dependency anew in requirements.lock (ARGS="--upgrade" for the newest)
	@$(PIP) install uv
	@$(BIN)/uv pip compile pyproject.toml --extra dev --extra bench --universal --python-version 3.11 \
		--fork-strategy fewest --strip-extras --no-annotate --no-emit-index-url --no-emit-find-links --quiet \
		--custom-compile-command "make lock" --output-file requirements.lock $(ARGS) >/dev/null
	@echo "requirements.lock: $$(grep -c == requirements.lock) packages pinned"

clean: ## Remove .venv and everything that tools left behind
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	@find src tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "vpp needs Python 3.11 or newer, and none was found on the PATH." >&2; \
		echo "Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "vpp needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(RUNTIME): $(SOURCES) | $(BIN)/python
	@echo "installing vpp into $(VENV)"
	@$(PIP) install --constraint requirements.lock --editable .
	@touch $@

$(DEV): $(SOURCES) | $(BIN)/python
	@echo "installing vpp and its tools into $(VENV)"
	@$(PIP) install --constraint requirements.lock --editable '.[dev]'
	@touch $(RUNTIME) $@

$(BENCH): $(SOURCES) | $(BIN)/python
	@echo "installing vpp, its tools and the packages it is measured against into $(VENV)"
	@$(PIP) install --constraint requirements.lock --editable '.[dev,bench]'
	@touch $(RUNTIME) $(DEV) $@
