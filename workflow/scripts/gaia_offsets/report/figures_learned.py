"""Residuals of the learned magnitudes against labels, extinction and distance."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gaia_offsets.report import style

NAMES = {
    "teff": r"$T_\mathrm{eff}$ [K]",
    "logg": r"log $g$",
    "feh": "[Fe/H]",
    "ebv": "E(B \N{MINUS SIGN} V) [mag]",
    "av": r"$A_V$ [mag]",
    "extinction": "extinction of the apparent magnitude [mag]",
    "distance": "distance [kpc]",
}


@style.styled
def draw_learned(residuals: pd.DataFrame, *, title: str) -> Figure:
    """A column for each variable of learned_residuals.csv: mean residual, scatter found and stated below it [mag]."""
    variables = list(dict.fromkeys(residuals["variable"]))
    across = min(3, len(variables))
    down = -(-len(variables) // across)
    figure = style.canvas(2.9 * down, title)
    axes = figure.subplots(2 * down, across, squeeze=False, gridspec_kw={"height_ratios": [3, 2] * down})
    for ax in axes.ravel():
        ax.set_visible(False)
    for number, name in enumerate(variables):
        row, column = divmod(number, across)
        mean, scatter = axes[2 * row, column], axes[2 * row + 1, column]
        part = residuals[residuals["variable"] == name]
        for ax in (mean, scatter):
            ax.set_visible(True)
        mean.axhline(0.0, **style.DASHED)
        look = {"marker": "o", "markersize": 3, "linestyle": "none", "color": "#0072B2"}
        mean.errorbar(part["x_mean"], part["mean"], yerr=part["mean_error"], elinewidth=0.8, **look)
        scatter.plot(part["x_mean"], part["scatter"], label="found", **look)
        scatter.plot(part["x_mean"], part["predicted_scatter"], color="#D55E00", label="stated by the model")
        top = 1.25 * float(np.nanmax(part[["scatter", "predicted_scatter"]].to_numpy()))
        scatter.set(xlabel=NAMES.get(name, name), ylim=(0.0, top))
        mean.tick_params(labelbottom=False)
        mean.sharex(scatter)
        if column == 0:
            mean.set_ylabel("residual [mag]")
            scatter.set_ylabel("scatter [mag]")
    figure.legend(*axes[1, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
