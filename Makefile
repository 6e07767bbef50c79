# Each target does its own set-up: a virtual environment in .venv, made once and again when the packaging changes.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test docs readme check lab bench release export notebooks fold hooks clean

demo: .venv/.user  ## Train a digit classifier on real handwritten digits
	$(BIN)/minitrain digits

test: .venv/.dev  ## Run every notebook and every test
	OMP_NUM_THREADS=1 MPLBACKEND=agg $(BIN)/python -m pytest

docs: .venv/.dev readme  ## Render docs/ from the notebooks' stored outputs
	$(BIN)/python tools/build_site.py

readme: .venv/.dev  ## Make README.md from nbs/index.ipynb
	$(BIN)/python tools/build_readme.py

check: .venv/.dev  ## Fail when an export, a clean, README or docs/ is out of step with the notebooks
	$(BIN)/python tools/check.py

export: .venv/.dev  ## Write the modules from the notebooks, and the stubs from the modules
	$(BIN)/nbdev_export
	$(BIN)/python tools/make_stubs.py

notebooks: .venv/.dev  ## Execute every notebook from a fresh kernel, store its outputs, clean, export
	$(BIN)/python tools/execute_notebooks.py
	$(MAKE) export

fold: .venv/.dev  ## Clean the notebooks; fold cells alike in Jupyter, in Colab and on the site
	$(BIN)/nbdev_clean
	$(BIN)/python tools/fold.py

lab: .venv/.dev  ## Open the notebooks in JupyterLab
	$(BIN)/jupyter lab nbs

bench: .venv/.dev  ## Measure again what minitrain/assets/results holds (a night; ARGS="losses data" for some, ARGS=--list)
	$(BIN)/python bench/again.py $(ARGS)

release: .venv/.dev  ## Tag the version of settings.ini; GitHub then builds, checks and uploads it
	@test -z "$$(git status --porcelain)" || { echo "commit your changes first" >&2; exit 2; }
	$(BIN)/python tools/check.py
	version=v$$(sed -n 's/^version = //p' settings.ini) && git tag -a $$version -m $$version && git push origin $$version

hooks: .venv/.dev  ## Install the git hooks: export and clean before a commit
	$(BIN)/python tools/install_hooks.py

clean:  ## Remove what the other targets made, the run folders excepted
	rm -rf .venv build dist *.egg-info _proc .pytest_cache .hypothesis

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "minitrain needs Python 3.11 or newer: try  make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	touch $@

.venv/.user: .venv/.made settings.ini setup.py constraints.txt
	$(PIP) -e .
	touch $@

.venv/.dev: .venv/.made settings.ini setup.py constraints.txt
	$(PIP) -e '.[dev,atari]'
	$(PIP) --no-deps vit-pytorch timm  # tests read their ViTs alone; their own requirements would bring torchvision
	touch $@ .venv/.user
