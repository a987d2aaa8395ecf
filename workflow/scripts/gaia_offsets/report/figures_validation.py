"""One page: recovered against injected maps, what the maps miss, pulls, coverage, and the global offsets."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from gaia_offsets.report import style
from gaia_offsets.report.skymap import Sky
from gaia_offsets.sky.positions import pixel_vectors

LOOKS = {  # estimator of a pixel: words, colour, marker
    "gaussian_mean": ("the paper's map", "#0072B2", "o"),
    "weighted_mean": ("weighted mean", "#009E73", "s"),
    "nearest": ("nearest stars", "#999999", "^"),
    "smooth": ("smooth map", "#D55E00", "D"),
}
GLOBAL = {"median": "median", "mean": "mean", "gaussian_mean": "Gaussian", "weighted_mean": "weighted"}
PATCH_DEG = 25.0  # radius of the part of the sky that is drawn
BANDS = np.array([1, 2, 3, 5, 8, 12, 18, 27, 40, 65])  # degrees of the power spectra


def draw_skies(figure: Figure, axes: np.ndarray, pixels: pd.DataFrame, made: dict[str, object]) -> None:
    """The injected map, the paper's and the smooth one: the middle of one simulated sky, corrected, equatorial."""
    where = np.unique(pixels["hindex"]).astype(np.int64)
    vectors = pixel_vectors(where, nside=made["nside"], ordering=made["ordering"])
    middle = vectors.mean(axis=0) / np.linalg.norm(vectors.mean(axis=0))
    near = where[vectors @ middle > np.cos(np.radians(PATCH_DEG))]
    sky = Sky(pixels[pixels["hindex"].isin(near)], "equatorial", made["nside"], made["ordering"])
    reach = 5.0 * np.ceil(pixels["truth"].abs().quantile(0.99) / 5.0)
    scale = {"norm": Normalize(-reach, reach), "cmap": "RdBu_r"}
    smooth = style.rows(pixels, quantity="smooth")
    panels = {
        f"injected, {made['sky']}": (smooth, "truth"),
        "the paper's map": (style.rows(pixels, quantity="gaussian_mean"), "value"),
        "smooth map": (smooth, "value"),
    }
    for ax, (name, (table, column)) in zip(axes, panels.items(), strict=True):
        sky.draw(ax, table["hindex"], table[column], scale)
        ax.set_title(name)
    bar = figure.colorbar(ScalarMappable(**scale), ax=axes, fraction=0.02, pad=0.01, extend="both", shrink=0.9)
    bar.set_label(f"offset [{style.UAS}]")


def draw_power(axes: np.ndarray, power: pd.DataFrame) -> None:
    """l (l + 1) C_l / 2 pi of the injected map and of map minus truth, a panel a sky."""
    looks = {"injected": ("injected map", "black", "")}
    looks |= {name: (f"{LOOKS[name][0]} - truth", *LOOKS[name][1:]) for name in ("gaussian_mean", "smooth")}
    band = np.searchsorted(BANDS, power["degree"], side="right") - 1
    power = power.assign(band=band)[(band >= 0) & (band < len(BANDS) - 1)]
    power["power"] *= power["degree"] * (power["degree"] + 1) / (2.0 * np.pi)
    for ax, sky in zip(axes, power["sky"].unique(), strict=True):
        for name, (label, colour, marker) in looks.items():
            means = style.rows(power, sky=sky, map=name).groupby("band")[["degree", "power"]].mean()
            ax.plot(means["degree"], means["power"], color=colour, marker=marker, markersize=3, label=label)
        ax.set(xscale="log", yscale="log", ylim=(1e-2, 5e2), xlabel="degree l", title=sky.replace("_", "\n"))
        if ax is not axes[0]:
            ax.tick_params(labelleft=False)
    axes[0].set_ylabel(rf"l(l+1)C$_l$/2$\pi$ [{style.UAS}$^2$]")
    axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(looks))


def draw_pulls(ax: Axes, pulls: pd.DataFrame, sky: str) -> None:
    """Histograms of (value - truth) / error over the pixels of one sky, and the normal distribution."""
    x = np.linspace(-5.0, 5.0, 201)
    ax.plot(x, np.exp(-0.5 * x**2) / np.sqrt(2.0 * np.pi), color="black", label="normal")
    for name in ("gaussian_mean", "nearest", "smooth"):
        bins = style.rows(pulls, sky=sky, quantity=name)
        width = (bins["bin_high"] - bins["bin_low"]).to_numpy()
        density = bins.assign(density=bins["count"] / (bins["count"].sum() * width))
        style.steps(ax, density, "density", color=LOOKS[name][1], label=LOOKS[name][0])
    ax.set(xlabel="(map - truth) / stated error", ylabel="density", xlim=(-5, 5), title=f"pulls of pixels, {sky}")
    ax.legend(loc="upper left", fontsize=6)


