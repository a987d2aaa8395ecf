"""What several unit tests use: settings of the Gaussian fit and refusals in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gaia_offsets.releases import coding, measured
from gaia_offsets.tables import TableError

ROOT = Path(__file__).resolve().parents[2]
SOLUTIONS = measured(coding({}))  # of EDR3: 5p and 6p with the column of each one's colour
# By ending what astropy calls a format.
ASTROPY = {"fits": "fits", "vot": "votable", "ecsv": "ascii.ecsv", "csv": "ascii.csv", "parquet": "parquet"}
GAUSSIAN = {"method": "density_power", "beta": 0.3, "histogram_bins": 40}


@contextmanager
def refused(words: str, error: type[Exception] = TableError) -> Iterator[None]:
    """What is done in it is refused in one line that holds the words (a regular expression)."""
    with pytest.raises(error, match=words) as caught:
        yield
    assert len(str(caught.value).splitlines()) == 1
