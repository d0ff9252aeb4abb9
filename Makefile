# Touchline: `make run` and `make test` are all you need; the rest is for the edit loop.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
# penaltyblog, outside the environment: most of what it depends on is for its scrapers.
PEERS := .touchline/peers
# Locust, outside the environment too: it brings a web server and a network library of its own.
LOCUST := .touchline/locust
# Syft, likewise: it lists what is in an image.
SYFT := .touchline/syft
HOST ?= http://127.0.0.1:8000
USERS ?= 100
MINUTES ?= 2
# Each worker has a PostgreSQL of its own; a file's tests share fixtures and stay together. The long files come first.
# One worker more than there are cores (two): there is always one that waits for a service.
WORKERS ?= 3
SIDE_BY_SIDE := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# Workers share the cores: threads beside them only wait for each other.
ALONE := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 POLARS_MAX_THREADS=1
export PYTHONDONTWRITEBYTECODE :=
export DO_NOT_TRACK := 1

# SOURCE=sandbox (default), football-data-uk, or a folder of season files; AS_OF=2023-03-10 or 2023-03-10T18:00Z
ifdef SOURCE
export TOUCHLINE_SOURCE := $(SOURCE)
endif
ifdef AS_OF
export TOUCHLINE_AS_OF := $(AS_OF)
endif

VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
IMAGE = touchline:$(VERSION)-$(shell git rev-parse --short=12 HEAD 2>/dev/null)
SBOM = .touchline/image/$(subst :,-,$(IMAGE)).cdx.json

.PHONY: help setup run up down monitoring status test test-fast test-all lint format chaos chaos-cluster bench peers load client dashboards docs lock image secrets clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP)  ## build the environment (nothing to do when nothing changed)

