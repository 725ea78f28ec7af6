# `make help` lists what there is. Everything runs in .venv, made from the lock file with hashes.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

demo: $(READY) ## the whole system on real data, live in the terminal
	@$(BIN)/churn demo

test: $(READY) lint ## every test, with line and branch coverage of 100%
	$(BIN)/python -m pytest --cov --cov-report=term --numprocesses auto --dist worksteal

test-unit: $(READY) ## the fast tests: no Kafka, no Redis
	$(BIN)/python -m pytest tests/unit

test-faults: $(READY) ## every fault that docs/reference/faults.md lists, a few times each
	$(BIN)/python -m pytest tests/faults

test-faults-long: $(READY) ## the same, as often as the page promises, and write it down there
	$(BIN)/python -m pytest tests/faults --faults full --faults-record --timeout 1800

test-faults-control: $(READY) ## three of the faults, done to Faust and Quix Streams
	$(BIN)/python -m tests.faults.control

soak: $(READY) ## two hours of steady work with a kill every five minutes
	$(BIN)/python -m tests.faults.soak

lint: $(READY) ## ruff and mypy --strict
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(READY) ## lay the code out
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

schemas: $(READY) ## write the documents that come from the schema structs and the feature declarations
	$(BIN)/python -m schemas.documents
	$(BIN)/python -m churn.documents

fuzz: $(READY) ## 100 million bad bytes through every decoder
	@$(BIN)/python -m tests.fuzz.run

bench: $(READY) ## worker loops of Faust and Quix Streams beside ours, in one run
	$(BIN)/python -m tests.bench.worker_loops

bench-http: $(READY) ## the HTTP API under load, with FastAPI and MLServer beside it; needs wrk
	$(BIN)/python -m tests.bench.http

bench-telemetry: $(READY) ## what telemetry costs the scoring worker, in pairs of runs with it and without
	$(BIN)/python -m tests.bench.telemetry

bench-monitor: $(READY) ## whether one monitor keeps up with the telemetry of 50 workers
	$(BIN)/python -m tests.bench.monitor

lock: $(READY) ## write the lock files anew from pyproject.toml
	$(BIN)/uv pip compile -q --upgrade --universal --generate-hashes --python-version 3.11 pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --upgrade --universal --generate-hashes --python-version 3.11 --extra local --extra dev pyproject.toml -o requirements-dev.lock

setup: $(READY) ## the virtual environment, and nothing else

clean: ## everything that was made here
	@if [ -x $(BIN)/churn ]; then $(BIN)/churn stack down; fi
	rm -rf .venv .venv-bench .local

$(READY): requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: help demo test soak test-unit test-faults test-faults-long test-faults-control lint format schemas fuzz bench bench-http bench-telemetry bench-monitor lock setup clean
