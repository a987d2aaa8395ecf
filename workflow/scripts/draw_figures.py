"""All figures of a sample: Figs. 1 to 6 of the paper and the other pictures; it only reads tables."""

from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.figure import Figure

from gaia_offsets.core.columns import FRAMES, PARALLAXES
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.files import read_inputs
from gaia_offsets.core.log import say
from gaia_offsets.report import style
from gaia_offsets.report.figures_corrections import coverage, draw_corrections
from gaia_offsets.report.figures_cutflow import draw_cutflow
from gaia_offsets.report.figures_dependence import draw_dependence
from gaia_offsets.report.figures_learned import draw_learned
from gaia_offsets.report.figures_magnitudes import draw_magnitudes
from gaia_offsets.report.figures_maps import draw_counts, draw_maps
from gaia_offsets.report.figures_offsets import draw_offsets, draw_scale, draw_trends
from gaia_offsets.report.figures_red_clump import draw_red_clump
from gaia_offsets.report.figures_smooth import draw_smooth
from gaia_offsets.report.figures_training import draw_training


def figures(tables: Mapping[str, Any], about: Any) -> dict[str, Callable[[], Figure]]:
    """By the name of its files, what draws a figure; `tables` are the rule's inputs, read, and `about` its params."""
    title, solutions, colours = about.title, about.solutions, about.colour_range
    solution, made, smooth_made = about.solution, tables["map_made"], tables["smooth_made"]
    maps = {frame: style.rows(tables[f"map_{frame}"], solution=solution) for frame in FRAMES}
    smooth = {frame: tables[f"smooth_{frame}"] for frame in FRAMES}
    corrections = tables["corrections"].replace({"correction": about.words})

    def map_of(*parallaxes: str) -> Figure:
        return draw_maps(maps, made, solution, title=title, colour_range=colours, parallaxes=parallaxes)

    def side_by_side() -> Figure:
        shared = ", shared stars" if any(text.startswith(f"{solution}: all") for text in coverage(corrections)) else ""
        return draw_corrections(corrections, solution, title=f"Corrections side by side: {title}, {solution}{shared}")

    return {
        "fig1_magnitudes": lambda: draw_magnitudes(tables["magnitudes_histogram"], tables["magnitudes"], title=title),
        "fig2_training": lambda: draw_training(tables["training_histogram"], tables["training"], title=title),
        "fig3_red_clump": lambda: draw_red_clump(
            *(tables[f"red_clump{part}"] for part in ("_pairs", "_trend", "")),
            title=title,
            abscissa=about.abscissa,
            min_stars=about.min_stars,
        ),
        "fig4_offsets": lambda: draw_offsets(tables["histograms"], tables["global_offsets"], solutions, title=title),
        "fig5_trends": lambda: draw_trends(
            tables["trends"], solutions, title=title, min_stars=about.min_stars, joined=tables["trends_made"]["joined"]
        ),
        "fig6_maps": lambda: map_of(*PARALLAXES),
        "fig6_map_raw": lambda: map_of("raw"),
        "fig6_map_corrected": lambda: map_of("corrected"),
        "counts": lambda: draw_counts(maps, made, solution, title=title),
        "cutflow": lambda: draw_cutflow(tables["cutflow"], list(solutions), title=title),
        "scale": lambda: draw_scale(tables["zero_point_scale"], solution, title=title),
        "smooth_map": lambda: draw_smooth(
            smooth, smooth_made, solution, title=f"Smooth map: {title}", colour_range=colours
        ),
        "smooth_dependence": lambda: draw_dependence(tables["smooth_dependence"], solutions[solution], title=title),
        "corrections": side_by_side,
        "learned": lambda: draw_learned(tables["learned_residuals"], title=title),
    }


if __name__ == "__main__":
    open_log(snakemake.log[0])
    draw = figures(read_inputs(snakemake.input.items()), snakemake.params)
    for name, paths in snakemake.output.items():
        files, params = [paths] if isinstance(paths, str) else paths, snakemake.params
        style.save_figure(draw[name](), *files, dpi=params.dpi, titles=params.titles)
        say(name)
