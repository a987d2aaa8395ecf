# Set-up and the commands of the README. Needs Python 3.11 or newer and make; nothing else.
PYTHON ?= python3
CORES ?= $(shell nproc 2>/dev/null || echo 2)
BIN := .venv/bin
READY := .venv/.ready
DEMO := config/real_stars.yaml
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)
STYLE := --report-stylesheet workflow/report/report.css
REPORTED := --report-after-run $(STYLE)
# Three workers for two cores: one mostly waits, for a TAP server or a browser.
PYTEST := $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -q

.PHONY: help setup demo maps toy paper validate check report test test-all nightly slurm lint format sizes bench crash docs lock clean

help:  ## these lines
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{printf "make %-9s %s\n", $$1, $$2}'

setup: $(READY)  ## the environment .venv from the lock file (all targets below need it and make it)

# The package is installed as a link to this folder, so that an edit counts at once. Nothing is fetched for it.
$(READY): envs/requirements.lock pyproject.toml
	@case "$(CURDIR)" in *" "*) echo "$(CURDIR): Snakemake cannot run its jobs in a path with blanks; move this folder"; exit 1;; esac
	@command -v $(PYTHON) > /dev/null || { \
	  echo "There is no $(PYTHON): install Python 3.11 or newer, or name yours: make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3")'
	@$(PYTHON) -m venv .venv || { \
	  echo "$(PYTHON) makes no virtual environment: install its venv module (python3-venv on Debian and Ubuntu)"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r envs/requirements.lock || { \
	  echo "The packages of envs/requirements.lock did not come. Without a network they cannot; behind a proxy set HTTPS_PROXY;"; \
	  echo "a mirror or a folder of wheels is named in pip's settings (PIP_CONFIG_FILE). Then type the same command again."; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
	touch $@

demo: $(READY)  ## real stars, shipped; no network: run and report
	@$(SNAKEMAKE) --configfile $(DEMO) --report results/runs/real_stars/report.html $(REPORTED)

# By names of gaia_offsets/publish/offset_map.py; a test compares them with a run.
maps: $(READY)  ## the maps that come with gaia-offsets, anew from the demo
	$(SNAKEMAKE) --configfile $(DEMO) -- results/kepler_giants/dataset/equatorial.ecsv results/globular_clusters/dataset/equatorial.ecsv
	for name in kepler_giants globular_clusters; do \
	  cp results/$$name/dataset/equatorial.ecsv workflow/scripts/gaia_offsets/data/$$name.ecsv || exit 1; done

toy: $(READY)  ## a small simulated survey; no network: run and report
	@$(SNAKEMAKE) --configfile config/toy.yaml --report results/runs/toy/report.html $(REPORTED)

paper: $(READY)  ## the paper's configuration, config/config.yaml
	$(SNAKEMAKE)

validate: CONFIG = config/validate.yaml
validate: $(READY)  ## simulated skies against their truth; CONFIG=config/validate_small.yaml for a minute's worth
	@$(SNAKEMAKE) validate --configfile $(CONFIG)
	@cat results/validation/headline.txt
	@$(MAKE) --no-print-directory report CONFIG="$(CONFIG)" TARGET=validate

# Faults of a config with file and line, also of a file that is no YAML, of which Snakemake says no more.
check: $(READY)  ## faults of CONFIG=config/X.yaml with what to do
	@name=$$($(BIN)/python -m gaia_offsets.engine.config config/config.yaml $(CONFIG)) && echo "No fault; the run's name is $$name"

# The report of a finished run; CONFIG=config/x.yaml for an overlay (several, in their order, make one run).
# Refused while jobs are due: pages and captions would be of two configs.
report: $(READY)  ## the report of a finished run of CONFIG=config/X.yaml
	@mkdir -p logs
	@$(BIN)/snakemake -n $(TARGET) $(if $(CONFIG),--configfile $(CONFIG)) > logs/report.log 2>&1 || { cat logs/report.log; exit 1; }
	@grep -q "Nothing to be done" logs/report.log || { \
	  echo "No report: results are missing or of another config or code; run that config first"; exit 1; }
	@report="results/runs/$$($(BIN)/python -m gaia_offsets.engine.config config/config.yaml $(CONFIG))/report.html" && mkdir -p "$${report%/*}" && \
	  { $(BIN)/snakemake $(TARGET) --report "$$report" $(STYLE) \
	      $(if $(CONFIG),--configfile $(CONFIG)) > logs/report.log 2>&1 || { tail -n 5 logs/report.log; exit 1; }; } && \
	  echo "The report is made: $$report"

test: lint  ## lint, format and all tests that are quick
	$(PYTEST) -m "not slow and not nightly"

test-all: lint  ## all tests of a commit, as CI calls them
	$(PYTEST) -m "not nightly"

nightly: crash  ## what takes long and seldom changes
	$(PYTEST) -m nightly

# The toy through a SLURM of its own on this machine, compared with a run without (docs/elsewhere.md, On a cluster).
slurm: $(READY)  ## the toy through a SLURM of its own on this machine
	PYTHONPATH=tests $(BIN)/python tools/slurm.py

lint: $(READY)  ## lint, format, order of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

format: $(READY)  ## code in its format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

sizes: $(READY)  ## tools/sizes.yaml anew; a test lets it only fall
	$(BIN)/python tools/sizes.py

# Time and memory of parts and rules beside other programs: docs/benchmark.md; ONLY="apply fits" for some of them.
bench: $(READY)  ## time and memory beside other programs; ONLY="apply fits" for some
	$(BIN)/python tools/bench.py $(ONLY)

# Runs of the toy killed at random moments and started again; TIMES=5 for fewer than 20.
crash: $(READY)  ## runs of the toy killed and started again; TIMES=5 for fewer than 20
	PYTHONPATH=tests $(BIN)/python tools/crash.py $(TIMES)

# Generated pages; then the site, with the notebook run. A link that leads nowhere fails.
docs: $(READY)  ## the site in build/site, with generated pages and the notebook run
	$(BIN)/python docs/make_config_page.py
	$(BIN)/python docs/make_numbers_page.py
	$(BIN)/python docs/make_columns_page.py
	$(BIN)/python docs/make_site.py
	$(BIN)/mkdocs build --quiet --strict --config-file docs/mkdocs.yml
	@echo "The site is made: build/site/index.html"

# The newest versions for every Python from 3.11 on, with hashes and no address; by uv in an environment of its own.
lock: build/lock/bin/uv  ## the newest versions into envs/requirements.lock
	build/lock/bin/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.11 --no-annotate --no-header --no-emit-index-url envs/requirements.in -o envs/requirements.lock

build/lock/bin/uv:
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check uv

clean:  ## results, resources, logs and builds go
	find results/ -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
	rm -rf build resources logs benchmarks .snakemake
