"""The corrections of a sample side by side: a figure of the standard class, and the table as a page of the report."""

import sys

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gaia_offsets import pages, style
from gaia_offsets.faults import open_log

LEFT = {"phot_g_mean_mag": "in G", "colour": "in colour", "sin_ecl_lat": r"in sin $\beta$", "sky": "on the sky"}
OFFSETS = ("median", "weighted_mean")
HEADS = {name: f"left {words}" for name, words in LEFT.items()} | {"sin_ecl_lat": "left in sin(ecl_lat)"}


@style.styled
def draw_corrections(corrections: pd.DataFrame, solution: str, *, title: str) -> Figure:
    """Offsets and what is left of patterns [uas] of a solution, by correction; `corrections` is corrections.csv."""
    table = style.rows(corrections, solution=solution)
    figure = style.canvas(1.6 + 0.5 * len(table), title)
    if table.empty:
        style.blank(figure.subplots(), f"no {solution} stars")
        return figure
    place = np.arange(len(table), dtype=float)
    offsets, left = figure.subplots(1, 2, sharey=True)
    offsets.axvline(0.0, **style.DASHED)
    low, high = (table[name].to_numpy(float) for name in ("scale_low", "scale_high"))
    band = {"height": 0.7, "color": "0.85", "zorder": 0.5, "label": r"at parallax 0 (distance scale free), $\pm$1 sd"}
    offsets.barh(place, high - low, left=low, **band)
    looks = zip(OFFSETS, (-0.15, 0.15), "os", style.SAMPLE_COLOURS, strict=False)
    for name, shift, marker, colour in looks:
        error = np.nan_to_num(table[f"{name}_error"].to_numpy(float))
        look = {
            "marker": marker,
            "color": colour,
            "markersize": 4,
            "linestyle": "none",
            "label": name.replace("_", " "),
        }
        offsets.errorbar(table[name], place + shift, xerr=error, elinewidth=0.9, **look)
    offsets.set_xlabel(f"Gaia minus reference parallax [{style.UAS}]")
    for number, (name, words) in enumerate(LEFT.items()):
        error = np.nan_to_num(table[f"{name}_left_error"].to_numpy(float))
        look = {"marker": style.SAMPLE_MARKERS[number], "color": style.SAMPLE_COLOURS[number], "markersize": 4}
        shift = 0.2 * (number - 1.5)
        left.errorbar(
            table[f"{name}_left"], place + shift, xerr=error, elinewidth=0.9, linestyle="none", label=words, **look
        )
    left.set_xlabel(f"left beyond noise, sd [{style.UAS}]")
    left.set_xlim(left=min(0.0, left.get_xlim()[0]))
    offsets.set_yticks(place, table["correction"], parse_math=False)
    offsets.set_ylim(len(table) - 0.4, -0.6)
    for ax in (offsets, left):
        ax.tick_params(axis="y", length=0)
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, columnspacing=1.0)
    return figure


def verdict(corrections: pd.DataFrame, solution: str) -> str:
    """One sentence on what the table can and cannot decide; `corrections` is corrections.csv."""
    table = corrections[(corrections["solution"] == solution) & (corrections["n"] > 0)]
    if table.empty:
        return f"The table decides nothing: there are no {solution} stars."
    can = "The table can tell which correction leaves these stars flatter in G, colour and position"
    percent = 0.01 * float(table["reference_parallax"].median())
    if percent == 0:
        return f"{can}, and which leaves the smaller offset: their true parallax is 0, on any distance scale."
    medians = table.loc[table["correction"] != "none", "median"]
    apart = float(medians.max() - medians.min()) if len(medians) > 1 else 0.0
    between = f", so the {apart:.1f} uas between the corrections are {apart / abs(percent):.1f} %" if apart else ""
    return (
        f"{can}, within the errors beside it; it cannot tell which leaves the right offset, because distances that are "
        f"wrong by 1 % move every offset by {abs(percent):.1f} uas in the median{between}."
    )


def coverage(corrections: pd.DataFrame) -> list[str]:
    """Which stars the rows are of, where the corrections do not have the same: sentences by corrections.csv."""
    sentences = []
    for solution, table in corrections.groupby("solution") if "n_own" in corrections else ():
        there = table[table["n_own"] > 0]
        if (there["n"] < there["n_own"]).any():
            each = ", ".join(f"{name} {n:,}" for name, n in zip(there["correction"], there["n_own"], strict=True))
            sentences.append(
                f"{solution}: all rows are measured on the same {there['n'].min():,} stars, those that all of these "
                f"corrections have. Each has: {each}. The rows say nothing of stars that one of them lacks, such as "
                "those outside its part of the sky; take it out of `also` to compare the others on all of theirs."
            )
        for name in table.loc[table["n_own"] == 0, "correction"]:
            sentences.append(f"{solution}: {name} has none of these stars, and is not compared.")
    return sentences


def page_table(corrections: pd.DataFrame) -> pd.DataFrame:
    """corrections.csv for the page: each value with its error in one cell [uas]."""

    def both(value: str, error: str, form: str = ".1f") -> list[str | None]:
        pairs = zip(corrections[value], corrections[error], strict=True)
        return [f"{pages.number(x, form)} \N{PLUS-MINUS SIGN} {e:{form}}" if np.isfinite(x) else None for x, e in pairs]

    bounds = zip(corrections["scale_low"], corrections["scale_high"], strict=True)
    return pd.DataFrame(
        {
            **corrections[["correction", "solution", "n"]],
            "median": both("median", "median_error"),
            "its error over blocks": corrections["median_jackknife_error"],
            "weighted mean": both("weighted_mean", "weighted_mean_error"),
            "at parallax 0": [
                f"{pages.number(low, '.1f')} to {pages.number(high, '.1f')}" if np.isfinite(low) else None
                for low, high in bounds
            ],
            "scale": both("scale", "scale_error", ".4f"),
            **{head: both(f"{name}_left", f"{name}_left_error") for name, head in HEADS.items()},
        }
    )


if __name__ == "__main__":
    open_log(snakemake.log[0])
    corrections, experimental = pd.read_csv(snakemake.input.corrections), snakemake.params.experimental
    corrections["correction"] += [
        " (experimental)" if name in experimental else "" for name in corrections["correction"]
    ]
    title, solution = f"Corrections side by side: {snakemake.params.title}", snakemake.params.solution
    stars = coverage(corrections)
    shared = ", shared stars" if any(text.startswith(f"{solution}: all") for text in stars) else ""
    figure = draw_corrections(corrections, solution, title=f"{title}, {solution}{shared}")
    style.save_figure(figure, snakemake.output.png, snakemake.output.pdf, dpi=snakemake.params.dpi)
    pages.save(
        snakemake.output.page,
        "corrections.html.j2",
        title=title,
        simulated=snakemake.params.simulated,
        verdict=verdict(corrections, solution),
        coverage=stars,
        experimental=experimental,
        table=pages.table(page_table(corrections), {"its error over blocks": ".1f"}),
    )
    print(f"{len(corrections)} rows", file=sys.stderr)
