# Paperdesk. `make run` serves the desk; `make test` proves it. Everything installs itself.

PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .tools/uv/bin/uv)
BIN := .venv/bin
# Each worker has a PostgreSQL of its own, so not one for every core of a large machine.
IN_PARALLEL := --numprocesses auto --maxprocesses 4 --dist worksteal
export UV_PYTHON_DOWNLOADS := never
# Some containers forbid Python to keep compiled code: then every process compiles it all anew, for seconds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test test-lowest soak soak-model soak-crash soak-signals soak-jobs soak-imports soak-fuzz bench bench-quick check format schema locks clean

help: ## Show these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: .venv/.run ## Serve the desk at http://127.0.0.1:8000, with data and prices
	$(BIN)/paperdesk serve

test: .venv/.dev ## Run the tests, on a real SQLite file and a real PostgreSQL
	$(BIN)/pytest $(IN_PARALLEL)

test-lowest: .venv-lowest/.dev ## The tests within one process, on the oldest versions that are allowed
	@# SQLAlchemy 2.0 says goodbye to a server that is silent, and waits for its answer.
	@# The readers of brokers' files stand on the standard library alone, and benchmarks have an environment of their own.
	.venv-lowest/bin/pytest $(IN_PARALLEL) --one-database --ignore tests/integration/ledger/test_silence.py --ignore tests/e2e --ignore tests/crash --ignore tests/model \
		--ignore tests/unit/imports --ignore tests/contract/test_bench.py --ignore tests/integration/jobs/test_import_fuzz.py \
		--ignore tests/integration/jobs/test_imports.py

soak: soak-model soak-crash soak-signals soak-jobs soak-imports soak-fuzz ## The tests that can run for ever, for hours: MODEL_STEPS=1000000 CRASH_ROUNDS=100 SIGNAL_DELIVERIES=10000 JOB_ROWS=10000 IMPORT_EXAMPLES=100 IMPORT_BYTES=2000000000 FUZZ_EXAMPLES=1000

soak-model: .venv/.dev
	MODEL_STEPS=$(or $(MODEL_STEPS),1000000) $(BIN)/pytest -s tests/model

soak-crash: .venv/.dev
	CRASH_ROUNDS=$(or $(CRASH_ROUNDS),100) CRASH_PINNED=60 $(BIN)/pytest tests/crash

soak-signals: .venv/.dev
	SIGNAL_DELIVERIES=$(or $(SIGNAL_DELIVERIES),10000) $(BIN)/pytest -s tests/e2e/test_signals_chaos.py

soak-jobs: .venv/.dev
	JOB_ROWS=$(or $(JOB_ROWS),10000) $(BIN)/pytest -s tests/e2e/test_jobs_chaos.py tests/e2e/test_imports_chaos.py

soak-imports: .venv/.dev
	IMPORT_EXAMPLES=$(or $(IMPORT_EXAMPLES),100) IMPORT_BYTES=$(or $(IMPORT_BYTES),2000000000) $(BIN)/pytest tests/integration/jobs/test_import_fuzz.py

soak-fuzz: .venv/.dev
	FUZZ_EXAMPLES=$(or $(FUZZ_EXAMPLES),1000) $(BIN)/pytest -s tests/contract/test_openapi.py

bench: .venv-bench/.bench ## Measure the desk beside what it replaces, in about eight minutes
	.venv-bench/bin/python -m bench

bench-quick: .venv-bench/.bench ## Measure durable trades against an empty POST, in half a minute
	.venv-bench/bin/python -m bench trades --clients 1,32 --seconds 2 --rounds 2

check: .venv/.dev ## Format, lint, import rules, types, migrations against models
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/pyright
	$(BIN)/python tests/alembic_check.py

format: .venv/.dev ## Format and mend what can be mended
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

schema: .venv/.dev ## Write docs/schema.sql from a freshly migrated database
	$(BIN)/paperdesk schema > docs/schema.sql

locks: $(UV) ## Resolve the locked versions anew
	$(UV) pip compile -q pyproject.toml --universal --generate-hashes --extra postgres -o locks/run.txt
	$(UV) pip compile -q pyproject.toml --universal --generate-hashes --extra postgres --extra yfinance --group dev -c locks/run.txt -o locks/dev.txt
	$(UV) pip compile -q pyproject.toml --universal --generate-hashes --extra postgres --extra yfinance --group dev --resolution lowest-direct -o locks/lowest.txt
	$(UV) pip compile -q pyproject.toml --universal --generate-hashes --extra postgres --group bench -c locks/run.txt -o locks/bench.txt

clean: ## Remove what was installed and cached here
	rm -rf .venv .venv-lowest .venv-bench .tools .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist

.venv/.run: locks/run.txt pyproject.toml | $(UV) .venv/pyvenv.cfg
	@echo "Installing Paperdesk into .venv"
	$(UV) pip install -q --python $(BIN)/python --require-hashes -r locks/run.txt
	$(UV) pip install -q --python $(BIN)/python --no-deps -e .
	@touch $@

.venv/.dev: locks/dev.txt pyproject.toml | $(UV) .venv/pyvenv.cfg
	@echo "Installing Paperdesk and its tests into .venv"
	$(UV) pip install -q --python $(BIN)/python --require-hashes -r locks/dev.txt
	$(UV) pip install -q --python $(BIN)/python --no-deps -e .
	@touch $@ .venv/.run

.venv-lowest/.dev: locks/lowest.txt pyproject.toml | $(UV)
	@echo "Installing the oldest allowed versions into .venv-lowest"
	$(UV) venv -q --allow-existing --python $(PYTHON) .venv-lowest
	$(UV) pip install -q --python .venv-lowest/bin/python --require-hashes -r locks/lowest.txt
	$(UV) pip install -q --python .venv-lowest/bin/python --no-deps -e .
	@touch $@

.venv-bench/.bench: locks/bench.txt pyproject.toml | $(UV)
	@echo "Installing Paperdesk and what it is measured with into .venv-bench"
	$(UV) venv -q --allow-existing --python $(PYTHON) .venv-bench
	$(UV) pip install -q --python .venv-bench/bin/python --require-hashes -r locks/bench.txt
	$(UV) pip install -q --python .venv-bench/bin/python --no-deps -e .
	@touch $@

.venv/pyvenv.cfg: | $(UV)
	$(UV) venv -q --python $(PYTHON) .venv

.tools/uv/bin/uv:
	@echo "Installing uv into .tools"
	$(PYTHON) -m venv .tools/uv
	.tools/uv/bin/pip install -q uv
