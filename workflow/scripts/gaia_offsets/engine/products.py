"""What is made of a sample of the config, as names of files that rules take as they are.

Imported when the workflow is parsed: standard library and modules of the package without numpy only.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import cached_property
from typing import Any

from gaia_offsets.core.columns import FRAMES, LEARNED, PARALLAXES

# Figures by the name of their files: caption and label in the report.
FIGURES = {
    "fig1_magnitudes": ("fig1", "1: absolute magnitudes"),
    "fig2_training": ("fig2", "2: training stars"),
    "fig3_red_clump": ("fig3", "3: red clump"),
    "fig4_offsets": ("fig4", "4: offsets"),
    "fig5_trends": ("fig5", "5: trends"),
    "fig6_maps": ("fig6", "6: maps"),
    "counts": ("counts", "stars by pixel"),
    "cutflow": ("cutflow", "cut flow"),
    "smooth_map": ("smooth_map", "smooth map"),
    "smooth_dependence": ("smooth_dependence", "smooth map: G and colour"),
    "scale": ("scale", "zero point and scale"),
    "corrections": ("corrections", "corrections side by side"),
    "learned": ("learned", "learned magnitudes"),
}

# Pages by the name of their files, which their captions bear too, and their place in the report.
PAGES = {
    "results": "Results",
    "explore": "A page to explore",
    "corrections": "Corrections",
    "claims": "Claims",
    "budget": "Error budget",
    "learned": "Learned magnitudes",
}

TABLES = [
    *("cutflow", "scatter", "global_offsets", "zero_point_scale", "histograms", "trends"),
    *("map_equatorial", "map_galactic", "smooth_equatorial", "smooth_galactic", "smooth_dependence"),
    *("errors", "cross_validation", "corrections"),
]
DATASET_KINDS = ["ecsv", "fits", "csv", "mrt", "vot", "parquet", "moc.fits"]
EXTENDED_KINDS = ["ecsv", "fits", "parquet"]
# Figures of a run's samples, all but the first of several, with their labels in the report.
OVERVIEWS = {
    "samples": "global offsets, figure",
    "samples_trends": "trends, figure",
    "samples_scales": "zero point and scale, figure",
}


class Products:
    """What is made of a sample of a config that is complete and checked."""

    def __init__(self, config: Mapping[str, Any], name: str) -> None:
        self.config, self.name = config, name
        self.block: Mapping[str, Any] = config["samples"][name]

    @cached_property
    def products(self) -> list[str]:
        """All that a run makes of it: `rule all` asks for these."""
        grids = ["", *(f"_nside{nside}" for nside in self.block["measure"]["smooth"]["more_nsides"])]
        files = [f"figures/{figure}.{kind}" for figure in self.figures for kind in ("png", "pdf")]
        files += [f"{page}.html" for page in self.pages]
        files += [f"tables/{table}.csv" for table in TABLES]
        for frame in FRAMES:
            files += [f"maps/{frame}{smooth}_{kind}.fits" for smooth in ("", "_smooth") for kind in PARALLAXES]
            files += [f"dataset/{frame}{smooth}.{kind}" for smooth in ("", "_smooth") for kind in DATASET_KINDS]
            files += [f"dataset/{frame}_extended.{kind}" for kind in EXTENDED_KINDS]
            files += [f"dataset/{frame}_smooth{grid}.{kind}" for grid in grids[1:] for kind in EXTENDED_KINDS]
        files += ["README.md", *(["hats"] if self.block["publish_hats"] else [])]
        return [f"<results>/{self.name}/{file}" for file in files]

    @cached_property
    def learns(self) -> bool:
        """Whether its absolute magnitudes are learned from itself."""
        return bool(self.block["reference"]["kind"] == LEARNED)

    @cached_property
    def compared(self) -> bool:
        """Whether it is compared with other catalogues (Figs. 1 and 2)."""
        reference = self.block["reference"]
        from_magnitude = reference["kind"] == "absolute_magnitude" and isinstance(
            reference.get("absolute_magnitude"), str
        )
        return bool((from_magnitude or self.learns) and self.block.get("comparison"))

    @cached_property
    def with_red_clump(self) -> bool:
        """Whether it is compared with red clump stars (Fig. 3)."""
        return bool(self.compared and self.block.get("red_clump"))

    @cached_property
    def figures(self) -> tuple[str, ...]:
        """Its figures, of FIGURES."""
        has = {
            "fig1_magnitudes": self.compared,
            "fig2_training": self.compared,
            "fig3_red_clump": self.with_red_clump,
            "smooth_dependence": self.block["measure"]["smooth"]["splines"] > 0,
            "learned": self.learns,
        }
        return tuple(name for name in FIGURES if has.get(name, True))

    @cached_property
    def figure_tables(self) -> dict[str, str]:
        """The tables behind those figures that not every sample has, by name."""
        names = ["magnitudes", "magnitudes_histogram", "training", "training_histogram"] if self.compared else []
        names += ["red_clump", "red_clump_trend"] if self.with_red_clump else []
        names += ["learned_residuals"] if self.learns else []
        pairs = {"red_clump_pairs": self.table("red_clump_pairs.parquet")} if self.with_red_clump else {}
        return {name: self.table(f"{name}.csv") for name in names} | pairs

    @cached_property
    def statements(self) -> tuple[str, ...]:
        """Whether it is tested against the paper's claims, and has a budget as that of the paper's catalogue."""
        has = {"claims": self.block["claims"], "budget": self.compared and not self.learns}
        return tuple(name for name in has if has[name])

    @cached_property
    def comparison_tables(self) -> dict[str, str]:
        """The tables behind those that not every sample has, by name."""
        names = ["magnitudes.csv", "training.csv", "parallax_cut.json"] if self.compared else []
        names += ["red_clump.csv", "red_clump_trend.csv"] if self.with_red_clump else []
        return {name.partition(".")[0]: self.table(name) for name in names}

    @cached_property
    def pages(self) -> tuple[str, ...]:
        """Its pages, of PAGES."""
        has = {name: name in self.statements for name in ("claims", "budget")} | {"learned": self.learns}
        return tuple(name for name in PAGES if has.get(name, True))

    @cached_property
    def page_tables(self) -> dict[str, str]:
        """The tables behind those pages that not every sample has, by name."""
        tables = {name: f"<results>/{self.name}/{name}.csv" for name in self.statements}
        if self.learns:
            tables |= {"learned_made": self.table("learned.json")}
            tables |= {"learned_zero_points": self.table("learned_zero_points.csv")}
        return tables

    def table(self, file: str) -> str:
        """Where one of its tables lies."""
        return f"<results>/{self.name}/tables/{file}"


def alike(samples: Iterable[Products], products: Callable[[Products], Hashable]) -> dict[Any, list[str]]:
    """Names of samples by their products, in their order; those that have none stand in none.

    A rule has fixed outputs: where samples differ in what they have, each kind of sample gets a rule of its own.
    """
    kinds: dict[Any, list[str]] = {}
    for sample in samples:
        if made := products(sample):
            kinds.setdefault(made, []).append(sample.name)
    return kinds
