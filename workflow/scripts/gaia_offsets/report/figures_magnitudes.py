"""Fig. 1: absolute magnitudes from Gaia distances against those of the catalogue."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gaia_offsets.core.words import number
from gaia_offsets.report import style


@style.styled
def draw_magnitudes(histogram: pd.DataFrame, fits: pd.DataFrame, *, title: str) -> Figure:
    """Fig. 1: M_Ks from Gaia distances minus that of the catalogue, dwarfs left and giants right, with Gaussian fits.

    `histogram` has kind, bin_low, bin_high [mag], count; `fits` the statistics [mag] by kind.
    """
    figure = style.canvas(3.0, title)
    for ax, kind in zip(figure.subplots(1, 2), ("dwarf", "giant"), strict=True):
        ax.set_title(f"{kind}s")
        ax.set_xlabel(r"$M_{K_s}$ from Gaia distance minus catalogue [mag]")
        counts, fit = style.rows(histogram, kind=kind), style.rows(fits, kind=kind)
        if len(fit) == 0 or counts["count"].sum() == 0:
            style.blank(ax, f"no {kind}s")
            continue
        row = fit.iloc[0]
        width = float((counts["bin_high"] - counts["bin_low"]).median())
        style.steps(ax, counts, "count", color=style.COLOURS["raw"], fill=0.3, linewidth=0.9)
        peak = style.gaussian(ax, row, width, np.linspace(-1.0, 1.0, 801), color="black")
        lines = [f"{int(row['n']):,} stars"]
        if peak:
            mean, error = number(row["gaussian_mean"], "+.4f"), row["gaussian_mean_error"]
            lines = [f"mean {mean} \N{PLUS-MINUS SIGN} {error:.4f}", f"sd {row['gaussian_sd']:.3f}", *lines]
        style.corner(ax, lines)
        ax.axvline(0.0, color="0.3", linewidth=0.6, linestyle=":", zorder=0)
        ax.set(xlim=(-0.9, 0.9), ylim=(0.0, 1.3 * max(peak, counts["count"].max())))
        ax.set_ylabel(f"stars in a bin of {width:g} mag")
        ax.yaxis.set_major_formatter(style.THOUSANDS)
    return figure
