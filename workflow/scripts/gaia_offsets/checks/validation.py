"""Bias, errors and coverage of every quoted number over the simulated skies, and the maps against the paper's."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

PAPER = "gaussian_mean"  # the estimator of the paper's map
SETS = {"n>50": (51, np.inf), "n>=2": (2, np.inf), "no stars": (0, 0)}
NUMBER = ["sky", "table", "quantity", "solution", "parallax", "frame", "pixels"]
SIGMA_95 = 1.959964


def by_pixel_set(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of maps once for each set of pixels that holds them; other rows as they are, `pixels` null."""
    maps = table["table"] == "map"
    parts = [table[~maps].assign(pixels=None)]
    parts += [table[maps & table["n"].between(low, high)].assign(pixels=name) for name, (low, high) in SETS.items()]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def coverage_table(table: pd.DataFrame) -> pd.DataFrame:
    """coverage.csv: value minus truth of each kind of number over all seeds, bins and pixels [uas; scale: none].

    `bias_error` comes from the means of the seeds; `stated_error` is a root mean square, `scatter` the sd of value
    minus truth; a pull is that over the stated error.
    """
    rows = []
    for names, part in table.groupby(NUMBER, dropna=False, sort=False):
        off, error = (part["value"] - part["truth"]).to_numpy(), part["error"].to_numpy()
        pull = np.abs(off / error)
        means = pd.Series(off).groupby(part["seed"].to_numpy()).mean()
        stated, scatter = np.sqrt(np.mean(error**2)), np.std(off, ddof=1) if len(off) > 1 else np.nan
        rows.append(
            dict(zip(NUMBER, names, strict=True))
            | {"seeds": len(means), "n": len(part), "bias": np.mean(off), "bias_error": means.sem()}
            | {"stated_error": stated, "scatter": scatter, "stated_over_scatter": stated / scatter}
            | {"coverage_68": np.mean(pull < 1.0), "coverage_95": np.mean(pull < SIGMA_95)}
            | {"pull_sd": np.std(off / error, ddof=1) if len(off) > 1 else np.nan}
        )
    return pd.DataFrame(rows)


def maps_table(table: pd.DataFrame) -> pd.DataFrame:
    """maps.csv: RMSE [uas] of each map of corrected parallaxes, and its ratio to the paper's on the same pixels.

    `ratio_low` and `ratio_high` are the ratios of the best and the worst seed.
    """
    maps = table[(table["table"] == "map") & (table["parallax"] == "corrected") & (table["quantity"] != "smooth_area")]
    maps = maps.assign(
        square=(maps["value"] - maps["truth"]) ** 2, pull=(maps["value"] - maps["truth"]) / maps["error"]
    )
    place = ["sky", "seed", "frame", "pixels", "hindex"]
    maps = maps.merge(maps.loc[maps["quantity"] == PAPER, [*place, "square"]], "left", place, suffixes=("", "_paper"))
    rows = []
    for names, part in maps.groupby(["sky", "frame", "quantity", "pixels"], sort=False):
        both = part[np.isfinite(part["square_paper"])].groupby("seed")[["square", "square_paper"]].sum()
        whole = np.sqrt(both["square"].sum() / both["square_paper"].sum()) if len(both) else np.nan
        seeds = np.sqrt(both["square"] / both["square_paper"])
        pull = part["pull"].abs()
        rows.append(
            dict(zip(["sky", "frame", "estimator", "pixels"], names, strict=True))
            | {"seeds": part["seed"].nunique(), "number": len(part), "rmse": np.sqrt(part["square"].mean())}
            | {"ratio": whole, "ratio_low": seeds.min(), "ratio_high": seeds.max()}
            | {"coverage_68": np.mean(pull < 1.0), "coverage_95": np.mean(pull < SIGMA_95)}
        )
    return pd.DataFrame(rows)


def pulls_table(table: pd.DataFrame) -> pd.DataFrame:
    """pulls.csv: histograms of value minus truth over the stated error, equatorial maps of corrected parallaxes."""
    maps = table[(table["pixels"] == "n>=2") & (table["parallax"] == "corrected") & (table["frame"] == "equatorial")]
    edges = np.linspace(-5.0, 5.0, 41)
    tables = []
    for (sky, quantity), part in maps.groupby(["sky", "quantity"], sort=False):
        count, _ = np.histogram((part["value"] - part["truth"]) / part["error"], edges)
        bins = {"sky": sky, "quantity": quantity, "bin_low": edges[:-1], "bin_high": edges[1:], "count": count}
        tables.append(pd.DataFrame(bins))
    return pd.concat(tables, ignore_index=True)


