"""The numbers and patterns that the paper states, against those of a run: measures, statistics, verdicts, pages.

A claim is data (config/claims.yaml): it names one of the functions below and its arguments. Nothing is evaluated.
"""

from __future__ import annotations

import difflib
import html
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from gaia_offsets.reference import parallax_shift

COLUMNS = (
    *("id", "claim", "place", "unit", "published", "tolerance", "reproduced", "difference", "difference_sigma"),
    *("verdict", "reason"),
)
KEYS = {  # kind of claim: keys it needs, besides id, text, place and unit
    "number": ("published", "tolerance", "measure"),
    "arithmetic": ("published", "tolerance", "measure"),
    "pattern": ("measure",),
    "quoted": ("published", "reason"),
}
OPTIONAL = ("with", "at_least", "at_most", "note")


class ClaimError(ValueError):
    """A file of claims that cannot be used; one line for each fault."""


class NotTestable(Exception):
    """This run does not hold what the claim is about; the message says what is lacking."""


class Run:
    """The tables of one sample by name, and the settings that claims are about."""

    def __init__(self, tables: Mapping[str, pd.DataFrame], settings: Mapping[str, float]) -> None:
        self.tables, self.settings = tables, settings

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


# ---------------------------------------------------------------- arithmetic: reproduced anywhere


def shift(run: Run, parallax: float, magnitude: float) -> Result:
    """Change of a parallax when its magnitude changes: omega ln10/5 dM."""
    return float(parallax_shift(parallax, magnitude)), EXACT


def product(run: Run, factors: Sequence[float]) -> Result:
    """Product of numbers."""
    return float(np.prod(factors)), EXACT


def ratio(run: Run, numerator: float, denominator: float) -> Result:
    """Quotient of two numbers."""
    return numerator / denominator, EXACT


def pixels(run: Run, nside: int) -> Result:
    """Number of HEALPix pixels."""
    return 12.0 * nside**2, EXACT


def pixel_area(run: Run, nside: int) -> Result:
    """Area of a HEALPix pixel, deg2."""
    return float(np.degrees(np.degrees(4.0 * np.pi)) / (12 * nside**2)), EXACT


# ---------------------------------------------------------------- numbers of the run


def setting(run: Run, name: str) -> Result:
    """A setting of the run."""
    return float(run.settings[name]), EXACT


def stars(run: Run, column: str, step: str = "last") -> Result:
    """Stars of a column of the cut flow, at its first or last step."""
    return float(run.rows("cutflow").sort_values("step")[column].iloc[0 if step == "first" else -1]), EXACT


def offset(run: Run, solution: str, parallax: str, statistic: str) -> Result:
    """A global offset and its error, uas."""
    row = run.rows("global_offsets", solution=solution, parallax=parallax).iloc[0]
    return float(row[statistic]), float(row[f"{statistic}_error"])


def magnitude(run: Run, kind: str) -> Result:
    """Mean of the Gaussian fit of Fig. 1, mag."""
    row = run.rows("magnitudes", kind=kind).iloc[0]
    return float(row["gaussian_mean"]), float(row["gaussian_mean_error"])


def summary(
    run: Run, table: str, column: str, error: str | None = None, where: Mapping[str, str] | None = None
) -> Result:
    """A number of a table of one row (a group)."""
    row = run.rows(table, **(where or {})).iloc[0]
    return float(row[column]), float(row[error]) if error else EXACT


def distance_error(run: Run, red_clump_error: float) -> Result:
    """Fractional error of the reference: the scatter against the red clump without the red clump's own."""
    row = run.rows("red_clump").iloc[0]
    return float(np.sqrt(max(row["relative_scatter"] ** 2 - red_clump_error**2, 0.0))), EXACT


def relative(run: Run, low: float, high: float, abscissa: str = "red_clump") -> Result:
    """Median relative difference, %, of the bins of Fig. 3 with their middle between two parallaxes, uas."""
    bins = run.rows("red_clump_trend", abscissa=abscissa)
    middle = (bins["bin_low"] + bins["bin_high"]) / 2
    bins = bins[(middle >= low) & (middle <= high)]
    if len(bins) == 0:
        raise NotTestable(f"no bin of Fig. 3 between {low:g} and {high:g} uas has enough pairs")
    return _mean(bins["median"], bins["median_error"])


def level(run: Run, solution: str, parallax: str, variable: str) -> Result:
    """Weighted mean of the bins of a trend, uas; its error holds the scatter of the bins."""
    y, error, _ = _bins(run, solution, parallax, variable)
    mean, plain = _mean(y, error)
    return mean, max(plain, float(np.std(y, ddof=1) / np.sqrt(len(y))) if len(y) > 1 else plain)


