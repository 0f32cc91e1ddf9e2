# `make` alone prints what there is. Needs make, a Python >= 3.11 and a package index.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# the first that is new enough and can make environments; `make PYTHON=/path/to/python` overrides
PYTHONS := $(if $(PYTHON),$(PYTHON),python3.13 python3.12 python3.11 python3 python)
CAN_DO := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
# more words for pytest: `make test ARGS="-k passk"`
ARGS :=

.DEFAULT_GOAL := help
.PHONY: help setup develop benchmark test check format map clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/installed ## make an environment in .venv and install crucible into it

develop: $(VENV)/developing ## the same, with what tests and checks need

benchmark: setup ## benchmark a model on the real HumanEval; a toy where no server answers
	@$(BIN)/crucible benchmark

test: develop ## run every test; brings its own Redis and Postgres
	@# in the order of the folders, which begins with the longest files: what waits most must not come last
	@$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

check: develop ## formatting, lint, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: develop ## format the code and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

map: develop ## write the README's map from the modules' docstrings
	$(BIN)/python tests/readme_map.py

clean: ## remove the environment and every cache
	rm -rf $(VENV) .*_cache .hypothesis build dist

# files, so that nothing is installed twice; a changed pyproject.toml installs again
$(VENV)/installed: pyproject.toml | $(BIN)/python
	@echo "installing crucible into $(VENV) (about a minute)" >&2
	@$(PIP) --editable .
	@touch $@

$(VENV)/developing: pyproject.toml | $(BIN)/python
	@echo "installing crucible and what its tests need into $(VENV) (about a minute)" >&2
	@$(PIP) --editable '.[test,check]'
	@$(BIN)/python tests/browser.py
	@touch $@ $(VENV)/installed

$(BIN)/python:
	@for python in $(PYTHONS); do \
		if "$$python" -c '$(CAN_DO)' 2>/dev/null; then \
			rm -rf $(VENV) && exec "$$python" -m venv $(VENV); \
		fi; \
	done; \
	echo "no Python >= 3.11 with venv was found (tried: $(PYTHONS))" >&2; \
	echo "hint: install python3.11 or newer (Debian and Ubuntu: also python3-venv), or name one:" >&2; \
	echo "      make PYTHON=/path/to/python" >&2; \
	exit 1
