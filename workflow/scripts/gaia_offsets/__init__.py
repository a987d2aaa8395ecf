"""Zero point of Gaia parallaxes, measured against reference parallaxes and mapped (Wang, Yuan & Huang 2022).

Correct parallaxes with a published map: `read_map`, then `correct_parallax` (arrays), `correct_table` (a DataFrame or
astropy Table) or `correct_file`; `zero_point` is that of Lindegren et al. 2021b, `true_error` an error that is not too
small. The parallax of a group of stars: `mean_parallax`, `group_means`; `angular_covariance` is what its stars share.
Maps and what makes them: `OffsetMap`, `read_dataset`, `group_statistics`.
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
    "mean_parallax": "correct.means",
    "group_means": "correct.means",
    "zero_point": "sample.zero_points",
    "true_error": "sample.errors",
    "angular_covariance": "sky.covariance",
    "group_statistics": "offsets.estimators",
}
__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'gaia_offsets' has no attribute {name!r}")
    return getattr(import_module(f"gaia_offsets.{_WHERE[name]}"), name)
