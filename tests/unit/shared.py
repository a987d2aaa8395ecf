"""What several unit tests use: simulated stars, settings of the Gaussian fit, values by others, refusals in a line."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gaia_offsets import __main__ as command
from gaia_offsets.core.releases import coding, measured
from gaia_offsets.sky.positions import to_galactic
from gaia_offsets.tables.read import TableError

ROOT = Path(__file__).resolve().parents[2]
SOLUTIONS = measured(coding({}))  # of EDR3: 5p and 6p with the column of each one's colour
# By ending what astropy calls a format.
ASTROPY = {"fits": "fits", "vot": "votable", "ecsv": "ascii.ecsv", "csv": "ascii.csv", "parquet": "parquet"}
GAUSSIAN = {"method": "density_power", "beta": 0.3, "histogram_bins": 40}
# G, nu_eff, ecliptic latitude and the zero point of Maiz Apellaniz 2022 [mas] by an independent implementation.
MAIZ = [
    *[(8, 1.5, 0, -0.022458), (10, 1.45, 20, -0.029623), (12.5, 1.45, 20, -0.025116), (12.5, 1.45, 64, -0.017045)],
    *[(13.5, 1.48, 0, -0.042981), (15, 1.35, -45, -0.036349), (17, 1.25, 45, -0.026320), (17.8, 1.6, 60, -0.030335)],
    *[(18, 1.48, 90, -0.025880), (20, 1.6, 0, -0.010163), (15, 1.8, 0, -0.030113)],
]


def tracers(n: int, seed: int, *, sd: float = 50.0, six: float = 0.1, south: float = -90.0) -> pd.DataFrame:
    """Simulated stars north of a declination: offsets of -30 and 0 uas with this sd, of which `six` are 6p."""
    rng = np.random.default_rng(seed)
    ra, raw = rng.uniform(0, 360, n), rng.normal(-30.0, sd, n)
    dec = np.degrees(np.arcsin(rng.uniform(np.sin(np.radians(south)), 1, n)))
    table = pd.DataFrame({"ra": ra, "dec": dec, **dict(zip("lb", to_galactic(ra, dec), strict=True))})
    table = table.assign(solution=np.where(rng.random(n) < six, "6p", "5p"), phot_g_mean_mag=rng.uniform(10, 14, n))
    for name, kind in (("nu_eff_used_in_astrometry", "5p"), ("pseudocolour", "6p")):
        table[name] = np.where(table["solution"] == kind, rng.uniform(1.4, 1.6, n), np.nan)
    table = table.assign(ecl_lat=rng.uniform(-20, 80, n), reference_parallax=0.5, parallax_error=0.02)
    table = table.assign(parallax=0.5 + raw / 1000, parallax_corrected=0.53 + raw / 1000, offset_raw=raw)
    return table.assign(offset_corrected=raw + 30, reference_parallax_error=0.02)


@contextmanager
def refused(words: str, error: type[Exception] = TableError) -> Iterator[None]:
    """What is done in it is refused in one line that holds the words (a regular expression)."""
    with pytest.raises(error, match=words) as caught:
        yield
    assert len(str(caught.value).splitlines()) == 1


def refuses(words: str, what: Callable[..., Any], *given: Any, error: type[Exception] = TableError, **how: Any) -> None:
    """The call is refused in one line that holds the words (a regular expression)."""
    with refused(words, error):
        what(*given, **how)


def command_refuses(capsys: pytest.CaptureFixture[str], words: str, *arguments: Any) -> None:
    """`gaia-offsets` with these arguments ends in one line that holds the words (a regular expression)."""
    capsys.readouterr()
    assert command.main([*map(str, arguments)]) == 1
    said = capsys.readouterr().err
    assert re.search(words, said) and said.count("\n") == 1 and "Traceback" not in said, said
