"""One run of the workflow makes the outputs of most rules from the golden tables."""

from __future__ import annotations

from pathlib import Path

import pytest
from rules import golden
from snakemake_run import made_once, run_snakemake

FRAMES = ("equatorial", "galactic")
TARGETS = [
    "results/golden/tracers.parquet",
    "results/clusters/tracers.parquet",
    "resources/golden_archive/archive/targets.parquet",
    "resources/simulated/tiny/targets.fits",
    *(f"results/measured/tables/{name}.csv" for name in ("global_offsets", "trends", "errors", "cross_validation")),
    *(f"results/measured/maps/{frame}_raw.fits" for frame in FRAMES),
    *(f"results/measured/dataset/{frame}_extended.ecsv" for frame in FRAMES),
    "results/measured/README.md",
    "results/measured/corrected/mine.csv",
]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of that run; the files put in by hand are in `given`."""

    def make(folder: Path) -> None:
        golden.write(folder / "given")
        # The measured sample begins at its tracers: what would make them is not there and not needed.
        tracers = folder / "results/measured/tracers.parquet"
        tracers.parent.mkdir(parents=True)
        golden.measured_tracers().to_parquet(tracers, index=False)
        run_snakemake(folder, config=golden.config(folder / "given"), targets=TARGETS)

    return made_once(tmp_path_factory, "golden", make)