def fewest(run: Run, table: str, column: str) -> Result:
    """Lowest value of a column."""
    return float(run.rows(table)[column].min()), EXACT


def pixel_median(run: Run, parallax: str) -> Result:
    """Median of the published pixels, uas."""
    y, _, _ = _pixels(run, parallax)
    return float(np.median(y)), 1.2533 * float(np.std(y, ddof=1)) / np.sqrt(len(y))


def pixel_share(run: Run, parallax: str, low: float | None = None, high: float | None = None) -> Result:
    """Share of the published pixels with an offset between two values, uas, with its binomial error."""
    y, _, _ = _pixels(run, parallax)
    inside = (y > (-np.inf if low is None else low)) & (y < (np.inf if high is None else high))
    share = float(inside.mean())
    return share, float(np.sqrt(max(share * (1 - share), 1.0 / len(y)) / len(y)))


# ---------------------------------------------------------------- patterns: statistics


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


def inconstancy(run: Run, solution: str, parallax: str, variable: str) -> Result:
    """How far chi2 of the bins against a constant lies above its expectation, in standard deviations of chi2."""
    y, error, _ = _bins(run, solution, parallax, variable)
    return _inconstancy(y, error)


def variation_ratio(run: Run, solution: str, variable: str) -> Result:
    """Standard deviation of the corrected bins without their noise, over that of the raw ones."""
    parts = [_bins(run, solution, parallax, variable) for parallax in ("corrected", "raw")]
    return _variation_ratio(*(part[:2] for part in parts))


def pixel_inconstancy(run: Run, parallax: str) -> Result:
    """How far chi2 of the published pixels against a constant lies above its expectation, in its sd."""
    y, error, _ = _pixels(run, parallax)
    return _inconstancy(y, error)


def pixel_variation_ratio(run: Run) -> Result:
    """Standard deviation of the corrected pixels without their noise, over that of the raw ones."""
    return _variation_ratio(*(_pixels(run, parallax)[:2] for parallax in ("corrected", "raw")))


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
    """Offsets, errors [uas] and latitudes [deg] of the 5p pixels with more stars than map.more_than."""
    table = run.rows(f"map_{frame}", solution="5p", parallax=parallax)
    table = table[(table["n"] > run.settings["more_than"]) & (table["gaussian_mean_error"] > 0)]
    if len(table) < 3:
        raise NotTestable(f"fewer than 3 pixels with more than {run.settings['more_than']:g} 5p stars")
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


MEASURES: dict[str, Callable[..., Result]] = {
    function.__name__: function
    for function in (
        *(shift, product, ratio, pixels, pixel_area, setting, stars, offset, magnitude, summary, distance_error),
        *(relative, level, fewest, pixel_median, pixel_share, hump, slope, inconstancy, variation_ratio),
        *(pixel_inconstancy, pixel_variation_ratio, plane_excess),
    )
}


# ---------------------------------------------------------------- the file of claims


def read_claims(path: str | Path) -> list[dict[str, Any]]:
    """The claims of a YAML file, checked. Raises ClaimError with every fault on its line."""
    content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise ClaimError(f"{path}: should be a list of claims, each a map")
    faults = [fault for number, entry in enumerate(content) for fault in _faults(number, entry)]
    names = [entry.get("id") for entry in content]
    faults += [f"{name}: stands more than once" for name in dict.fromkeys(names) if names.count(name) > 1]
    if faults:
        raise ClaimError("\n".join(f"{path}: {fault}" for fault in faults))
    return content


def _faults(number: int, entry: Mapping[str, Any]) -> Iterable[str]:
    name = entry.get("id", f"claim {number}")
    kind = entry.get("kind")
    if kind not in KEYS:
        yield f"{name}.kind: {kind!r} is none of {', '.join(KEYS)}"
        return
    needed = ("id", "text", "place", "unit", "kind", *KEYS[kind])
    allowed = (*needed, *OPTIONAL)
    yield from (f"{name}.{key}: missing" for key in needed if key not in entry)
    yield from (f"{name}.{key}: not a known key{_near(key, allowed)}" for key in entry if key not in allowed)
    if kind == "pattern" and ("at_least" in entry) == ("at_most" in entry):
        yield f"{name}: a pattern needs one of at_least and at_most"
    if "measure" not in entry:
        return
    if entry["measure"] not in MEASURES:
        yield f"{name}.measure: {entry['measure']!r} is not a known one{_near(entry['measure'], MEASURES)}"
        return
    known = dict(list(inspect.signature(MEASURES[entry["measure"]]).parameters.items())[1:])
    given = entry.get("with") or {}
    yield from (
        f"{name}.with.{key}: {entry['measure']} takes no such{_near(key, known)}" for key in given if key not in known
    )
    needs = [key for key, parameter in known.items() if parameter.default is parameter.empty]
    yield from (f"{name}.with.{key}: missing; {entry['measure']} needs it" for key in needs if key not in given)


