# Everything a newcomer needs: `make demo` and `make test`. Linux, Python 3.11-3.13 with venv, make, and a package index.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
ONNXRUNTIME ?= cpu
EXTRAS ?=
comma := ,
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
INSTALLED := $(VENV)/.installed-$(ONNXRUNTIME)$(if $(EXTRAS),-$(subst $(comma),-,$(EXTRAS)))
unexport PYTHONDONTWRITEBYTECODE  # the images of containers set it; the suite and the demo start hundreds of processes
OTHER := $(if $(filter gpu,$(ONNXRUNTIME)),onnxruntime,onnxruntime-gpu)

.PHONY: help install demo test lint types contract core models unit coverage viewer faults faults-cases faults-deliver faults-receive slow fuzz \
	bundle models-tables bench-bundle bench-assemble bench-send bench-report bench-flood bench-receive docs clean

help:            ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=/path/to/python"; exit 1; }
	@rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Debian: apt install python3-venv"; exit 1; }
	$(PIP) "pip>=25.1"
	@touch $@

$(INSTALLED): $(VENV)/.made pyproject.toml
	@echo "installing (a minute or two) ..."
	@$(BIN)/python -m pip uninstall --quiet --yes $(OTHER) 2>/dev/null; rm -f $(VENV)/.installed-*
	$(PIP) --editable '.[$(ONNXRUNTIME)$(if $(EXTRAS),$(comma)$(EXTRAS))]'
	@touch $@

# torch by its exact version first: asked for in one go, pip may take a newer build with gigabytes of CUDA
$(VENV)/.installed-dev: $(INSTALLED) pyproject.toml
	@echo "installing what the tests need ..."
	$(PIP) torch==2.13.0
	$(PIP) --editable '.[$(ONNXRUNTIME),cluster,train]' --group dev
	@touch $@

install: $(INSTALLED)        ## make .venv and install the agent (no torch); ONNXRUNTIME=gpu, EXTRAS=cluster

demo: $(INSTALLED)           ## patients in, reports back: a PACS, the agent, results in demo/out
	@$(BIN)/python -m demo

test: $(VENV)/.installed-dev  ## everything that CI checks
	@$(MAKE) --no-print-directory --jobs=2 lint types contract core models  # mypy has one processor alone
	@$(MAKE) --no-print-directory unit

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

contract: $(VENV)/.installed-dev
	$(BIN)/lint-imports

core: $(VENV)/.installed-dev  # every branch of it, by its own tests
	$(BIN)/python -m pytest tests/unit/core -n 2 --cov=agent/core --cov-branch --cov-report=term:skip-covered --cov-fail-under=100

models: $(VENV)/.installed-dev  # by themselves: they alone import torch, which costs each worker seconds and 450 MB
	$(BIN)/python -m pytest tests/models -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST)

unit: $(VENV)/.installed-dev  # two workers more than two cores ask for, since many tests wait for processes
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder --ignore=tests/unit/core --ignore=tests/models $(PYTEST)

coverage: $(VENV)/.installed-dev  ## how much of the agent the suite's own processes cover: being traced doubles its time
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report= $(PYTEST)
	$(BIN)/coverage report --skip-covered --fail-under=90

viewer: $(VENV)/.installed-dev  ## what a radiologist sees: every case in OHIF; screenshots in build/viewer/shots
	@tests/viewer/get_tools.sh build/viewer
	$(BIN)/python -m pytest tests/viewer -m "slow or not slow" $(PYTEST)

faults: $(VENV)/.installed-dev  ## kill -9 at every boundary and 200 times at random (35 minutes); SEED=n repeats a run
	@$(BIN)/python -m tests.faults $(if $(SEED),--seed $(SEED))

faults-cases: $(VENV)/.installed-dev  ## 10,000 random histories of patients, each in three orders (20 minutes); SEED=n COUNT=1 repeats one
	@$(BIN)/python -m tests.faults.cases $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT))

faults-deliver: $(VENV)/.installed-dev  ## kill -9 500 times while results are on their way to a PACS that is late (15 minutes); SEED=n repeats a run
	@$(BIN)/python -m tests.faults.deliver $(if $(SEED),--seed $(SEED))

faults-receive: $(VENV)/.installed-dev  ## what was acknowledged is there: kills, failing calls, power losses, full disks (minutes); SEED=n repeats it
	@$(BIN)/python -m tests.faults.receive $(if $(SEED),--seed $(SEED))

slow: $(VENV)/.installed-dev  ## what the suite leaves out for its time (minutes)
	$(BIN)/python -m pytest -m slow $(PYTEST)

fuzz: $(VENV)/.installed-dev  ## any bytes against the parsers, guided where atheris has a wheel; SECONDS=3600
	@$(BIN)/python -m tests.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

bundle: $(VENV)/.installed-dev  ## train the demonstration bundle (half an hour on 2 cores)
	$(BIN)/python -m models.fusion train
	$(BIN)/python -m models.fusion evaluate
	$(BIN)/python -m models.fusion export

models-tables: $(VENV)/.installed-dev  ## every system on the public tables, results, figures and the served bundle (an hour on 2 cores)
	@OMP_NUM_THREADS=1 $(BIN)/python -m models.tabular all $(MODELS)

bench-bundle: $(INSTALLED)   ## score the committed bundle on 2,000 fresh synthetic patients (a few minutes)
	@$(BIN)/python -m bench.bundle $(BENCH)

bench-assemble: $(INSTALLED) ## index, wait and grow: images a second, and cost with 100,000 finished cases (10 minutes, 3 GB below var)
	@$(BIN)/python -m bench.assemble $(BENCH)

bench-send: $(INSTALLED)     ## what one association, and eight objects at once, save (seconds)
	@$(BIN)/python -m bench.sending $(BENCH)

bench-report: $(INSTALLED)   ## what SRs, text and captures of four full-size mammograms cost, and of door-to-PACS (minutes)
	@$(BIN)/python -m bench.report $(BENCH)

bench-flood: $(INSTALLED)    ## a C-ECHO while 1,000 idle connections and 200 associations flood the receiver (a minute)
	@$(BIN)/python -m bench.flood $(BENCH)

bench-receive: $(VENV)/.installed-dev  ## the receiver beside storescp and Orthanc, on this disk (20 minutes)
	@$(BIN)/python -m bench.receive $(BENCH)

docs: $(INSTALLED)           ## render the pages that are made from the code
	set -e; for page in configuration states clinical_facts roles conformance; do PYTHONPATH=. $(BIN)/python docs/make_$$page.py; done

clean:           ## remove what was built; var/ stays
	rm -rf $(VENV) demo/out build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
