"""Zero point of Gaia parallaxes, measured against reference parallaxes and mapped (Wang, Yuan & Huang 2022).

Correct parallaxes with a published map: `read_map`, then `correct_parallax` (arrays), `correct_table` (a DataFrame or
astropy Table) or `correct_file` (with a `Correction`); `zero_point` is that of a model, `true_error` (with the
`error_factor` of a star) an error that is not too small. The parallax of a group of stars: `mean_parallax`,
`group_means`; `angular_covariance` is what its stars share. Maps and what makes them: `OffsetMap`, `read_dataset`,
`group_statistics`.

Parallaxes and their errors are in mas, offsets and what maps hold in uas, angles in degrees. An offset is Gaia minus
reference: it is subtracted. Arrays are lists, numpy arrays with or without a mask, pandas Series, astropy Columns or
Quantities, whose unit is honoured; results are numpy arrays with NaN where something is not known.

>>> from gaia_offsets import correct_parallax, read_map, zero_point
>>> offset = zero_point("lindegren2021", g=15.0, nu_eff=1.5, pseudocolour=None, ecl_lat=30.0, solution=31)
>>> corrected = correct_parallax(0.5, 45.0, 60.0, read_map("equatorial.ecsv", parallax="corrected"),
...                              base="raw", zero_point=offset)
>>> corrected["parallax_map_corrected"].round(4)
array([0.5291])
"""

from importlib import import_module
from typing import Any

_WHERE = {  # asked for when it is used: the engine imports this package without numpy
    "read_map": "publish.offset_map",
    "OffsetMap": "publish.offset_map",
    "read_dataset": "publish.dataset",
    "correct_parallax": "correct.apply",
    "correct_table": "correct.apply",
    "correct_file": "correct.apply",
    "Correction": "correct.correction",
    "mean_parallax": "correct.means",
    "group_means": "correct.means",
    "zero_point": "sample.zero_points",
    "error_factor": "sample.errors",
    "true_error": "sample.errors",
    "angular_covariance": "sky.covariance",
    "group_statistics": "offsets.statistics",
}
__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("gaia_offsets.core.version").VERSION
    if name not in _WHERE:
        raise AttributeError(f"module 'gaia_offsets' has no attribute {name!r}")
    return getattr(import_module(f"gaia_offsets.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})  # for help() and the completion of names
