# Everything runs in its own virtual environment, VENV; delete that folder to start over.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OLDEST := $(VENV)-oldest
DIST ?= dist

.PHONY: demo test test-oldest test-tracing gpu lint dist notebooks site slides lite mutants fuzz
.DELETE_ON_ERROR:

demo: $(VENV)/installed
	$(BIN)/copi-np demo --out demo

# on all cores, with one thread of BLAS each
test: export OPENBLAS_NUM_THREADS = 1
test: $(VENV)/installed-test
	$(BIN)/python -m pytest --numprocesses auto --dist loadgroup

# On the oldest versions that setup.cfg allows, with Python 3.11 or 3.12; TESTS selects some. Two warnings are not errors
# there: those of old packages about newer dependencies, and of the file that NumPy before 2.2 leaves open on a full disk.
test-oldest: $(OLDEST)/installed-test
	$(OLDEST)/bin/python -m pytest $(TESTS) \
	  -W ignore::DeprecationWarning -W ignore::pytest.PytestUnraisableExceptionWarning

# On JAX and PyTorch. By default pip installs a PyTorch for GPUs, of several GB: install a smaller one in VENV first.
test-tracing: export OPENBLAS_NUM_THREADS = 1
test-tracing: $(VENV)/installed-tracing
	$(BIN)/python -m pytest --numprocesses auto --dist loadgroup \
	  tests/backend/test_tracing.py tests/backend/test_torch.py tests/backend/test_torch_modules.py \
	  tests/documents/test_extend_page.py tests/conformance/test_ports_tracing.py \
	  tests/documents/test_vectors_page.py tests/documents/test_torch_page.py

# On a machine with a GPU: the tests that need one, and timings, recorded in results/speed/gpu.json.
gpu: $(VENV)/installed-tracing
	$(BIN)/python tools/gpu_record.py

# also the pre-commit hook
lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/notebooks.py check
	$(BIN)/python tools/embed_tables.py --check

# wheel and source distribution as they would be uploaded; leftovers of an earlier build would get into them
dist: $(VENV)/installed-test
	rm -rf $(DIST) build copi_np.egg-info
	$(BIN)/python -m build --quiet --outdir $(DIST)
	$(BIN)/twine check --strict $(DIST)/*
	$(BIN)/python tools/check_dist.py $(DIST)

# executes every source in tutorials/sources and writes the notebooks: takes a few minutes
notebooks: $(VENV)/installed-test
	$(BIN)/python tools/notebooks.py build

# a static web site: open site/index.html, or serve the folder
site: $(VENV)/installed-site
	rm -rf site
	$(BIN)/python -m sphinx -b html -c docs -W --keep-going -q -E -d $(VENV)/site-doctrees . site
	rm -rf jupyter_execute  # pictures of the notebooks, now copied into the site
	$(MAKE) slides lite

# the slides of the two classes: open site/slides/index.html or class_2.html, and press S for the speaker's notes
slides: $(VENV)/installed-site
	$(BIN)/python tutorials/slides/figures.py tutorials/slides/figures
	$(BIN)/python -m sphinx -b revealjs -W --keep-going -q -E -d $(VENV)/slides-doctrees tutorials/slides site/slides

# the course in a browser, without installing anything: site/lite, which has to be served
lite: $(VENV)/installed-site
	$(BIN)/python tools/lite.py site/lite

# not for CI: it takes a quarter of an hour, and checks the tests rather than a change
mutants: export OPENBLAS_NUM_THREADS = 1
mutants: $(VENV)/installed-mutants
	rm -rf mutants
	$(BIN)/mutmut run
	$(BIN)/python tools/record_mutants.py
	$(BIN)/python tools/plant_bugs.py

# not for CI: a million inputs for each file reader take an hour or two
fuzz: export OPENBLAS_NUM_THREADS = 1
fuzz: $(VENV)/installed-fuzz
	$(BIN)/python tests/storage/fuzz
	$(BIN)/python tools/fuzz_table.py

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "copi_np needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/installed-test: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

$(VENV)/installed-tracing: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,tracing]'
	@touch $@

$(OLDEST)/installed-test: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(OLDEST)
	sed -nE 's/^ +([A-Za-z0-9-]+) >= /\1 == /p' setup.cfg > $(OLDEST)/constraints.txt
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile \
	  --constraint $(OLDEST)/constraints.txt --editable '.[test]'
	@touch $@

$(VENV)/installed-site: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[site]'
	@touch $@

$(VENV)/installed-mutants: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,mutants]'
	@touch $@

$(VENV)/installed-fuzz: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	@touch $@
