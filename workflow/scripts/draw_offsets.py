"""Fig. 4: distributions of the offsets with their Gaussian fits."""

import sys

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gaia_offsets import style
from gaia_offsets.faults import open_log


@style.styled
def draw_offsets(histograms: pd.DataFrame, offsets: pd.DataFrame, *, title: str) -> Figure:
    """Fig. 4: distributions of the offsets with their Gaussian fits, 5p left and 6p right.

    `histograms` has columns solution, parallax, bin_low, bin_high [uas], count; `offsets` is global_offsets.csv [uas].
    The curves have the area of the histograms. The axis spans 4 sd of the fits; stars beyond it are not shown.
    """
    figure = style.canvas(3.1, title)
    known = offsets.dropna(subset=["gaussian_mean", "gaussian_sd"])
    for ax, (solution, name) in zip(figure.subplots(1, 2), style.SOLUTIONS.items(), strict=True):
        ax.set_title(name)
        ax.set_xlabel(f"offset, Gaia minus reference parallax [{style.UAS}]")
        bins = style.rows(histograms, solution=solution)
        if bins["count"].sum() == 0:
            style.blank(ax, f"no {solution} stars")
            continue
        width = float((bins["bin_high"] - bins["bin_low"]).median())
        peak = float(bins["count"].max())
        for parallax, place in (("raw", {"x": 0.03, "ha": "left"}), ("corrected", {"x": 0.97, "ha": "right"})):
            colour = style.COLOURS[parallax]
            counts = style.rows(bins, parallax=parallax).sort_values("bin_low")
            fits = style.rows(offsets, solution=solution, parallax=parallax)
            if len(counts):
                if parallax == "raw":
                    style.steps(ax, counts, "count", fill=True, color=colour, alpha=0.25, linewidth=0)
                style.steps(ax, counts, "count", color=colour, linewidth=0.9)
            if len(fits):
                peak = max(peak, style.gaussian(ax, fits.iloc[0], width, color=colour, linewidth=1.1))
                style.corner(ax, label(fits.iloc[0], parallax), color=colour, **place)
        ax.axvline(0.0, color="0.3", linewidth=0.6, linestyle=":", zorder=0)
        if len(known):
            reach = 4 * known["gaussian_sd"]
            ax.set_xlim((known["gaussian_mean"] - reach).min(), (known["gaussian_mean"] + reach).max())
        ax.set_ylim(0.0, 1.5 * peak)  # room for the labels
        ax.yaxis.set_major_formatter(style.THOUSANDS)
        ax.set_ylabel(f"stars in a bin of {width:g} {style.UAS}")
    return figure


def label(fit: pd.Series, parallax: str) -> list[str]:
    """The numbers of a fit, a row of global_offsets.csv, in words."""

    def with_error(name: str) -> str:
        value, error = float(fit[name]), float(fit[f"{name}_error"])
        text = style.number(value, "+.1f") if np.isfinite(value) else "unknown"
        return f"{text} \N{PLUS-MINUS SIGN} {error:.1f}" if np.isfinite(error) else text

    sd = float(fit["gaussian_sd"])
    return [
        f"{parallax} [{style.UAS}]",
        f"mean {with_error('gaussian_mean')}",
        f"sd {sd:.1f}" if np.isfinite(sd) else "sd unknown",
        f"median {with_error('median')}",
        f"{int(fit['n']):,} stars",
    ]


if __name__ == "__main__":
    open_log(snakemake.log[0])
    offsets = pd.read_csv(snakemake.input.offsets)
    figure = draw_offsets(pd.read_csv(snakemake.input.histograms), offsets, title=snakemake.params.title)
    style.save_figure(figure, snakemake.output.png, snakemake.output.pdf, dpi=snakemake.params.dpi)
    for row in offsets.itertuples():
        print(f"{row.solution} {row.parallax}: {row.n} stars", file=sys.stderr)
