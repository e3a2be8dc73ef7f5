# Everything is built in .venv from requirements.lock; python3 (3.11 or newer) and make are all that is needed.
PYTHON ?= python3
STUDY  ?= data/demo
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: report test lab bench notebooks lock clean

report: $(READY)          ## run the notebooks of STUDY and write its HTML reports
	$(BIN)/labkit report "$(STUDY)"

test: $(READY)            ## all tests, the notebooks among them
	$(BIN)/python -m pytest

lab: $(READY)             ## open the notebooks in JupyterLab
	LABKIT_STUDY="$(abspath $(STUDY))" $(BIN)/jupyter lab notebooks

bench: $(READY)           ## speed and memory, as ratios against peers in the same run
	$(BIN)/python benchmarks/ltp.py
	$(BIN)/python benchmarks/blots.py
	$(BIN)/python benchmarks/spines.py
	$(BIN)/python benchmarks/stats.py

notebooks: $(READY)       ## run the notebooks on the demo study and keep their outputs
	$(BIN)/python -m labkit.refresh

lock: $(VENV)/bin/uv      ## requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  --no-annotate --python-version 3.11 --extra dev --upgrade pyproject.toml -o requirements.lock

$(READY): requirements.lock pyproject.toml $(VENV)/bin/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

$(VENV)/bin/uv:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'labkit needs Python 3.11 or newer; this is ' + sys.version.split()[0] + '. Say which to use: make PYTHON=python3.12')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

clean:
	rm -rf $(VENV)
