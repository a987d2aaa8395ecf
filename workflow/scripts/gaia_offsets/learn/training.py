"""Absolute magnitudes of the giants, learned from their labels and Gaia parallaxes, with the zero point in between."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.columns import GAIA, LABELS, STRATA
from gaia_offsets.learn import learned
from gaia_offsets.learn.residuals import against_known, residual_table, unseen_residuals
from gaia_offsets.sample.corrections import zero_point_of
from gaia_offsets.sample.reference import extinction_ks, parallax_from_modulus
from gaia_offsets.sample.selection import best_rows, solution
from gaia_offsets.tables.cuts import cut_mask, describe_cut
from gaia_offsets.tables.native import column_names
from gaia_offsets.tables.read import TableError

CHUNK = 200_000  # rows that are predicted at once
EXTINCTIONS = ("ebv", "av")  # columns of the residuals, where the table has them
VAGUE_UAS = 5.0  # error of a zero point of the training that the user is warned of
# Slope and shift [uas] that may do harm: simulated skies with the right zero point have less (docs/validation.md).
STEEP, FAR_UAS = 0.03, 8.0
DEFAULTS = {"labels": LABELS, "cuts": None, "zero_point": True, "strata": STRATA, "folds": 5, "check": None}


def numbers(table: pd.DataFrame, name: str) -> np.ndarray:
    """A column as float64 (N,), null where unknown. Raises TableError where it is missing."""
    if name not in table.columns:
        raise TableError(f"learned magnitudes: the cross-matched table has no column {name!r}; name it in `columns:`")
    return table[name].to_numpy(dtype=float, na_value=np.nan)


def parallax_unit(table: pd.DataFrame, reference: Mapping[str, Any]) -> np.ndarray:
    """Parallax [mas] (N,) of a star with the row's dereddened apparent magnitude and absolute magnitude 0."""
    apparent = numbers(table, reference["apparent_magnitude"])
    return parallax_from_modulus(apparent - extinction_ks(table, reference.get("extinction")))


@dataclass(frozen=True)
class Rows:
    """How training stars are picked from the cross-matched table, as in the config of the sample."""

    one_row_per: Mapping[str, Any] | None
    cuts: Sequence[Mapping[str, Any]]
    codes: Mapping[str, Any]
    official: str
    corrections: Mapping[str, Mapping[str, Any]]


def training_rows(matched: pd.DataFrame, known: np.ndarray, rows: Rows) -> tuple[np.ndarray, list[str]]:
    """Places of the training stars, and a line for each step.

    Of the rows with a counterpart those of the standard class, one row a star, after the cuts, with what the fit needs
    (`known`).
    """
    standard, one_row_per = rows.codes["standard"], rows.one_row_per
    stars = matched.assign(
        solution=solution(matched["astrometric_params_solved"], rows.codes), place=np.arange(len(matched))
    )
    stars = stars[stars["source_id"].notna().to_numpy() & (stars["solution"] == standard).to_numpy(dtype=bool)]
    lines = [f"{len(stars)} rows with a {standard} solution"]
    if one_row_per:
        stars = stars[best_rows(stars, one_row_per["columns"], one_row_per.get("prefer"), one_row_per.get("ties"))]
        lines.append(f"{len(stars)} stars")
    for cut in rows.cuts:
        stars = stars[cut_mask(stars, cut)]
        lines.append(f"{len(stars)} after {describe_cut(cut)}")
    places = stars["place"].to_numpy()
    places = places[known[places]]
    return places, [*lines, f"{len(places)} with labels, magnitude and parallax"]