WAYS = ["sky", "parallax", "zero_point_solved", "density", "adopted"]


def training_table(table: pd.DataFrame, ways: pd.DataFrame, standards: Sequence[str]) -> pd.DataFrame:
    """training.csv: the weighted global offset minus the truth [uas] under every way to learn the magnitudes.

    `ways` holds learned_zero_points.csv of all skies that learn, `standards` are the standard classes of the skies.
    `stated_error` is that of the zero point of the training, a root mean square, which the errors of the sample's own
    numbers leave out.
    """
    if ways.empty:
        return pd.DataFrame(columns=[*WAYS, "seeds", "bias", "bias_error", "scatter", "stated_error"])
    whole = (table["table"] == "global_offsets") & (table["quantity"] == "weighted_mean")
    whole = table[whole & table["solution"].isin(standards) & (table["parallax"] == "corrected")]
    off = whole.assign(off=whole["value"] - whole["truth"])[["sky", "seed", "off"]]
    ways = ways.merge(off, on=["sky", "seed"], how="left", validate="many_to_one")
    ways["off"] += ways["offset_shift"]
    ways["square"] = ways["zero_point_error"] ** 2
    ways["adopted"] = ways["adopted"].fillna("")
    ways["zero_point_solved"] = np.where(ways["zero_point"].notna(), "yes", "no")
    groups = ways.groupby(WAYS, sort=False)
    table = groups["off"].agg(seeds="size", bias="mean", bias_error="sem", scatter="std")
    table["stated_error"] = np.sqrt(groups["square"].mean())
    return table.reset_index()


def headline(coverage: pd.DataFrame, maps: pd.DataFrame, training: pd.DataFrame, standards: Sequence[str]) -> str:
    """What a run of `make validate` prints: the weighted global offset and the smooth map, sky by sky."""
    lines = [f"Simulated skies, corrected parallaxes of {', '.join(standards)} stars [uas]", ""]
    means = coverage[(coverage["table"] == "global_offsets") & (coverage["quantity"] == "weighted_mean")]
    lines.append(f"{'weighted global offset':26} seeds     bias +- error   stated  scatter")
    for row in means[means["solution"].isin(standards) & (means["parallax"] == "corrected")].itertuples():
        bias = f"{row.bias:+8.2f} +- {row.bias_error:5.2f}"
        lines.append(f"{row.sky:26} {row.seeds:5d} {bias} {row.stated_error:8.2f} {row.scatter:8.2f}")
    if len(training):
        title = "the same, by how the magnitudes were learned"
        lines += ["", f"{title:62}    bias +- error   stated  scatter"]
    for row in training.itertuples():
        how = f"{row.parallax} parallaxes, zero point {row.zero_point_solved}, density {row.density}"
        bias = f"{row.bias:+8.2f} +- {row.bias_error:5.2f} {row.stated_error:8.2f} {row.scatter:8.2f}"
        lines.append(f"{row.sky:18}{how:41}{'*' if row.adopted else ' '} {bias}")
    lines += ["", f"{'smooth map, equatorial':26} pixels     number   RMSE  of the paper's   68 %   95 %"]
    for row in maps[(maps["estimator"] == "smooth") & (maps["frame"] == "equatorial")].itertuples():
        lines.append(
            f"{row.sky:26} {row.pixels:8} {row.number:8d} {row.rmse:6.2f} {row.ratio:15.3f} "
            f"{100 * row.coverage_68:6.1f} {100 * row.coverage_95:6.1f}"
        )
    return "\n".join(lines) + "\n"


def gather(paths: Sequence[str], skies: Sequence[tuple[str, str, int]]) -> pd.DataFrame:
    """The tables of all skies with their `sky` and `seed`."""
    read = {".csv": pd.read_csv, ".parquet": pd.read_parquet}
    return pd.concat(
        [
            read[Path(path).suffix](path).assign(sky=sky, seed=seed)
            for path, (_, sky, seed) in zip(paths, skies, strict=True)
        ],
        ignore_index=True,
    )
