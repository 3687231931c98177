# Everything a person needs, in four commands. The first one that runs installs svcnb into .venv (about 2 GB, a few
# minutes); later ones reuse it, until pyproject.toml or constraints.txt change.
PYTHON ?= python3
JOBS ?= 2
BIN := .venv/bin
READY := .venv/ready
COLAB_PYTHON ?= python3.13
# Fixed thread counts, hashing and plot backend: the notebooks' printed results are compared with the stored ones.
TEST_ENV := SVCNB_FAST=1 MPLBACKEND=agg PYTHONHASHSEED=0 OMP_NUM_THREADS=1 TQDM_DISABLE=1 CUBLAS_WORKSPACE_CONFIG=:4096:8
NBVAL := --nbval-lax --nbval-current-env --nbval-cell-timeout 300 --nbval-sanitize-with tests/notebooks/sanitize.cfg

.PHONY: help demo test test-colab lab bench notebooks chromium clean

help:
	@echo "make demo    convert a song from one lesson singer to another, and score it"
	@echo "make lab     open the notebooks in JupyterLab"
	@echo "make test    lint, tests, notebooks"
	@echo "make test-colab  the notebooks in a copy of Colab's runtime: Python 3.13, gigabytes, not part of make test"
	@echo "make bench   measure speed on this machine"
	@echo "make notebooks  run the notebooks and store what they show; NOTEBOOKS=02_features for one"
	@echo "make clean   remove .venv and what demo and bench wrote"

demo: $(READY)
	@$(BIN)/python -m svcnb demo

# --allow-root: in a container everyone is root.
lab: $(READY)
	@echo "Opening the notebooks; stop with Ctrl-C."
	@$(BIN)/jupyter lab --allow-root notebooks/01_data.ipynb

bench: $(READY)
	@$(BIN)/python -m benchmarks

test: $(READY) chromium
	@echo "Linting"
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@echo "Running the tests and the notebooks, $(JOBS) at a time"
	@$(TEST_ENV) $(BIN)/python -m pytest tests notebooks colab $(NBVAL) -n $(JOBS) --dist loadscope

# google.colab is a stand-in; `svcnb` comes from here, whatever is installed.
test-colab: .venv-colab/ready
	@$(TEST_ENV) PYTHONPATH=$(CURDIR)/tests/colab/standin:$(CURDIR) .venv-colab/bin/python -m pytest notebooks colab $(NBVAL)

.venv-colab/ready: colab/preinstalled.txt colab/requirements.txt
	@$(COLAB_PYTHON) -m venv .venv-colab
	@.venv-colab/bin/python -m pip install --quiet --disable-pip-version-check -r colab/preinstalled.txt nbval
	@.venv-colab/bin/python colab/install.py
	@touch $@

# The widgets are tested in a browser. In a container, where one is root, it is fetched; elsewhere those tests skip.
chromium:
	@test -n "$$SVCNB_CHROMIUM" || command -v chromium >/dev/null || command -v chromium-browser >/dev/null || test "$$(id -u)" != 0 || { \
		echo "Installing Chromium, which the tests of the widgets drive"; \
		timeout 300 sh -c 'apt-get update && apt-get install -y --no-install-recommends chromium fonts-liberation' >/dev/null 2>&1 \
		|| echo "It can not be had here, so those tests are left out"; }

# For who edits them: afterwards look at the difference, then `make test`.
notebooks: $(READY)
	@$(TEST_ENV) $(BIN)/python -m tests.notebooks.store $(NOTEBOOKS)

clean:
	rm -rf .venv out

# torchaudio's optional compiled part asks for CUDA even beside a CPU-only torch; `doctor --mend` sees to that.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "svcnb needs Python 3.10 or newer: make PYTHON=python3.11 ..."; exit 1; }
	@echo "Installing svcnb into .venv with $$($(PYTHON) --version); once, a few minutes"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[lab,test,onnx,eval]'
	@$(BIN)/python -m svcnb doctor --mend
	@touch $@
