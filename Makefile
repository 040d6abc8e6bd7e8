PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
ORACLES := node_modules/.ready

# Behind a company's proxy the certificates that count are the system's; pip looks there by itself.
AUTHORITIES := $(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem))
ifneq ($(AUTHORITIES),)
export UV_SYSTEM_CERTS ?= true
export NODE_EXTRA_CA_CERTS ?= $(AUTHORITIES)
endif

# Many processes are started: each would compile all of its modules again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run demo test faults bench check lock

help:  ## list these verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-8s%s\n", $$1, $$2 }' Makefile

setup: $(READY)  ## make .venv from the locked versions
	@echo 'Ready. Try: make demo'

run: $(READY)  ## serve
	$(BIN)/starling serve

demo: $(READY)  ## watch a change reach every device
	$(BIN)/starling demo

# Most tests wait most of the time: two cores keep three of them busy. The full counts need the cores themselves.
test: PYTEST_ARGS ?= -n 3 --dist loadfile
faults: PYTEST_ARGS ?= -n 2 --dist loadfile

test: $(READY) $(ORACLES)  ## run the tests; PYTEST_ARGS are yours
	$(BIN)/python -m pytest $(PYTEST_ARGS)

faults: $(READY) $(ORACLES)  ## every fault and attack at its full count, and the table of them
	FAULTS=full $(BIN)/python -m pytest $(PYTEST_ARGS) -m 'case or control' --cases=docs/reliability.md -o faulthandler_timeout=900

bench: $(READY)  ## measure, next to references in the same run
	$(BIN)/python -m bench --json bench/results/bench.json --plot bench/results/bench.svg

check: $(READY)  ## formatting, lint, types, layers, dependencies, documents
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/starling openapi export --check
	$(BIN)/starling manifest validate

lock:  ## pin again what pyproject.toml allows; LOCK_ARGS=--upgrade for newer versions
	@[ -x $(BIN)/uv ] || $(MAKE) --no-print-directory setup
	$(BIN)/uv pip compile $(LOCK_FLAGS) -o requirements.lock pyproject.toml
	$(BIN)/uv pip compile $(LOCK_FLAGS) -o requirements-dev.lock -c requirements.lock --group dev pyproject.toml

LOCK_FLAGS = --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links $(LOCK_ARGS)

$(READY): pyproject.toml requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.x")'
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv
	@awk '/^[a-z]/ { wanted = /^uv==/ } wanted' requirements-dev.lock > .venv/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements-dev.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# Without npm the tests that ask Node for a second opinion fail by themselves; the others still run.
$(ORACLES): package.json package-lock.json .npmrc
	@if ! command -v npm >/dev/null; then \
		echo 'npm is missing: the tests that need Node (20.18.1 or newer) will fail' >&2; \
	else \
		npm ci --no-progress --loglevel=error && touch $@; \
	fi
