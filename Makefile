# make report | test | lab: each prepares .venv on the first call and installs nothing on the next.
#   DATASET="routellm/mmlu routellm/gsm8k"   data sets of the report (default: synthetic)
#   ONLY=03         only notebooks whose names start so (default: all but those that run on request)
#   PROFILE=quick   DEVICE=auto   SEED=0   OUT=reports
#   TORCH=cpu       on Linux: take torch from PyTorch's CPU index instead of the multi-gigabyte CUDA build
#   PYTHON=python3.12   the interpreter to build .venv with (3.11 to 3.13)
# make docs        pages and API reference into docs/_build; any warning is an error
# make dist        sdist and wheel; test-wheel tries the wheel in an empty environment, outside of the checkout
# make test-oldest test-newest   the tests against the oldest and the newest dependencies that pyproject.toml allows
#   TORCH_PIN=2.13.0+cpu   torch's version there (default: what the range gives);  TESTS=tests/routers   some of them
DATASET ?= synthetic
PROFILE ?= quick
DEVICE ?= auto
SEED ?= 0
OUT ?= reports
VENV ?= .venv
TESTS ?= tests
RUN := $(VENV)/bin/python
TORCH_INDEX := https://download.pytorch.org/whl/cpu

pip = $(1) -m pip install --quiet --disable-pip-version-check -c constraints.txt
cpu_torch = [ "$(TORCH)" != "cpu" ] || $(call pip,$(1)) --no-deps --index-url $(TORCH_INDEX) torch

.PHONY: help install report test test-slow lint notebooks lab docs dist test-wheel test-oldest test-newest clean
.DEFAULT_GOAL := help

help:
	@sed -n '1,10p' Makefile | sed 's/^# \{0,1\}//'

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@py="$(PYTHON)"; \
	for candidate in python3 python3.13 python3.12 python3.11; do \
	  [ -n "$$py" ] && break; \
	  $$candidate -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && py=$$candidate; \
	done; \
	[ -n "$$py" ] || { echo "error: Python 3.11, 3.12 or 3.13 is needed and none was found on PATH; install one or call make PYTHON=/path/to/python" >&2; exit 2; }; \
	[ -x $(RUN) ] || { echo "Creating $(VENV) with $$py"; $$py -m venv $(VENV); }
	@$(call cpu_torch,$(RUN))
	@echo "Installing llm-routing-toolkit and its tested dependencies (once; a few minutes)"
	@$(call pip,$(RUN)) -e '.[dev]'
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

docs: install
	@$(RUN) -c 'import myst_parser, sphinx' 2>/dev/null || $(call pip,$(RUN)) -e '.[docs]'
	$(RUN) -m sphinx -q -W --keep-going -n docs docs/_build
	@echo docs/_build/index.html

dist: install
	@$(call pip,$(RUN)) build
	rm -rf dist
	$(RUN) -m build

# The new environment knows nothing of the checkout, and neither does the folder in which the commands run.
test-wheel: dist
	$(RUN) -m venv --clear build/wheel
	@$(call cpu_torch,build/wheel/bin/python)
	$(call pip,build/wheel/bin/python) dist/*.whl
	python=$$PWD/build/wheel/bin/python; elsewhere=$$(mktemp -d); cd "$$elsewhere" && \
	$$python -m pip check && $$python -m toolkit doctor && \
	$$python -m toolkit report --profile smoke --only 00 --device cpu && rm -r "$$elsewhere"

# uv resolves to the lowest versions; constraints.txt, and the test that it is installed, have no say here.
test-oldest: RESOLUTION = lowest-direct
test-newest: RESOLUTION = highest
test-oldest test-newest: install
	$(RUN) -m venv --clear build/$@
	build/$@/bin/python -m pip install --quiet --disable-pip-version-check uv
	echo '$(if $(TORCH_PIN),torch==$(TORCH_PIN))' > build/$@/torch.txt
	build/$@/bin/uv pip install --quiet --python build/$@ --resolution $(RESOLUTION) --overrides build/$@/torch.txt -e '.[dev]'
	build/$@/bin/python -m pytest -p no:cacheprovider -m "not slow" $(TESTS) \
	  --deselect tests/test_house.py::test_constraints_are_what_is_installed_and_allowed

clean:
	rm -rf $(VENV) build dist docs/_build docs/api .pytest_cache .ruff_cache
