# `make demo` and `make test` need Python 3.10 to 3.13 and the package index.
# They make .venv once, and again when a pinned version changes.
PYTHON ?= python3
TORCH ?= torch==2.13.0
# openmmlab, or onedl: its maintained forks. Not from the environment, where
# some shells have the machine's name.
HOST := openmmlab
WORKERS ?= 2

VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check
PINS := -c requirements/constraints.txt
STAMP := $(VENV)/.installed$(addprefix -,$(filter-out openmmlab,$(HOST)))
DOCS := $(VENV)/.docs

.PHONY: help demo test lint format docs notebook install clean
help:
	@echo "make demo     a trained network on a quarter of the pixels: measure, fine-tune, compare"
	@echo "make test     run the test suite; ARGS='-k name' for a part of it"
	@echo "make lint     check the style"
	@echo "make format   bring all files to it"
	@echo "make docs     build the documentation, docs/_build/html/index.html"
	@echo "make notebook run the notebook of the documentation, on the CPU"
	@echo "make install  make .venv only"
	@echo "make clean    remove .venv and everything else that was built"
	@echo "PYTHON=python3.12 and TORCH='torch==2.6.0' choose what .venv is made"
	@echo "with; to change them, make clean first. HOST=onedl, with every command,"
	@echo "installs the maintained forks instead of OpenMMLab's packages"

demo: $(STAMP)
	$(RUN) -m mmhires demo $(ARGS)

# Bytecode is kept, whatever the shell says: dozens of processes import the same.
test: $(STAMP)
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(RUN) -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

lint: $(STAMP)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check --quiet . || \
	  { echo "make format changes some files: run it" >&2; exit 1; }

format: $(STAMP)
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

docs: $(DOCS)
	$(RUN) -m sphinx --fail-on-warning --quiet -b html -c docs . docs/_build/html
	@echo "Look at it: docs/_build/html/index.html"

notebook: $(DOCS)
	PATH="$(abspath $(VENV)/bin):$$PATH" jupyter execute docs/notebooks/own_folder.ipynb

install: $(STAMP)

# Only `make docs` needs these.
$(DOCS): $(STAMP) requirements/docs.txt
	@$(RUN) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "the documentation needs Python 3.11 or later" >&2; exit 1; }
	$(PIP) install --only-binary=:all: $(PINS) -r requirements/docs.txt
	@touch $@

$(STAMP): setup.py requirements/$(HOST).txt $(wildcard requirements/*.txt)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null || \
	  { echo "mmhires needs Python 3.10 to 3.13; choose one with make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) has no venv module; on Debian: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
ifeq ($(origin TORCH),file)
	$(PIP) install --only-binary=:all: $(PINS) '$(TORCH)'
else
	$(PIP) install --only-binary=:all: '$(TORCH)'
endif
	$(PIP) install --only-binary=:all: $(PINS) -r requirements/runtime.txt \
	  -r requirements/deploy.txt -r requirements/openvino.txt \
	  -r requirements/video.txt -r requirements/dev.txt
	$(PIP) install --no-deps -r requirements/$(HOST).txt
	$(PIP) install --no-deps -r requirements/encoders.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info mmhires/.mim demo_out \
	  docs/_build docs/reference/generated .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