def training_cuts(own: Sequence[Mapping[str, Any]] | None, sample: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The cuts of the training: its own, else the sample's but for those on a parallax, which would bias it."""
    return list(own) if own is not None else [cut for cut in sample if "parallax" not in cut["column"]]


def fold_of(source_id: pd.Series, folds: int) -> np.ndarray:
    """Fold 0..folds-1 of each star (N,), by a hash of its identifier; -1 without one."""
    known = source_id.notna().to_numpy()
    fold = np.full(len(source_id), -1)
    fold[known] = pd.util.hash_array(source_id[known].to_numpy(dtype=np.int64)) % np.uint64(folds)
    return fold


def predict(
    fits: Sequence[learned.Fit], basis: learned.Basis, labels: np.ndarray, unit: np.ndarray, fold: np.ndarray
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Reference parallax [mas], its `fraction` and the magnitude [mag] by the model of each row's fold; counts of rows.

    Null outside the domain of the training stars, or where the model knows less than the labels scatter.
    """
    table = pd.DataFrame(np.nan, index=range(len(unit)), columns=["parallax", "fraction", "learned_magnitude"])
    there = np.isfinite(labels).all(axis=1) & np.isfinite(unit) & (unit > 0) & (fold >= 0)
    inside = there & basis.inside(labels)
    vague = 0
    for number, fit in enumerate(fits):
        mine = np.flatnonzero(inside & (fold == number))
        for rows in np.split(mine, range(CHUNK, len(mine), CHUNK)) if len(mine) else ():
            parallax, fraction, own = fit.predict(basis, labels[rows], unit[rows])
            good = own < fraction
            vague += int((~good).sum())
            magnitude = learned.magnitude(parallax, unit[rows])
            table.iloc[rows[good]] = np.column_stack([parallax, fraction, magnitude])[good]
    counts = {"rows": len(unit), "without_labels": int((~there).sum()), "outside": int((there & ~inside).sum())}
    return table, {**counts, "vague": vague, "predicted": int(table["learned_magnitude"].notna().sum())}


def alternatives(
    basis: learned.Basis, stars: Mapping[str, learned.Stars], adopted: learned.Fit, zero_point: bool
) -> pd.DataFrame:
    """Every way to train: zero point [uas], slope, and how magnitudes and offsets of the training stars move by it.

    A way is the parallax (`raw` or `corrected`), whether the zero point is solved for, as adopted where `zero_point`,
    and whether the density along the line of sight is counted in. `slope` is dM per mag of apparent magnitude that is
    left, `slope_shift` how far it would move the zero point [uas]. `magnitude_shift` [mag] and `offset_shift` [uas] are
    means over the stars, against the adopted way.
    """
    rows, best = [], adopted.predict(basis, stars["raw"].labels, stars["raw"].unit)[0]
    for parallax, zero, density in itertools.product(("corrected", "raw"), (True, False), (True, False)):
        here, way = stars[parallax], (parallax, zero, density)
        solved = {"zero_point": zero, "density": density}
        one = adopted if way == ("corrected", zero_point, True) else learned.fit(basis, here, **solved, start=adopted)
        reference = one.predict(basis, here.labels, here.unit)[0]
        row = {"parallax": parallax, "density": "yes" if density else "no", "adopted": "yes" if one is adopted else ""}
        for name in ("zero_point", "zero_point_error", "slope_shift"):
            row[name] = 1000.0 * getattr(one, name) if zero else np.nan
        row |= {"slope": -one.slope, "slope_error": one.slope_error}
        row["magnitude_shift"] = learned.MAG * np.mean(np.log(reference / best))
        row["offset_shift"] = 1000.0 * np.mean(best - reference)
        rows.append(row)
    return pd.DataFrame(rows)


def read_columns(path: str, names: Iterable[str]) -> pd.DataFrame:
    """The named columns of the cross-matched table that are there: it may have ten million rows."""
    present = set(column_names(path))
    wanted = [name for name in dict.fromkeys(names) if name in present]
    return pd.read_parquet(path, columns=wanted, dtype_backend="numpy_nullable")


def used_columns(reference: Mapping[str, Any], rows: Rows) -> Iterator[str]:
    """Columns that the rule may use."""
    learn, extinction = DEFAULTS | dict(reference.get("learn") or {}), reference.get("extinction") or {}
    row = rows.one_row_per or {}
    yield from (*GAIA, *learn["labels"], *EXTINCTIONS, reference["apparent_magnitude"])
    yield from (cut["column"] for cut in training_cuts(learn["cuts"], rows.cuts))
    yield from (str(extinction.get(key)) for key in ("column", "blue", "red", "intrinsic"))
    yield from (*row.get("columns", ()), str(row.get("prefer")), str(row.get("ties")), str(learn["check"]))
    yield from (str(block.get("column")) for block in rows.corrections.values())


def warnings_of(facts: Mapping[str, Any]) -> Iterator[str]:
    """What the user should know before the numbers are believed."""
    error, slope, shift_uas = (facts[name] for name in ("zero_point_error_uas", "slope", "slope_shift_uas"))
    if not facts["zero_point"]:
        yield "learned magnitudes: no zero point was solved for, so that offsets are those against the training"
    if abs(slope) > 3.0 * facts["slope_error"] and (abs(slope) > STEEP or abs(shift_uas) > FAR_UAS):
        shift = f"; with a slope the zero point would move by {shift_uas:+.1f} uas"
        yield (
            "learned magnitudes: they still drift with the apparent magnitude, so that counts do not say all of it"
            + shift * facts["zero_point"]
        )
    if error > VAGUE_UAS:
        yield (
            f"learned magnitudes: these stars fix the zero point of their own parallaxes to {error:.1f} uas only, and "
            "every offset of the sample with it"
        )
    if facts["predicted"] < 0.5 * (facts["rows"] - facts["without_labels"]):
        lost = facts["outside"] + facts["vague"]
        yield (
            f"learned magnitudes: {lost} of {facts['rows']} rows get none: they lie outside the domain of the "
            "training, or the model knows too little of them"
        )


@dataclass(frozen=True)
class Training:
    """Training stars and what was learned from them.

    `places` are their rows in the cross-matched table, `stars` them with the parallax that `official` corrects, `raw`
    with the published one. `adopted` is the model of all of them; `fits` are the models that have not seen a fold of
    stars, `fold` (rows) the one of each row. `lines` say for the log how many stars each step left.
    """

    places: np.ndarray
    raw: learned.Stars
    stars: learned.Stars
    basis: learned.Basis
    adopted: learned.Fit
    fits: list[learned.Fit]
    fold: np.ndarray
    lines: list[str]


def train(
    matched: pd.DataFrame, labels: np.ndarray, unit: np.ndarray, learn: Mapping[str, Any], rows: Rows
) -> Training:
    """The models, from the rows with `labels` (N, L) and `unit` (N,) that the cuts leave.

    Raises TableError with too few training stars.
    """
    parallax, error = (numbers(matched, name) for name in ("parallax", "parallax_error"))
    known = np.isfinite(labels).all(axis=1) & np.isfinite(unit + parallax + error) & (unit > 0) & (error > 0)
    places, lines = training_rows(matched, known, rows)
    shift = zero_point_of(matched.iloc[places], rows.official, rows.corrections)
    places, shift = places[np.isfinite(shift)], shift[np.isfinite(shift)]
    lines.append(f"{len(places)} of them have a zero point of {rows.official}")
    # Each fit lacks a fold of them, and those outside the domain.
    if len(places) < (needed := int(1.1 * learned.MIN_STARS / (1.0 - 1.0 / learn["folds"]))):
        raise TableError(f"learned magnitudes: too few training stars ({'; '.join(lines)}); {needed} it takes")
    if (divides := learn["strata"]) not in (None, *learn["labels"]):
        raise TableError(f"learned magnitudes: strata {divides!r} is none of the labels; name one, or null for none")
    basis = learned.Basis(labels[places], None if divides is None else list(learn["labels"]).index(divides))
    inside = basis.inside(labels[places])  # a few dwarfs far outside would keep the equations from settling
    places, shift = places[inside], shift[inside]
    lines.append(f"{len(places)} within the domain of their labels: the training stars")
    raw = learned.Stars(labels[places], parallax[places], error[places], unit[places])
    stars = replace(raw, gaia=raw.gaia - shift)
    fold = fold_of(matched["source_id"], learn["folds"])
    # Not from the adopted model, which saw the others.
    others = (stars.restrict(fold[places] != number) for number in range(learn["folds"]))
    fits = [learned.fit(basis, some, zero_point=learn["zero_point"]) for some in others]
    return Training(
        places, raw, stars, basis, learned.fit(basis, stars, zero_point=learn["zero_point"]), fits, fold, lines
    )


def residual_variables(
    rows: pd.DataFrame, fitted: pd.DataFrame, labels: Sequence[str], reference: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """What the residuals are binned in: labels, extinctions and distance [kpc] of the stars, (N,) each."""
    variables = {name: numbers(rows, name) for name in (*labels, *EXTINCTIONS) if name in (*labels, *rows.columns)}
    if (reference.get("extinction") or {}).get("column") not in variables:
        variables["extinction"] = extinction_ks(rows, reference.get("extinction"))
    return variables | {"distance": 1.0 / fitted["reference"].to_numpy()}


def facts_of(training: Training, learn: Mapping[str, Any], rows: Rows, counts: Mapping[str, int]) -> dict[str, Any]:
    """learned.json but for the comparison with known magnitudes and the warning."""
    adopted, basis = training.adopted, training.basis
    parallax, fraction, _ = adopted.predict(basis, training.stars.labels, training.stars.unit)
    return {
        "labels": learn["labels"],
        "cuts": [describe_cut(cut) for cut in rows.cuts],
        "solution": rows.codes["standard"],
        "training_stars": len(training.places),
        "terms": len(adopted.coefficients),
        "folds": learn["folds"],
        **{key: learn[key] for key in ("zero_point", "strata")},
        "domain": dict(zip(learn["labels"], np.stack([basis.low, basis.high], axis=1).tolist(), strict=True)),
        "zero_point_uas": 1000.0 * adopted.zero_point,
        "zero_point_error_uas": 1000.0 * adopted.zero_point_error,
        "extra_uas": 1000.0 * adopted.extra,
        "slope": -adopted.slope,
        "slope_error": adopted.slope_error,
        "slope_shift_uas": 1000.0 * adopted.slope_shift,
        "counts_misfit": adopted.strata.misfit,
        "median_scatter_mag": float(learned.MAG * np.median(fraction)),
        "median_parallax": float(np.median(parallax)),
        **counts,
    }


def learn_magnitudes(
    matched: pd.DataFrame, reference: Mapping[str, Any], rows: Rows
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any], list[str]]:
    """Predictions of all rows, the tables of alternatives and residuals, facts for learned.json, lines for the log.

    `matched` has one row a spectrum. The predictions have its rows in its order: learned_magnitude, its error [mag],
    and whether the row was a training star. No star is predicted by a model that saw it.
    """
    learn = DEFAULTS | dict(reference.get("learn") or {})
    rows = replace(rows, cuts=training_cuts(learn["cuts"], rows.cuts))
    labels, unit = (
        np.column_stack([numbers(matched, name) for name in learn["labels"]]),
        parallax_unit(matched, reference),
    )
    training = train(matched, labels, unit, learn, rows)
    places = training.places
    predicted, counts = predict(training.fits, training.basis, labels, unit, training.fold)
    stars = {"raw": training.raw, "corrected": training.stars}
    others = alternatives(training.basis, stars, training.adopted, learn["zero_point"])
    zero_points = np.array([one.zero_point for one in training.fits])[training.fold[places]]
    fitted = unseen_residuals(training.stars, zero_points, training.adopted.extra, predicted.iloc[places])
    seen = fitted["residual"].notna().to_numpy()
    fitted = fitted[seen]
    variables = residual_variables(matched.iloc[places[seen]], fitted, learn["labels"], reference)
    facts = facts_of(training, learn, rows, counts)
    if learn["check"]:
        # That of a mean parallax is fainter than the mean magnitude.
        brighter = 0.5 * learned.MAG * np.log1p(predicted["fraction"] ** 2)
        magnitude = (predicted["learned_magnitude"] - brighter).to_numpy()[places]
        facts["check"] = {"column": learn["check"]} | against_known(magnitude, numbers(matched, learn["check"])[places])
    facts["warning"] = "; ".join(warnings_of(facts)) or None
    result = pd.DataFrame(
        {
            "learned_magnitude": predicted["learned_magnitude"],
            "learned_magnitude_error": learned.MAG * predicted["fraction"],
            "training": np.isin(np.arange(len(matched)), places),
        }
    )
    return result, others, residual_table(variables, fitted), facts, training.lines