def by_sky(ax: Axes, skies: list[str]) -> None:
    """Names of the skies below a panel."""
    ax.set_xticks(np.arange(len(skies)), [name.replace("_", "\n") for name in skies], size=6)
    ax.set_xlim(-0.5, len(skies) - 0.5)


def draw_by_sky(ax: Axes, maps: pd.DataFrame, column: str, pixels: str, names: list[str]) -> None:
    """A column of maps.csv, a place a sky and a point an estimator, of one set of equatorial pixels."""
    skies = list(maps["sky"].unique())
    for number, name in enumerate(names):
        part = style.rows(maps, estimator=name, pixels=pixels, frame="equatorial").set_index("sky").reindex(skies)
        label, colour, marker = LOOKS[name]
        x = np.arange(len(skies)) + 0.16 * (number - 0.5 * (len(names) - 1))
        ax.plot(x, part[column], color=colour, marker=marker, markersize=4, linestyle="none", label=label)
        if column == "ratio":
            ax.vlines(x, part["ratio_low"], part["ratio_high"], color=colour, linewidth=0.8)
    by_sky(ax, skies)


def draw_global(ax: Axes, coverage: pd.DataFrame, standards: Sequence[str]) -> None:
    """Bias of the four global offsets on each sky with its error over the seeds; grey: the stated error of one sky."""
    here = (coverage["table"] == "global_offsets") & coverage["solution"].isin(standards)
    part = style.rows(coverage[here], parallax="corrected")
    skies = list(part["sky"].unique())
    looks = dict(zip(GLOBAL, [("#56B4E9", "v"), ("#CC79A7", "^"), ("#0072B2", "o"), ("#009E73", "s")], strict=True))
    for number, (name, (colour, marker)) in enumerate(looks.items()):
        mine = style.rows(part, quantity=name).set_index("sky").reindex(skies)
        x = np.arange(len(skies)) + 0.18 * (number - 1.5)
        ax.errorbar(x, mine["bias"], yerr=mine["stated_error"], color="0.75", linewidth=3, linestyle="none", zorder=0)
        error = np.nan_to_num(mine["bias_error"].to_numpy(float))
        look = {"color": colour, "marker": marker, "markersize": 4, "linestyle": "none", "elinewidth": 0.9}
        ax.errorbar(x, mine["bias"], yerr=error, label=GLOBAL[name], **look)
    ax.axhline(0.0, **style.DASHED)
    by_sky(ax, skies)
    ax.set(ylabel=f"global offset - truth [{style.UAS}]", title="bias of global offsets; grey: stated error")
    ax.margins(y=0.15)
    ax.legend(loc="lower right", ncols=4, fontsize=6, handletextpad=0.1, columnspacing=0.8)


@style.styled
def draw_validation(
    tables: dict[str, pd.DataFrame],
    pixels: pd.DataFrame,
    made: dict[str, object],
    standards: Sequence[str],
    *,
    title: str,
) -> Figure:
    """The page. `tables` are coverage, maps, power and pulls of gather_validation; `pixels` the maps of one sky.

    `made` is that sky's map_equatorial.json, with its name as `sky`; `standards` are the standard classes of the skies.
    """
    figure = style.canvas(9.4, title)
    figure.get_layout_engine().set(hspace=0.04, wspace=0.03)
    parts = figure.subfigures(4, 1, height_ratios=[2.6, 1.9, 2.2, 2.2])
    draw_skies(parts[0], parts[0].subplots(1, 3), pixels, made)
    skies = tables["power"]["sky"].nunique()
    draw_power(parts[1].subplots(1, skies, squeeze=False)[0], tables["power"])
    left, right = parts[2].subplots(1, 2)
    draw_pulls(left, tables["pulls"], str(made["sky"]))
    maps, every = tables["maps"], ["gaussian_mean", "weighted_mean", "nearest", "smooth"]
    draw_by_sky(right, maps, "ratio", "n>=2", every)
    right.axhline(1.0, **style.DASHED)
    right.set(ylabel="RMSE / that of the paper's map", title="pixels with two stars or more; bars: all seeds")
    right.legend(loc="upper right", fontsize=6, ncols=2)
    right.set_ylim(0, 1.6)
    left, right = parts[3].subplots(1, 2)
    draw_by_sky(left, maps, "coverage_68", "n>=2", every)
    draw_by_sky(left, maps, "coverage_95", "n>=2", every)
    for level in (0.6827, 0.95):
        left.axhline(level, **style.DASHED)
    left.set(ylabel="share of intervals that hold the truth", ylim=(0, 1.02), title="coverage: 68 % and 95 % intervals")
    draw_global(right, tables["coverage"], standards)
    return figure
