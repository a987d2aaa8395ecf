# Set-up and the commands of the README. Needs Python 3.11 or newer and make; nothing else.
PYTHON ?= python3
CORES ?= $(shell nproc 2>/dev/null || echo 2)
BIN := .venv/bin
READY := .venv/.ready
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)

.PHONY: setup toy paper report test lint format bench docs lock clean

setup: $(READY)

# The .pth file makes `python -m gaia_offsets.apply` work from anywhere with this environment.
$(READY): envs/requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r envs/requirements.lock
	$(BIN)/python -c 'import sysconfig, pathlib; pathlib.Path(sysconfig.get_path("purelib"), "gaia_offsets.pth").write_text(str(pathlib.Path("workflow/scripts").resolve()) + "\n")'
	touch $@

toy: $(READY)
	$(SNAKEMAKE) --configfile config/toy.yaml
	$(MAKE) --no-print-directory report CONFIG=config/toy.yaml
	@echo "The toy run is done (simulated stars): open results/report.html; figures are in results/simulated_giants/figures/"

paper: $(READY)
	$(SNAKEMAKE)

# The report of the run with that config; CONFIG=config/x.yaml for an overlay.
report: $(READY)
	$(BIN)/snakemake --report results/report.html --report-stylesheet workflow/report/report.css $(if $(CONFIG),--configfile $(CONFIG))

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup -q

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow/rules

bench: $(READY)
	$(BIN)/python tests/bench.py

# docs/config.md from the schema.
docs: $(READY)
	$(BIN)/python docs/make_config_page.py

# Needs uv; writes hashes and no address.
lock:
	uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.11 --no-annotate --no-header --no-emit-index-url envs/requirements.in -o envs/requirements.lock

clean:
	rm -rf results/* resources logs benchmarks .snakemake
