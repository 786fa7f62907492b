# The two commands: `make demo` and `make test`. Each does all of its own set-up, once.
#
# What the set-up makes lies in .venv and is made again when a lock file or pyproject.toml changes.
# Variables: PYTHON (an interpreter), VENV (the environment's folder), ARGS (given to the command).

.DEFAULT_GOAL := help
VENV ?= .venv
BIN := $(VENV)/bin
CODE := $(wildcard output schemas sources features online_models data_quality nudges engine streams sinks notifier grafana console evaluation local cli examples tests benchmarks)
CHECKS := check-format check-lint check-types check-generated check-rules
GENERATORS := schemas.export cli.feature_table cli.document grafana.build
PURE_TESTS := $(wildcard $(addprefix tests/,schemas features data_quality online_models nudges output) tests/engine/batch tests/engine/day tests/engine/state)
INSTALL := -m pip install --quiet --disable-pip-version-check --no-input
PIP := $(BIN)/python $(INSTALL)
UV := uv==0.13.9
COMPILE := .venv-lock/bin/uv --no-config pip compile --quiet --universal --python-version 3.11 \
	--fork-strategy fewest --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
	$(if $(UPGRADE),--upgrade)

export PYTHONUTF8 := 1

ifneq ($(realpath $(dir $(firstword $(MAKEFILE_LIST)))),$(realpath .))  # what is made and removed lies beside it
$(error run make in the folder of homeroom's Makefile, or as make -C FOLDER)
endif

.PHONY: digest help demo test dist check quick $(CHECKS) format bench tables lock setup setup-dev clean

help:  ## this list
	@echo "homeroom: make demo shows it, make test proves it. Python 3.11 to 3.13 is all they need."
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|' 2>/dev/null \
		|| grep -E '^[a-z-]+:.*## ' Makefile

demo: setup  ## a simulated term through broker, worker and store, in about two minutes
	@$(BIN)/homeroom demo $(ARGS)

test: setup-dev  ## every test; real Apache Kafka where Java and Maven are there (ARGS="-k name")
	@$(BIN)/python -m pytest $(or $(ARGS),-n auto --maxprocesses 4 --dist loadfile --durations 40)

check: setup-dev  ## format, lint, types, import rules, generated files up to date
	@set -e; for step in $(CHECKS); do echo "check: $${step#check-}"; $(MAKE) --silent $$step; done

check-format: setup-dev
	@$(BIN)/ruff format --quiet --check . || { echo "check: run make format"; exit 1; }

check-lint: setup-dev
	@$(BIN)/ruff check --quiet .

check-types: setup-dev
	@$(BIN)/mypy --no-error-summary $(CODE)

check-generated: setup-dev
	@set -e; for module in $(GENERATORS); do $(BIN)/python -m $$module --check; done

check-rules: setup-dev
	@$(BIN)/python -m pytest -q tests/test_imports.py tests/test_repository.py

quick: check  ## the quick part, in minutes: check, and the tests of the pure packages
	@$(BIN)/python -m pytest -q $(PURE_TESTS) $(ARGS)

format: setup-dev  ## format the code, sort its imports, write the generated files anew
	@$(BIN)/ruff check --quiet --fix-only . && $(BIN)/ruff format --quiet .
	@set -e; for module in $(GENERATORS); do $(BIN)/python -m $$module; done

digest: setup-dev  ## hashes of all that a replay gives out, to hold a change of structure against
	@$(BIN)/python -m benchmarks.replay_digest $(ARGS)

bench: setup .venv-bench/ready  ## events a second against the floor, plain Faust and Quix Streams
	@HOMEROOM_BENCH_PYTHON=.venv-bench/bin/python $(BIN)/python -m benchmarks.throughput $(ARGS)

TEST ?= 2014B
override TABLES := build/tables

tables: setup-dev  ## docs/evaluation-tables.md anew, from real learners: OULAD=DIR; half an hour on two cores
	@test -n "$(OULAD)" || { echo "tables: name the folder of the data: make tables OULAD=DIR" >&2; exit 1; }
	@$(BIN)/homeroom evaluate --oulad "$(OULAD)" --test $(TEST) --out $(TABLES)/estimates.parquet \
		--report $(TABLES)/evaluate.html --json $(TABLES)/evaluate.json --baselines --force
	@$(BIN)/homeroom fairness --oulad "$(OULAD)" --estimates $(TABLES)/estimates.parquet \
		--report $(TABLES)/fairness.html --json $(TABLES)/fairness.json --force
	@$(BIN)/homeroom new-course --oulad "$(OULAD)" \
		--report $(TABLES)/new-course.html --json $(TABLES)/new-course.json --force
	@$(BIN)/homeroom causality --oulad "$(OULAD)" --test $(TEST) --day 30 --day 120 --json $(TABLES)/causality.json --force
	@$(BIN)/python -m evaluation.document $(TABLES)

lock: .venv-lock/bin/uv  ## pin and hash what pyproject.toml asks for (UPGRADE=1 for newest releases)
	@mkdir -p requirements
	@$(COMPILE) pyproject.toml --extra all --group build --group dev --group baselines -o requirements/dev.txt >/dev/null
	@$(COMPILE) pyproject.toml --extra all --group build -c requirements/dev.txt -o requirements/runtime.txt >/dev/null
	@$(COMPILE) pyproject.toml --group build -c requirements/dev.txt -o requirements/worker.txt >/dev/null
	@$(COMPILE) --group bench -o requirements/bench.txt >/dev/null
	@grep -c '==' requirements/*.txt

setup: $(VENV)/ready-runtime  ## the environment of make demo, without running it

setup-dev: $(VENV)/ready-dev  ## the environment of make test and make check

dist: setup-dev  ## sdist and wheel in dist/, built from what is committed
	@$(BIN)/python -c 'from setuptools import build_meta as made; made.build_sdist("dist"); made.build_wheel("dist")' >/dev/null
	@ls dist

clean:  ## remove environments, caches and builds that make made; leaves data/ and all else alone
	@for folder in .venv .venv-bench .venv-lock; do \
		if $(call made,$$folder); then rm -rf "$$folder"; \
		elif [ -e "$$folder" ]; then echo "clean: $$folder stays, make did not make it"; fi; \
	done
	@rm -rf $(TABLES) build/lib build/bdist.* .cache/kafka-* homeroom.egg-info
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@rmdir build .cache 2>/dev/null || :
	@$(if $(CODE),find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +)

# The set-up itself. ---------------------------------------------------------------------------------

FITS := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
VERSION := import sys; print(sys.version_info[:2])

ifdef PYTHON  # an environment of another version than the one asked for is made anew
ifneq ($(shell "$(PYTHON)" -c '$(VERSION)' 2>&1 || :),$(shell "$(BIN)/python" -c '$(VERSION)' 2>&1 || :))
.PHONY: $(BIN)/python
endif
endif

# $(call made,FOLDER): whether it is one of ours, and no link: only such a folder is ever removed.
MARK := made-by-homeroom
made = { [ ! -L "$(1)" ] && { [ -f "$(1)/$(MARK)" ] || [ -f "$(1)/ready-runtime" ] || [ -f "$(1)/ready" ]; }; }

# $(call create,FOLDER): a virtual environment there, of the first Python that runs and fits. A shim may be
# on the PATH and not run, so each is tried.
define create
	@if { [ -e "$(1)" ] || [ -L "$(1)" ]; } && ! $(call made,$(1)) && ! rmdir "$(1)" 2>/dev/null; then \
		echo "set-up: $(1) was not made by make and stays as it is: remove it yourself, or name another" \
			"folder with make VENV=FOLDER" >&2; exit 1; \
	fi
	@set -- $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3 python); \
	for python in "$$@"; do \
		if "$$python" -c '$(FITS)' >/dev/null 2>&1; then \
			echo "set-up: $(1) with $$("$$python" -V)"; \
			rm -rf "$(1)" && mkdir -p "$(1)" && touch "$(1)/$(MARK)" && exec "$$python" -m venv "$(1)"; \
		fi; \
	done; \
	echo "homeroom needs Python 3.11, 3.12 or 3.13 with its venv module (Debian: python3-venv); tried: $$*." \
		"Name one with make PYTHON=/path/to/python3.12" >&2; exit 1
endef

$(BIN)/python:
	$(call create,$(VENV))

$(VENV)/ready-runtime: $(BIN)/python requirements/runtime.txt pyproject.toml
	@echo "set-up: $$(grep -c '==' requirements/runtime.txt) pinned packages (once; a minute or so)"
	@$(PIP) --require-hashes -r requirements/runtime.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/ready-dev: $(VENV)/ready-runtime requirements/dev.txt
	@echo "set-up: the tools of the tests (once)"
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

.venv-bench/ready: requirements/bench.txt
	$(call create,.venv-bench)
	@echo "set-up: Quix Streams, to compare with (once)"
	@.venv-bench/bin/python $(INSTALL) --require-hashes -r requirements/bench.txt
	@touch $@

.venv-lock/bin/uv:
	$(call create,.venv-lock)
	@.venv-lock/bin/python $(INSTALL) $(UV)
