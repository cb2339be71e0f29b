# make report | test | lab: each prepares .venv on the first call and installs nothing on the next.
#   DATASET="routellm/mmlu routellm/gsm8k"   data sets of the report (default: synthetic)
#   ONLY=03         only notebooks whose names start so (default: all but those that run on request)
#   PROFILE=quick   DEVICE=auto   SEED=0   OUT=reports
#   TORCH=cpu       on Linux: take torch from PyTorch's CPU index instead of the multi-gigabyte CUDA build
#   PYTHON=python3.12   the interpreter to build .venv with (3.11 to 3.13)
DATASET ?= synthetic
PROFILE ?= quick
DEVICE ?= auto
SEED ?= 0
OUT ?= reports
VENV ?= .venv
RUN := $(VENV)/bin/python
TORCH_INDEX := https://download.pytorch.org/whl/cpu

.PHONY: help install report test test-slow lint notebooks lab clean
.DEFAULT_GOAL := help

help:
	@sed -n '1,7p' Makefile | sed 's/^# \{0,1\}//'

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@py="$(PYTHON)"; \
	for candidate in python3 python3.13 python3.12 python3.11; do \
	  [ -n "$$py" ] && break; \
	  $$candidate -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && py=$$candidate; \
	done; \
	[ -n "$$py" ] || { echo "error: Python 3.11, 3.12 or 3.13 is needed and none was found on PATH; install one or call make PYTHON=/path/to/python" >&2; exit 2; }; \
	[ -x $(RUN) ] || { echo "Creating $(VENV) with $$py"; $$py -m venv $(VENV); }
	@[ "$(TORCH)" != "cpu" ] || $(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps --index-url $(TORCH_INDEX) torch
	@echo "Installing llm-routing-toolkit and its tested dependencies (once; a few minutes)"
	@$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

report: install
	@$(RUN) -m toolkit report $(foreach name,$(DATASET),--dataset '$(name)') --profile $(PROFILE) --device $(DEVICE) --seed $(SEED) --out $(OUT) $(foreach start,$(ONLY),--only $(start))

test: install
	$(RUN) -m pytest -m "not slow"

# Exit status 5 says that no test is marked slow: that is no failure.
test-slow: install
	$(RUN) -m pytest -m slow tests || [ $$? -eq 5 ]

lint: install
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

# After a change to a notebook: the outputs that nbval compares are made anew, all others stripped.
notebooks: install
	$(RUN) -m tests.refresh_notebooks

lab: install
	$(RUN) -m jupyter lab notebooks

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache
