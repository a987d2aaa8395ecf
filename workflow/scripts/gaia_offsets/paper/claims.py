"""What a claim can measure: functions of a run, each a value with its error.

A claim is data (workflow/resources/claims.yaml): it names one of the functions below and gives its arguments. No text
of a claim is ever run as code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.sample.reference import parallax_shift


class NotTestable(Exception):
    """This run does not hold what the claim is about; the message says what is lacking."""


class Run:
    """The tables of one sample by name, the settings that claims are about, and the standard class of solutions."""

    def __init__(self, tables: Mapping[str, pd.DataFrame], settings: Mapping[str, float], standard: str) -> None:
        self.tables, self.settings, self.standard = tables, settings, standard

    def rows(self, table: str, **where: str) -> pd.DataFrame:
        """Rows of a table where each named column equals its value."""
        if table not in self.tables:
            raise NotTestable(f"the sample has no table {table}")
        frame = self.tables[table]
        for name, value in where.items():
            frame = frame[frame[name] == value]
        if len(frame) == 0:
            raise NotTestable(f"no rows of {', '.join(map(str, where.values())) or 'any kind'} in the table {table}")
        return frame


Result = tuple[float, float]  # value and its standard error; null where it is exact or unknown
EXACT = float("nan")
MEASURES: dict[str, Callable[..., Result]] = {}


def measure(function: Callable[..., Result]) -> Callable[..., Result]:
    """Makes a function one that claims may name."""
    MEASURES[function.__name__] = function
    return function


# ---------------------------------------------------------------- arithmetic: reproduced anywhere


@measure
def shift(run: Run, parallax: float, magnitude: float) -> Result:
    """Change of a parallax when its magnitude changes: omega ln10/5 dM."""
    return float(parallax_shift(parallax, magnitude)), EXACT


@measure
def product(run: Run, factors: Sequence[float]) -> Result:
    """Product of numbers."""
    return float(np.prod(factors)), EXACT


@measure
def ratio(run: Run, numerator: float, denominator: float) -> Result:
    """Quotient of two numbers."""
    return numerator / denominator, EXACT


@measure
def pixels(run: Run, nside: int) -> Result:
    """Number of HEALPix pixels."""
    return 12.0 * nside**2, EXACT


@measure
def pixel_area(run: Run, nside: int) -> Result:
    """Area of a HEALPix pixel, deg2."""
    return float(np.degrees(np.degrees(4.0 * np.pi)) / (12 * nside**2)), EXACT


# ---------------------------------------------------------------- numbers of the run


@measure
def setting(run: Run, name: str) -> Result:
    """A setting of the run."""
    return float(run.settings[name]), EXACT


@measure
def stars(run: Run, column: str, step: str = "last") -> Result:
    """Stars of a column of the cut flow, at its first or last step."""
    flow = run.rows("cutflow").sort_values("step")
    if column not in flow:
        raise NotTestable(f"the cut flow has no {column}: no such class of solutions is measured in this release")
    return float(flow[column].iloc[0 if step == "first" else -1]), EXACT


@measure
def offset(run: Run, solution: str, parallax: str, statistic: str) -> Result:
    """A global offset and its error, uas."""
    row = run.rows("global_offsets", solution=solution, parallax=parallax).iloc[0]
    return float(row[statistic]), float(row[f"{statistic}_error"])


@measure
def magnitude(run: Run, kind: str) -> Result:
    """Mean of the Gaussian fit of Fig. 1, mag."""
    row = run.rows("magnitudes", kind=kind).iloc[0]
    return float(row["gaussian_mean"]), float(row["gaussian_mean_error"])


@measure
def summary(
    run: Run, table: str, column: str, error: str | None = None, where: Mapping[str, str] | None = None
) -> Result:
    """A number of a table of one row (a group)."""
    row = run.rows(table, **(where or {})).iloc[0]
    return float(row[column]), float(row[error]) if error else EXACT


@measure
def distance_error(run: Run, red_clump_error: float) -> Result:
    """Fractional error of the reference: the scatter against the red clump without the red clump's own."""
    row = run.rows("red_clump").iloc[0]
    return float(np.sqrt(max(row["relative_scatter"] ** 2 - red_clump_error**2, 0.0))), EXACT


