# Everything a newcomer needs: `make demo` and `make test`. Python 3.11-3.13 and make are enough.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
ONNXRUNTIME ?= cpu

.PHONY: help install demo test lint types contract unit faults bundle docs clean

help:            ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"

$(VENV)/.installed: $(BIN)/python pyproject.toml
	@echo "installing (a minute or two) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(ONNXRUNTIME)]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed pyproject.toml
	@echo "installing what the tests need ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(ONNXRUNTIME),cluster,train]' --group dev
	@touch $@

install: $(VENV)/.installed  ## make .venv and install the agent (no torch)

demo: $(VENV)/.installed     ## one patient in, one report back: PACS, agent, results in demo/out
	@$(BIN)/python -m demo

test: lint types contract unit  ## everything that CI checks

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

contract: $(VENV)/.installed-dev
	$(BIN)/lint-imports

unit: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --cov --cov-report= $(PYTEST)
	$(BIN)/coverage combine --quiet --append 2>/dev/null || true
	$(BIN)/coverage report --skip-covered --fail-under=90
	$(BIN)/coverage report --include='agent/core/*' --fail-under=100 --skip-covered

faults: $(VENV)/.installed-dev  ## kill -9 at every declared boundary (three minutes)
	$(BIN)/python -m pytest -m "slow or not slow" tests/faults

bundle: $(VENV)/.installed-dev  ## train the demonstration bundle (15 minutes on 2 cores)
	$(BIN)/python -m models.fusion train
	$(BIN)/python -m models.fusion evaluate
	$(BIN)/python -m models.fusion export

docs: $(VENV)/.installed     ## render the pages that are made from the code
	for page in configuration states clinical_facts; do PYTHONPATH=. $(BIN)/python docs/make_$$page.py; done

clean:           ## remove what was built; var/ stays
	rm -rf $(VENV) demo/out build .mypy_cache .ruff_cache .pytest_cache .coverage*