$(STAMP): requirements.txt requirements-dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "python3 is missing: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
		{ echo "Python 3.11 is needed, $$($(PYTHON) --version) found: apt-get install python3.11 python3.11-venv, then make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "Python's venv module is missing: apt-get install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@if command -v uv >/dev/null && uv --version >/dev/null 2>&1; then uv=uv; else \
		test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'; uv=$(BIN)/uv; fi; \
	echo "Installing the environment (a minute on a fresh machine) ..."; \
	VIRTUAL_ENV=$(VENV) $$uv pip sync --quiet --require-hashes requirements.txt requirements-dev.txt && \
	VIRTUAL_ENV=$(VENV) $$uv pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -c 'from touchline.ratings.engine import Result, rate; rate([Result(1, "a", "b", 0, 0)], {})'
	@touch $@

run: $(STAMP)  ## from nothing to predictions on screen; leaves everything running
	@$(BIN)/touchline run

up: $(STAMP)  ## start everything and leave it running
	@$(BIN)/touchline up

down: $(STAMP)  ## stop everything
	@$(BIN)/touchline down

monitoring: $(STAMP)  ## watch a running Touchline: Prometheus, Alertmanager and exporters, as far as installed
	@$(BIN)/touchline monitoring start

status: $(STAMP)  ## what is running, and where
	@$(BIN)/touchline status

test: $(STAMP)  ## a case of every claim, as CI runs them
	$(ALONE) $(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not nightly"

test-fast: $(STAMP)  ## in two minutes, for the edit loop: without Airflow, MLflow, warehouses and what takes seconds
	$(ALONE) $(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow and not nightly"

test-all: $(STAMP)  ## every test in full, 20,000 damaged bodies among them, with coverage; for the night
	FUZZ_CASES=20000 $(ALONE) $(BIN)/python -m pytest $(SIDE_BY_SIDE) --processor-time --cov --cov-report=term

lint: $(STAMP)  ## ruff, mypy, sqlfluff, import rules, YAML
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint-types lint-sql lint-python lint-imports lint-yaml

# Two at a time, the longest first.
.PHONY: lint-types lint-sql lint-python lint-imports lint-yaml
lint-types:
	$(BIN)/mypy
lint-sql:
	$(BIN)/sqlfluff lint --disable-progress-bar dbt_project
lint-python:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
lint-imports:
	$(BIN)/lint-imports
lint-yaml:
	$(BIN)/yamllint --strict .

format: $(STAMP)  ## write the format that lint expects
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

chaos: $(STAMP)  ## kill everything at random for three simulated days, and see whether all that was due is done
	$(BIN)/python tests/chaos.py

chaos-cluster: $(STAMP)  ## the same for a week on two Celery workers, with Redis (needs redis-server)
	$(BIN)/python tests/chaos.py --cluster --days 7 --kills 30

bench: $(STAMP)  ## measure, each figure against a baseline of the same run
	$(BIN)/python -m benchmarks

peers: $(STAMP) $(PEERS)/.ready  ## compare with penaltyblog, FiveThirtyEight's SPI and the markets on the same matches
	$(BIN)/python -m benchmarks.peers

$(PEERS)/.ready: benchmarks/peers-requirements.txt
	rm -rf $(PEERS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
		--target $(PEERS) --requirement benchmarks/peers-requirements.txt
	@touch $@

load: $(STAMP) $(LOCUST)/.ready  ## USERS=100 readers who think ask the API at HOST for MINUTES=2, by Locust
	PYTHONPATH=$(LOCUST) $(BIN)/python -m locust --locustfile benchmarks/load/locustfile.py --headless --only-summary \
		--host $(HOST) --users $(USERS) --spawn-rate $$(( $(USERS) / 10 + 1 )) --run-time $(MINUTES)m

$(LOCUST)/.ready: benchmarks/load/requirements.txt
	rm -rf $(LOCUST)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
		--target $(LOCUST) --requirement benchmarks/load/requirements.txt
	@touch $@

client: $(STAMP)  ## write the OpenAPI document, and a wheel of the Python client that is made from it
	$(BIN)/python clients/python/document.py
	$(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir .touchline/client clients/python

dashboards: $(STAMP)  ## write Grafana's dashboards; with PROMETHEUS=http://127.0.0.1:9090 RUN="..." also their table in the docs
	cd docker/grafana && ../../$(BIN)/python -m described $(if $(PROMETHEUS),--prometheus $(PROMETHEUS) --run "$(RUN)") $(if $(AT),--at $(AT))

docs: $(STAMP)  ## every table and column on one page, .touchline/docs/index.html
	@$(BIN)/touchline docs

image: $(STAMP) $(SYFT)/.ready  ## build touchline:VERSION-COMMIT and list its parts; BASE_IMAGE=..., BUILD="--network=host"
	@git diff --quiet HEAD || { echo "commit first: the tag has to say what is in the image" >&2; exit 1; }
	docker build $(BUILD) $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) --build-arg VERSION=$(VERSION) \
		--build-arg REVISION=$(shell git rev-parse HEAD) --file docker/Dockerfile --tag $(IMAGE) .
	@mkdir -p $(dir $(SBOM))
	PYTHONPATH=$(SYFT) $(SYFT)/bin/syft scan --quiet docker:$(IMAGE) --output cyclonedx-json=$(SBOM)
	@echo "$(IMAGE), and what is in it: $(SBOM)"

$(SYFT)/.ready: docker/syft-requirements.txt
	rm -rf $(SYFT)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
		--target $(SYFT) --requirement docker/syft-requirements.txt
	@touch $@

secrets:  ## make the passwords, keys and the certificate of compose that are not there yet
	@$(PYTHON) docker/make_secrets.py

lock:  ## compile requirements.in and requirements-dev.in to exact versions with hashes
	for name in requirements requirements-dev; do VIRTUAL_ENV=$(VENV) uv pip compile $$name.in --python-version 3.11 \
		--generate-hashes --no-emit-index-url --only-binary :all: --custom-compile-command "make lock" -o $$name.txt || exit 1; done

clean: ## remove the environment and all state (the database too)
	-@test -x $(BIN)/touchline && $(BIN)/touchline down
	rm -rf $(VENV) .touchline
