# make demo    the main job on real collisions, on a server that it starts itself
# make test    the tests, in some minutes
# make check   formatting, lints, types and layers
# make bench   the benchmarks, with their targets
# make help    all of them

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,\
	$(shell $(p) -c 'import sys; sys.version_info >= (3, 11) and print("$(p)")' 2>/dev/null)))
INSTALLED := $(VENV)/.installed
MODELS ?= build/models

.PHONY: help demo compare test test-long test-all soak soak-server chaos check format bench bench-client bench-servers \
	bench-workflows bench-plan bench-crowd figures models generate clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile
	@echo 'make compare the main job braided against blocking, with a picture'
	@echo 'make test-long  the tests that take long, those on the real Triton, and 2,000 examples of each property'
	@echo 'make test-all  every test but the chaos, with coverage'
	@echo 'make soak    20,000 random jobs, braided against blocking, and a hundred storms'
	@echo 'make soak-server  the embedded server under mixed clients and faults for an hour (SOAK_SECONDS)'
	@echo 'make chaos   the client while two real Tritons are killed, frozen, cut off and answered for by a liar'
	@echo 'make bench-client  the inference client beside tritonclient, on the real Triton, in some minutes'
	@echo 'make bench-servers  the embedded server beside the real Triton, and emulated GPUs beside their plateau'
	@echo 'make bench-workflows  the examples blocking, threads and braided, on three servers (build their models first)'
	@echo 'make bench-plan  the model of eventbraid plan beside clients that share emulated GPUs'
	@echo 'make bench-crowd  simulated clients beside up to 64 real ones, in a quarter of an hour'
	@echo 'make figures  the figures of two papers made again, and the tables of docs/reproduction.md, in ten minutes'
	@echo 'make models  train and build every model anew into MODELS=build/models, and compare with those in the package'
	@echo 'make format  put the sources in order; make generate: compile protos/; make clean'

$(INSTALLED): pyproject.toml
	@test -n "$(PYTHON)" || { echo 'eventbraid needs Python 3.11 or newer'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --prefer-binary --editable '.[all]' --group dev
	@touch $@

demo: $(INSTALLED)
	$(BIN)/eventbraid run examples/hlt.py

compare: $(INSTALLED)
	$(BIN)/eventbraid compare examples/hlt.py --events 100

test: $(INSTALLED)
	$(BIN)/python -m pytest -m 'not slow and not triton'

test-long: $(INSTALLED)
	HYPOTHESIS_PROFILE=ci $(BIN)/python -m pytest -m '(slow or triton or hypothesis) and not chaos'

test-all: $(INSTALLED)
	HYPOTHESIS_PROFILE=ci $(BIN)/python -m pytest -m 'not chaos' --cov --cov-report=term:skip-covered

soak-server: $(INSTALLED)
	SOAK_SECONDS=$${SOAK_SECONDS:-3600} $(BIN)/python -m pytest tests/soak

soak: $(INSTALLED)
	STORMS=100 $(BIN)/python -m pytest tests/scheduling/test_storm.py
	HYPOTHESIS_PROFILE=soak $(BIN)/python -m pytest tests/scheduling -m 'not slow'

chaos: $(INSTALLED)
	$(BIN)/python -m pytest tests/chaos -m chaos

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(INSTALLED)
	@missed=0; for each in overhead overlap growth graphs order; do \
	  $(BIN)/python benchmarks/$$each.py || missed=1; echo; done; exit $$missed

bench-client: $(INSTALLED)
	@missed=0; for each in client joining; do \
	  $(BIN)/python benchmarks/$$each.py || missed=1; echo; done; exit $$missed

bench-servers: $(INSTALLED)
	$(BIN)/python benchmarks/servers.py

models: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --prefer-binary --editable '.[all,training]'
	$(BIN)/eventbraid models build --into $(MODELS)
	$(BIN)/python -m eventbraid_modules.tracks.train_tracks --folder $(MODELS)/tracks_gnn/1
	$(BIN)/python -m eventbraid_modules.shipped $(MODELS)

bench-workflows: $(INSTALLED)
	$(BIN)/python benchmarks/workflows.py

bench-plan: $(INSTALLED)
	$(BIN)/python benchmarks/plan.py

bench-crowd: $(INSTALLED)
	$(BIN)/python benchmarks/crowd.py

figures: $(INSTALLED)
	$(BIN)/python -m benchmarks.figures

generate: $(INSTALLED)
	$(BIN)/python protos/generate.py

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage htmlcov