@measure
def relative(run: Run, low: float, high: float, abscissa: str = "red_clump") -> Result:
    """Median relative difference, %, of the bins of Fig. 3 with their middle between two parallaxes, uas."""
    bins = run.rows("red_clump_trend", abscissa=abscissa)
    middle = (bins["bin_low"] + bins["bin_high"]) / 2
    bins = bins[(middle >= low) & (middle <= high)]
    if len(bins) == 0:
        raise NotTestable(f"no bin of Fig. 3 between {low:g} and {high:g} uas has enough pairs")
    return _mean(bins["median"], bins["median_error"])


@measure
def level(run: Run, solution: str, parallax: str, variable: str) -> Result:
    """Weighted mean of the bins of a trend, uas; its error holds the scatter of the bins."""
    y, error, _ = _bins(run, solution, parallax, variable)
    mean, plain = _mean(y, error)
    return mean, max(plain, float(np.std(y, ddof=1) / np.sqrt(len(y))) if len(y) > 1 else plain)


@measure
def fewest(run: Run, table: str, column: str) -> Result:
    """Lowest value of a column."""
    return float(run.rows(table)[column].min()), EXACT


@measure
def pixel_median(run: Run, parallax: str) -> Result:
    """Median of the published pixels, uas."""
    y, _, _ = _pixels(run, parallax)
    return float(np.median(y)), 1.2533 * float(np.std(y, ddof=1)) / np.sqrt(len(y))


@measure
def pixel_share(run: Run, parallax: str, low: float | None = None, high: float | None = None) -> Result:
    """Share of the published pixels with an offset between two values, uas, with its binomial error."""
    y, _, _ = _pixels(run, parallax)
    inside = (y > (-np.inf if low is None else low)) & (y < (np.inf if high is None else high))
    share = float(inside.mean())
    return share, float(np.sqrt(max(share * (1 - share), 1.0 / len(y)) / len(y)))


# ---------------------------------------------------------------- patterns: statistics


@measure
def hump(run: Run, solution: str, parallax: str, inside: Sequence[float], outside: Sequence[Sequence[float]]) -> Result:
    """Mean offset of the bins of G inside an interval minus that of the bins on both its sides, uas."""
    y, error, x = _bins(run, solution, parallax, "phot_g_mean_mag")

    def mean(intervals: Iterable[Sequence[float]]) -> Result:
        keep = np.any([(x >= low) & (x < high) for low, high in intervals], axis=0)
        if not keep.any():
            raise NotTestable(f"no bin of {solution} in G = {', '.join(f'{a:g} to {b:g}' for a, b in intervals)} mag")
        return _mean(y[keep], error[keep])

    sides = [mean([interval]) for interval in outside]
    (middle, error_middle) = mean([inside])
    around = float(np.mean([value for value, _ in sides]))
    error_around = float(np.sqrt(sum(e**2 for _, e in sides))) / len(sides)
    return middle - around, float(np.hypot(error_middle, error_around))


@measure
def slope(run: Run, solution: str, parallax: str, variable: str) -> Result:
    """Slope of a straight line through the bins, uas per unit; its error grows with the scatter about the line."""
    y, error, x = _bins(run, solution, parallax, variable)
    if len(y) < 3:
        raise NotTestable(f"fewer than 3 bins of {solution} in {variable}")
    weight = error**-2.0
    centre = x - np.average(x, weights=weight)
    spread = float(np.sum(weight * centre**2))
    value = float(np.sum(weight * centre * y)) / spread
    residual = y - np.average(y, weights=weight) - value * centre
    excess = max(1.0, float(np.sum(weight * residual**2)) / (len(y) - 2))
    return value, float(np.sqrt(excess / spread))


@measure
def inconstancy(run: Run, solution: str, parallax: str, variable: str) -> Result:
    """How far chi2 of the bins against a constant lies above its expectation, in standard deviations of chi2."""
    y, error, _ = _bins(run, solution, parallax, variable)
    return _inconstancy(y, error)


@measure
def variation_ratio(run: Run, solution: str, variable: str) -> Result:
    """Standard deviation of the corrected bins without their noise, over that of the raw ones."""
    parts = [_bins(run, solution, parallax, variable) for parallax in ("corrected", "raw")]
    return _variation_ratio(*(part[:2] for part in parts))


