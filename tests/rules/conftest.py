"""One run of the workflow makes the outputs of nearly all rules from the golden tables."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from rules import golden
from snakemake_run import made_once, run_snakemake

TARGETS = [
    "results/golden/tracers.parquet",
    "results/clusters/tracers.parquet",
    "results/unknown/tracers.parquet",
    "results/golden/figures/cutflow.png",
    "resources/golden_archive/archive/targets.parquet",
    "resources/simulated/tiny/targets.fits",
    *(f"results/measured/tables/{name}.csv" for name in ("global_offsets", "trends")),
    *(f"results/measured/figures/{name}.pdf" for name in ("fig4_offsets", "fig5_trends", "fig6_maps", "counts")),
    *(f"results/measured/maps/{frame}_raw.fits" for frame in ("equatorial", "galactic")),
    *(f"results/measured/dataset/{frame}_extended.ecsv" for frame in ("equatorial", "galactic")),
    "results/measured/README.md",
    "results/measured/corrected/mine.csv",
]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of that run; the files put in by hand are in `given`."""

    def make(folder: Path) -> None:
        given = folder / "given"
        golden.write_survey(given)
        golden.write_cluster(given)
        golden.write_catalogue(given)
        # The measured sample begins at its tracers: what would make them is not there and not needed.
        tracers = folder / "results/measured/tracers.parquet"
        tracers.parent.mkdir(parents=True)
        golden.measured_tracers().to_parquet(tracers, index=False)
        sha256 = hashlib.sha256((given / "spectra.csv").read_bytes()).hexdigest()
        run_snakemake(folder, config=golden.config(given, sha256), targets=TARGETS)

    return made_once(tmp_path_factory, "golden", make)
