"""Fig. 3: reference parallaxes against those of a red clump catalogue."""

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from gaia_offsets.core.words import number
from gaia_offsets.report import style

ABSCISSAE = {"red_clump": "red clump parallax", "mean": "error-weighted mean of both parallaxes"}


@style.styled
def draw_red_clump(
    pairs: pd.DataFrame, trend: pd.DataFrame, summary: pd.DataFrame, *, title: str, abscissa: str, min_stars: int
) -> Figure:
    """Fig. 3: our parallax against the red clump's (top) and the relative difference against `abscissa` (bottom).

    `pairs` has both parallaxes [mas], `trend` the medians [%] in bins of each abscissa [uas], `summary` one row [uas].
    The medians against the other abscissa are drawn as a thin line.
    """
    figure = style.canvas(5.6, title)
    top, bottom = figure.subplots(2, 1, height_ratios=(1.5, 1.0), sharex=True)
    if len(pairs) == 0:
        for ax in (top, bottom):
            style.blank(ax, "no star in common with the red clump catalogue")
        return figure
    x, y = 1000 * pairs["red_clump_parallax"].to_numpy(), 1000 * pairs["reference_parallax"].to_numpy()
    reach = 1.15 * float(np.quantile(np.concatenate([x, y]), 0.998))
    image = top.hexbin(x, y, gridsize=(130, 35), extent=(0, reach, 0, reach), mincnt=1, cmap="viridis", norm=LogNorm())
    image.set_linewidth(0.1)
    figure.colorbar(image, ax=top, label="stars in a cell", pad=0.01, format=style.THOUSANDS)
    top.plot([0, reach], [0, reach], color="black", linewidth=0.8)
    row = summary.iloc[0]
    text = [
        f"{int(row['n']):,} stars in common",
        f"mean difference {number(row['mean'], '+.1f')} {style.UAS}",
        f"sd {row['sd']:.0f} {style.UAS}",
    ]
    style.corner(top, text, y=0.95)
    top.set(xlim=(0, reach), ylim=(0, reach), ylabel=f"our parallax [{style.UAS}]")
    for level, line in ((0.0, "-"), (-3.0, ":"), (-1.0, "--"), (1.0, "--"), (3.0, ":")):
        bottom.axhline(level, color="black", linewidth=0.6, linestyle=line, zorder=0)
    other = next(name for name in ABSCISSAE if name != abscissa)
    medians = style.rows(trend, abscissa=other)
    bottom.plot(medians["x_mean"], medians["median"], color="0.55", linewidth=1.0, label=f"against {ABSCISSAE[other]}")
    points = style.rows(trend, abscissa=abscissa)
    bottom.errorbar(
        points["x_mean"], points["median"], yerr=np.nan_to_num(points["median_error"]), color=style.COLOURS["raw"],
        marker="o", markersize=3, linestyle="none", elinewidth=0.8, label=f"against {ABSCISSAE[abscissa]}",
    )  # fmt: skip
    shown = trend["median"].abs().max() if len(trend) else 0.0
    limit = float(np.clip(1.3 * shown, 5.0, 30.0))
    bottom.set(xlim=(0, reach), ylim=(-limit, 1.25 * limit))
    bottom.set_ylabel("relative difference [%]")
    top.tick_params(labelbottom=True)
    top.set_xlabel(f"red clump parallax [{style.UAS}]")
    bottom.set_xlabel(f"{ABSCISSAE[abscissa]} [{style.UAS}]")
    if len(trend):
        bottom.legend(loc="upper left", ncols=2)
    else:
        style.note(bottom, f"no bin with {min_stars} stars")
    return figure