@measure
def pixel_inconstancy(run: Run, parallax: str) -> Result:
    """How far chi2 of the published pixels against a constant lies above its expectation, in its sd."""
    y, error, _ = _pixels(run, parallax)
    return _inconstancy(y, error)


@measure
def pixel_variation_ratio(run: Run) -> Result:
    """Standard deviation of the corrected pixels without their noise, over that of the raw ones."""
    return _variation_ratio(*(_pixels(run, parallax)[:2] for parallax in ("corrected", "raw")))


@measure
def plane_excess(run: Run, parallax: str, band_deg: float) -> Result:
    """Mean |offset| of the pixels with |b| < band_deg minus that of the others, uas, with the scatter of the pixels."""
    y, _, latitude = _pixels(run, parallax, frame="galactic")
    plane = np.abs(latitude) < band_deg
    if plane.sum() < 2 or (~plane).sum() < 2:
        raise NotTestable(f"the published pixels are not on both sides of |b| = {band_deg:g} deg")
    inside, outside = np.abs(y[plane]), np.abs(y[~plane])
    error = np.sqrt(inside.var(ddof=1) / len(inside) + outside.var(ddof=1) / len(outside))
    return float(inside.mean() - outside.mean()), float(error)


def _bins(run: Run, solution: str, parallax: str, variable: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Offsets, errors [uas] and mean abscissae of the bins of a trend."""
    bins = run.rows("trends", solution=solution, parallax=parallax, variable=variable)
    bins = bins[bins["gaussian_mean_error"] > 0]
    if len(bins) < 2:
        raise NotTestable(f"fewer than 2 bins of {solution} in {variable}")
    return tuple(bins[name].to_numpy(float) for name in ("gaussian_mean", "gaussian_mean_error", "x_mean"))


def _pixels(run: Run, parallax: str, frame: str = "equatorial") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Offsets, errors [uas] and latitudes [deg] of the standard class's pixels with more stars than map.more_than."""
    table = run.rows(f"map_{frame}", solution=run.standard, parallax=parallax)
    table = table[(table["n"] > run.settings["more_than"]) & (table["gaussian_mean_error"] > 0)]
    if len(table) < 3:
        raise NotTestable(f"fewer than 3 pixels with more than {run.settings['more_than']:g} {run.standard} stars")
    return tuple(table[name].to_numpy(float) for name in ("gaussian_mean", "gaussian_mean_error", "latitude"))


def _mean(values: Any, errors: Any) -> Result:
    weight = np.asarray(errors, dtype=float) ** -2.0
    return float(np.average(np.asarray(values, dtype=float), weights=weight)), float(weight.sum() ** -0.5)


def _inconstancy(y: np.ndarray, error: np.ndarray) -> Result:
    weight, freedom = error**-2.0, len(y) - 1
    chi2 = float(np.sum(weight * (y - np.average(y, weights=weight)) ** 2))
    return (chi2 - freedom) / float(np.sqrt(2.0 * freedom)), EXACT


def _excess_variance(y: np.ndarray, error: np.ndarray) -> Result:
    """Variance of the values beyond their errors, and the standard deviation it would have if there were none."""
    weight, freedom = error**-2.0, len(y) - 1
    noise = freedom / float(weight.sum() - (weight**2).sum() / weight.sum())  # variance that the errors alone make
    return noise * float(np.sqrt(2.0 / freedom)) * _inconstancy(y, error)[0], noise * float(np.sqrt(2.0 / freedom))


def _variation_ratio(corrected: tuple[np.ndarray, np.ndarray], raw: tuple[np.ndarray, np.ndarray]) -> Result:
    top, _ = _excess_variance(*corrected)
    bottom, noise = _excess_variance(*raw)
    if bottom < 3.0 * noise:
        raise NotTestable("the raw offsets do not vary beyond 3 times their noise: there is nothing to reduce")
    return float(np.sqrt(max(top, 0.0) / bottom)), EXACT


def significance(result: Result) -> float:
    """Value over error; null where the error is unknown."""
    return result[0] / result[1] if np.isfinite(result[1]) and result[1] > 0 else float("nan")
