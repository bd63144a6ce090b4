# make run    set up and open the app (without a terminal: the headless tour)
# make test   set up and run the tests, without the slow ones; make test-all runs every test, as CI does
# make check  set up and run ruff, the types and the import contracts
# make docs   set up and build the documentation into build/site; fails on a warning or a broken link
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet

.PHONY: run install data test test-all check format docs docs-serve bench bench-compare clean

run: install data
	@if [ -t 1 ]; then $(BIN)/cftui; else $(BIN)/cftui tour; fi

install: $(VENV)/.installed

data: $(VENV)/.installed
	@$(BIN)/cftui data get ml-100k >/dev/null

# Every worker trains the models that its tests share, so more than a few only get in each other's way.
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# More for pytest: make test PYTEST_ARGS=--durations=20
PYTEST_ARGS ?=

test: $(VENV)/.installed-test data
	$(PYTEST) -m "not slow" $(PYTEST_ARGS)

test-all: $(VENV)/.installed-test data
	$(PYTEST) $(PYTEST_ARGS)

check: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Material for MkDocs prints a banner about its successor at every build.
docs docs-serve: export NO_MKDOCS_2_WARNING = 1

docs: $(VENV)/.installed-docs
	$(BIN)/mkdocs build --strict

docs-serve: $(VENV)/.installed-docs
	$(BIN)/mkdocs serve

bench: $(VENV)/.installed-test data
	$(BIN)/python benchmarks/accuracy.py

bench-compare: $(VENV)/.installed-bench data
	$(BIN)/python benchmarks/compare.py

clean:
	rm -rf $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "installing into $(VENV) (PyTorch is large: a minute or more the first time)" >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "cftui needs Python 3.11 or newer; this is `$(PYTHON) --version`. Try: make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --constraint constraints.txt --editable '.[pictures]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@$(PIP) install --constraint constraints.txt --editable '.[test]'
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	@$(PIP) install --constraint constraints.txt --editable '.[docs]'
	@touch $@

$(VENV)/.installed-bench: $(VENV)/.installed
	@$(PIP) install --constraint constraints.txt --editable '.[bench]'
	@touch $@
