# Needs Python 3.11 or newer, make and a package index; everything else goes into .venv.
PYTHON ?= python3
ROUNDS ?= 10
ARGS ?=
DATA ?=

BIN := .venv/bin
STAMP := .venv/installed.stamp
PLUGINS := $(wildcard plugins/*/pyproject.toml)
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check --root-user-action=ignore -c constraints.txt
CACHES := .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
LINTED := $(wildcard core plugins benchmarks tests)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo screenshots check test test-long bench bench-long format docs clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

install: $(STAMP) ## make .venv with the package, the plugins and the tools in it

# hatchling goes in first: the packages are then built without isolation, from the pinned versions.
$(STAMP): pyproject.toml constraints.txt Makefile $(PLUGINS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Buttonhook needs Python 3.11 or newer; '$(PYTHON)' is not. Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "'$(PYTHON) -m venv' failed. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(PIP) hatchling editables
	@$(PIP) --no-build-isolation -e '.[dev]' $(patsubst %/pyproject.toml,-e ./%,$(PLUGINS))
	@touch $@

demo: install ## start a daemon to look at, on a throw-away database; ONCE=1: play a story and end
	@$(BIN)/buttonhook demo $(if $(ONCE),--once) $(ARGS)

screenshots: install ## pictures of the pages, on the demo's database: build/screenshots, and four in core/docs/pictures
	@$(BIN)/python -m tests.browser.screenshots build/screenshots --docs

check: install ## formatting, lint, types and floors; runs all four, fails if one did
	@failed=; \
	$(BIN)/ruff format --check $(LINTED) || failed="$$failed ruff-format"; \
	$(BIN)/ruff check $(LINTED) || failed="$$failed ruff-check"; \
	$(BIN)/mypy || failed="$$failed mypy"; \
	$(BIN)/lint-imports --no-logo || failed="$$failed lint-imports"; \
	test -z "$$failed" || { echo "failed:$$failed" >&2; exit 1; }

test: install ## run the tests; ARGS="tests/unit -k diffs" narrows them
	@$(BIN)/python -m pytest -q $(ARGS)

test-long: install ## the same tests with more rounds; ROUNDS=10
	@BUTTONHOOK_TEST_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -q $(ARGS)

bench: install ## the benchmarks' short forms, written to benchmarks/README.md; DATA=stream.jsonl.xz ARGS="--only dispatch"
	@$(BIN)/python -m benchmarks.suite $(if $(DATA),--data '$(DATA)') $(ARGS)

bench-long: install ## the million-row forms, written beside the short ones
	@$(BIN)/python -m benchmarks.suite --long $(ARGS)

format: install ## format and mend what ruff can mend
	@$(BIN)/ruff check --fix-only -q $(LINTED)
	@$(BIN)/ruff format $(LINTED)

docs: install ## write the tables of core/docs that are made from the code
	@$(BIN)/python -m tests.house.docs_tables

clean: ## remove .venv, caches and builds
	@rm -rf .venv benchmarks/.venvs dist build $(CACHES)
	@find $(LINTED) -name __pycache__ -type d -prune -exec rm -rf {} +
