# On a fresh machine with Python 3.11 to 3.14 (with venv) and make: `make run`, `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# The CuPy extra that fits this machine's NVIDIA driver (CUDA 13 needs 580, CUDA 12 needs 525); empty without one. A container
# may lack nvidia-smi: the kernel module says its version too. A driver that comes later sets up anew: it is in the stamp's name.
DRIVER_FILE ?= /proc/driver/nvidia/version
CUPY := $(shell { nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null; \
	sed -n 's/^NVRM.* \([0-9][0-9]*\.[0-9.]*\) .*/\1/p' $(DRIVER_FILE) 2>/dev/null; } | \
	awk -F. '$$1 ~ /^[0-9]+$$/ { if ($$1 >= 580) print "cuda13"; else if ($$1 >= 525) print "cuda12"; exit }')
# Two of CuPy's packages in one place break each other
OTHER := $(if $(CUPY),$(patsubst %,cupy-%x,$(filter-out $(CUPY),cuda12 cuda13)))
RUN_READY := $(VENV)/.ready-run$(CUPY:%=-%)
DEV_READY := $(VENV)/.ready-dev$(CUPY:%=-%)

.PHONY: run setup test fast lint clean

run: $(RUN_READY)
	$(BIN)/shotmark run

setup: $(DEV_READY)

# JOBS=2: in two processes
test: setup lint
	$(BIN)/python -m pytest $(JOBS:%=-n % --dist loadgroup)

# What a change is checked with in between: nothing that takes more than a few seconds by itself.
fast: setup lint
	$(BIN)/python -m pytest -m "not slow"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .benchmarks .hypothesis .emulator-cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN_READY): pyproject.toml | $(BIN)/python
	@$(if $(OTHER),$(PIP) uninstall -qq -y $(OTHER))
	@$(PIP) install -q -e ".$(CUPY:%=[%])"
	@touch $@

$(DEV_READY): pyproject.toml | $(BIN)/python
	@$(if $(OTHER),$(PIP) uninstall -qq -y $(OTHER))
	@$(PIP) install -q -e ".[dev$(CUPY:%=,%)]"
	@touch $@ $(RUN_READY)

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo "$(PYTHON) not found: install Python 3.11 to 3.14, or say make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' || \
		{ echo "$(PYTHON) is $$($(PYTHON) -V 2>&1): Shotmark needs Python 3.11 to 3.14; say make PYTHON=python3.12, for example" >&2; exit 1; }
	@echo "Setting up $(VENV): takes a minute or so, once" >&2
	@$(PYTHON) -m venv $(VENV) >$(VENV).log 2>&1 || \
		{ rm -rf $(VENV) $(VENV).log; echo "$(PYTHON) cannot make a virtual environment: install its venv package (Debian and Ubuntu: python3-venv)" >&2; exit 1; }
	@rm -f $(VENV).log
