# `make` lists what there is. Everything goes into .venv in this folder; `make clean` removes it again.
#
#   make lab JUPYTER_FLAGS="--no-browser --port 9000"      flags for JupyterLab
#   make test PYTEST_FLAGS="-k images -x"                  flags for pytest
#   make test LABKIT_REQUIRE=dockerd,embedded              fail, not skip, where one of these is missing
#   make lab PYTHON=/opt/python3.13/bin/python3            another Python, 3.11 or newer

VENV ?= .venv
BIN := $(VENV)/bin
LESSON ?= notebooks/00_start_here.ipynb
JUPYTER_FLAGS ?=
PYTEST_FLAGS ?=
export LABKIT_REQUIRE

# The first Python in PATH that is new enough.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
ifndef PYTHON
PYTHON := $(firstword $(foreach python,python3 python3.14 python3.13 python3.12 python3.11,\
	$(shell command -v $(python) >/dev/null && $(python) -c '$(NEW_ENOUGH)' 2>/dev/null && echo $(python))))
endif

# JupyterLab refuses to run as root unless it is told that this is meant: in a container or a VM it is.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.DEFAULT_GOAL := help
.PHONY: help lab test test-binder soak lint prose bench notebooks site screenshots clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /make \1|/p' $(firstword $(MAKEFILE_LIST)) | while IFS='|' read -r name what; do \
		printf '%-18s %s\n' "$$name" "$$what"; done

lab: $(VENV)/.lab  ## install what is missing and open the first lesson in JupyterLab
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/jupyter lab $(AS_ROOT) $(JUPYTER_FLAGS) $(LESSON)

# The browser's driver keeps an event loop of its own running, so its tests have a process of their own. (5: none chosen)
test: $(VENV)/.dev  ## run every test; what this machine lacks is skipped, and named at the end
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -rfE --ignore tests/browser $(PYTEST_FLAGS) || [ $$? = 5 ]
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -rfE tests/browser $(PYTEST_FLAGS) || [ $$? = 5 ]

lint: $(VENV)/.dev  ## formatting, usual mistakes, types
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

prose: $(VENV)/.dev  ## how each lesson reads: spelling, links, length of sentences
	$(BIN)/python -m tests.prose

test-binder: $(VENV)/.dev  ## build the image for Binder, and run every lesson in its sandbox: needs root and dockerd
	PATH="$(CURDIR)/$(BIN):$$PATH" BINDER=1 $(BIN)/python -m pytest -rfE tests/binder $(PYTEST_FLAGS)

soak: $(VENV)/.dev  ## every fault, hundreds of cycles, 50 boots of each machine; takes some 30 minutes
	PATH="$(CURDIR)/$(BIN):$$PATH" SOAK=1 $(BIN)/python -m pytest -rfE tests/security tests/faults \
		tests/microvm/test_soak.py $(PYTEST_FLAGS)

bench: $(VENV)/.dev  ## time the embedded engine against dockerd
	$(BIN)/python -m tests.bench

notebooks: $(VENV)/.dev  ## run every lesson and store its outputs
	$(BIN)/python -m tests.notebooks.execute

site: $(VENV)/.dev  ## the lessons with their outputs as web pages, into build/site/
	$(BIN)/python site/build.py

screenshots: $(VENV)/.dev  ## photograph the lessons in a browser, into screenshots/
	$(BIN)/python -m tests.browser.screenshots

clean:  ## remove the course's containers and images, .venv and every cache
	-if [ -x $(BIN)/labkit ]; then $(BIN)/labkit clean; fi
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build dist screenshots bench.json
	find . \( -name __pycache__ -o -name .ipynb_checkpoints -o -name '*.egg-info' \) -prune -exec rm -rf {} +

# A stamp file says what .venv holds already, so a second `make` starts at once.
$(VENV)/.lab: pyproject.toml
	@$(MAKE_VENV)
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.lab
	$(BIN)/python -m pip install --quiet --editable '.[test,lint,site]'
	@touch $@

# Debian and Ubuntu keep the part of venv that installs pip in a package of its own (python3-venv). Where it is missing,
# pip itself can fill an empty environment.
define MAKE_VENV
if [ -z "$(PYTHON)" ]; then \
	echo "labkit needs Python 3.11 or newer, and PATH has none. Install one, or say where: make PYTHON=/path/to/python3"; \
	exit 1; \
fi; \
echo "Making $(VENV) with $(PYTHON) ..."; \
$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { \
	$(PYTHON) -m venv --clear --without-pip $(VENV) && \
	$(PYTHON) -m pip --python $(BIN)/python install --quiet pip; \
} || { \
	echo "Python could not make $(VENV). On Debian and Ubuntu: sudo apt install python3-venv, then make again."; \
	exit 1; \
}
endef