def _near(word: Any, words: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(word), list(words), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


# ---------------------------------------------------------------- verdicts


def check_claims(claims: Sequence[Mapping[str, Any]], run: Run, *, simulated: bool) -> pd.DataFrame:
    """claims.csv: the columns COLUMNS, one row a claim, in their order.

    A number agrees where it is within its tolerance. A pattern agrees where its significance (or, for shares and
    ratios, its value) is at least or at most what the claim says. On simulated stars only arithmetic has a verdict:
    what the paper says of the sky is `not tested here`, with the run's value beside it; each verdict says simulated.
    """
    prefix = "simulated: " if simulated else ""
    rows = []
    for claim in claims:
        row = dict.fromkeys(COLUMNS)
        row |= {"id": claim["id"], "claim": claim["text"], "place": claim["place"], "unit": claim["unit"]}
        row |= {"published": claim.get("published"), "tolerance": claim.get("tolerance")}
        try:
            if claim["kind"] == "quoted":
                raise NotTestable(claim["reason"])
            row |= _verdict(claim, MEASURES[claim["measure"]](run, **(claim.get("with") or {})))
            if claim["kind"] == "arithmetic":
                row["reason"] += "; arithmetic on the paper's own numbers, whatever the stars"
            elif simulated:
                row |= {"verdict": "not tested here", "reason": "a statement on real stars"}
        except NotTestable as reason:
            row |= {"verdict": f"not testable: {reason}", "reason": str(reason)}
        row["verdict"] = prefix + row["verdict"]
        rows.append(row)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = ["published", "tolerance", "reproduced", "difference", "difference_sigma"]
    return table.astype(dict.fromkeys(numbers, "float64"))


def _verdict(claim: Mapping[str, Any], result: Result) -> dict[str, Any]:
    value, error = result
    row: dict[str, Any] = {"reproduced": value}
    spread = f" +- {error:.3g}" if np.isfinite(error) else ""
    if claim["kind"] == "pattern":
        significant = claim["unit"] == "sigma"
        statistic = significance(result) if significant and np.isfinite(error) else value
        bound = claim.get("at_least", claim.get("at_most"))
        size = abs(statistic) if significant and "at_most" in claim else statistic
        good = size >= bound if "at_least" in claim else size <= bound
        row |= {"reproduced": statistic, "difference_sigma": statistic if significant else np.nan}
        word = "at least" if "at_least" in claim else "at most"
        row["reason"] = f"{claim['measure']} = {value:.3g}{spread}; should be {word} {bound:g} {claim['unit']}"
    else:
        difference = value - claim["published"]
        good = abs(difference) <= claim["tolerance"] * (1 + 1e-9)
        row |= {"difference": difference}
        row["difference_sigma"] = difference / error if np.isfinite(error) and error > 0 else np.nan
        row["reason"] = f"{'within' if good else 'beyond'} the tolerance" + (f", error {error:.2g}" if spread else "")
    if not np.isfinite(row["reproduced"]):
        raise NotTestable("the run has no value for it")
    row["verdict"] = "agrees" if good else "differs"
    if claim.get("note"):
        row["reason"] += f"; {claim['note']}"
    return row


# ---------------------------------------------------------------- pages of the report

_STYLE = """
body { font: 12.5px/1.4 system-ui, "DejaVu Sans", sans-serif; margin: 1.2em 1.6em; color: #1a1a1a; background: #fff; }
h1 { font-size: 1.25em; } h2 { font-size: 1.05em; margin-top: 1.5em; } p { max-width: 62em; }
table { border-collapse: collapse; } caption { text-align: left; padding-bottom: .4em; }
th, td { padding: .2em .45em; border-bottom: 1px solid #d8d8d8; text-align: left; vertical-align: top; }
th { position: sticky; top: 0; background: #f1f3f5; } td.number { text-align: right; white-space: nowrap; }
td.agrees { background: #dff0e0; } td.differs { background: #f8dcd8; } td.untested { background: #ececec; }
td.verdict { white-space: nowrap; } td.claim, td.reason { min-width: 15em; }
.simulated { border-left: 4px solid #e69f00; padding-left: .6em; }
"""


def page(title: str, *parts: str, simulated: bool) -> str:
    """A page of its own, without scripts or addresses, from parts that are HTML already."""
    warning = '<p class="simulated"><b>The stars are simulated</b>: no number here says anything about Gaia.</p>'
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{_STYLE}</style>'
    body = "\n".join([f"<h1>{html.escape(title)}</h1>", *([warning] if simulated else []), *parts])
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>"


def html_table(table: pd.DataFrame, digits: Mapping[str, str] | None = None) -> str:
    """A table as HTML; `digits` has formats of numbers below 1000, `.4g` where none. Verdicts get a colour."""
    digits = digits or {}

    def cell(name: str, value: Any) -> str:
        if pd.isna(value):
            return "<td></td>"
        if isinstance(value, str):
            kinds = {"verdict": f"verdict {_tone(value)}", "claim": "claim", "reason": "reason"}
            kind = f' class="{kinds[name]}"' if name in kinds else ""
            return f"<td{kind}>{html.escape(value)}</td>"
        whole = isinstance(value, int | np.integer) or abs(value) >= 1000
        text = f"{value:{',.0f' if whole else digits.get(name, '.4g')}}"
        return f'<td class="number">{text.replace("-", "&minus;")}</td>'

    names = list(table.columns)
    head = "".join(f"<th>{html.escape(str(name).replace('_', ' '))}</th>" for name in names)
    lines = ["<tr>" + "".join(map(cell, names, row)) + "</tr>" for row in table.itertuples(index=False, name=None)]
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(lines) + "\n</tbody></table>"


def _tone(verdict: str) -> str:
    return next((word for word in ("agrees", "differs") if verdict.endswith(word)), "untested")


def count_verdicts(claims: pd.DataFrame) -> dict[str, int]:
    """How many claims agree, differ and cannot be tested."""
    tone = claims["verdict"].map(_tone)
    return {word: int((tone == word).sum()) for word in ("agrees", "differs", "untested")}


def results_page(
    title: str,
    *,
    cutflow: pd.DataFrame,
    offsets: pd.DataFrame,
    pixels: pd.DataFrame,
    more_than: int,
    simulated: bool,
    claims: pd.DataFrame | None = None,
) -> str:
    """The story of a sample in one page: what was cut, what was found, how it compares.

    `pixels` is the map table of the equatorial frame, the others are cutflow.csv, global_offsets.csv and, for a sample
    that is tested against published statements, claims.csv.
    """
    first, last = cutflow.iloc[0], cutflow.iloc[-1]
    hardest = cutflow.loc[cutflow["removed"].idxmax()]
    cut = (
        f"Of {first['kept']:,} {first['criterion']}, {last['kept']:,} stars are left: {last['kept_5p']:,} with "
        f"five-parameter and {last['kept_6p']:,} with six-parameter solutions. The step that removed most is "
        f"\u201c{hardest['criterion']}\u201d, with {hardest['removed']:,}."
    )
    found = [_finding(solution, part.set_index("parallax")) for solution, part in offsets.groupby("solution")]
    shown = pixels[(pixels["solution"] == "5p") & (pixels["parallax"] == "raw")]
    above = int((shown["n"] > more_than).sum())
    found.append(f"The map has {above:,} pixels with more than {more_than} five-parameter stars.")
    places = {name: ".1f" for name in offsets.columns if offsets[name].dtype.kind == "f"}
    return page(
        title,
        "<h2>What was cut</h2>",
        paragraph(cut),
        html_table(cutflow),
        "<h2>What was found</h2>",
        *map(paragraph, found),
        paragraph("Offsets are Gaia minus reference parallax, in microarcseconds:"),
        html_table(offsets, places),
        *([] if claims is None else _comparison(claims)),
        simulated=simulated,
    )


def _comparison(claims: pd.DataFrame) -> list[str]:
    """The part of the results page on published statements."""
    counts = count_verdicts(claims)
    text = (
        f"Of {len(claims)} statements of the paper, {counts['agrees']} agree with this run, {counts['differs']} "
        f"differ and {counts['untested']} cannot be tested with it."
    )
    differing = claims[claims["verdict"].str.endswith("differs")][
        ["claim", "place", "unit", "published", "reproduced", "difference", "difference_sigma", "reason"]
    ]
    listed = [paragraph("Those that differ:"), html_table(differing)] if len(differing) else []
    return ["<h2>How it compares</h2>", paragraph(text), *listed]


def _finding(solution: str, rows: pd.DataFrame) -> str:
    """One sentence on the stars of a solution; `rows` of global_offsets.csv by parallax."""
    words = []
    for parallax, name in (("raw", "published"), ("corrected", "corrected")):
        if parallax in rows.index:
            row = rows.loc[parallax]
            size = "too small" if row["median"] < 0 else "too large"
            error = f" \u00b1 {row['median_error']:.1f}" if np.isfinite(row["median_error"]) else ""
            words.append(f"{name} parallaxes are {size} by {abs(row['median']):.1f}{error} uas")
    return f"{solution}: in the median, {' and '.join(words)}."
