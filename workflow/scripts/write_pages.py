"""The pages of a sample: results, sky to explore, corrections, claims, budget, learned magnitudes; it reads tables."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from gaia_offsets.core.columns import FRAMES
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.files import read_json
from gaia_offsets.core.log import say
from gaia_offsets.report import pages
from gaia_offsets.report.page_claims import budget_page, claims_page
from gaia_offsets.report.page_corrections import corrections_page
from gaia_offsets.report.page_explorer import explorer
from gaia_offsets.report.page_learned import learned_page
from gaia_offsets.report.page_results import story

STORY = ("cutflow", "offsets", "scatter", "scale", "validation")


def contents(tables: Mapping[str, Any], about: Any) -> dict[str, Callable[[], tuple[str, str, dict[str, Any]]]]:
    """By page, what gives its template, its title and what else the template takes.

    `tables` are the rule's inputs, read, by name, `about` its params.
    """
    title, solutions, claims = about.title, about.solutions, tables.get("claims")
    made, smooth_made = tables["map_made"], tables["smooth_made"]

    def results() -> dict[str, Any]:
        told = {name: tables[name] for name in STORY} | {"pixels": tables["map_equatorial"], "smooth": smooth_made}
        return story(
            **told, solutions=list(solutions), more_than=made["more_than"], official=about.official, claims=claims
        )

    def explore() -> dict[str, Any]:
        return explorer(
            pixels={frame: tables[f"map_{frame}"] for frame in FRAMES},
            smooth={frame: tables[f"smooth_{frame}"] for frame in FRAMES},
            offsets=tables["offsets"],
            trends=tables["trends"],
            solutions=solutions,
            claims=claims,
            made=made,
            smooth_made=smooth_made,
            names=about.corrections,
            colour_range=about.colour_range,
        )

    def corrections() -> dict[str, Any]:
        return corrections_page(tables["corrections"], about.solution, about.experimental)

    tested = "What the paper states, tested on"
    return {
        "results": lambda: ("results.html.j2", f"Results: {title}", results()),
        "explore": lambda: ("explore.html.j2", title, explore()),
        "corrections": lambda: ("corrections.html.j2", f"Corrections side by side: {title}", corrections()),
        "claims": lambda: ("claims.html.j2", f"{tested}: {title}", claims_page(claims)),
        "budget": lambda: ("budget.html.j2", f"Systematic effects: {title}", budget_page(tables["budget"])),
        "learned": lambda: (
            "learned.html.j2",
            f"Learned magnitudes: {title}",
            learned_page(tables["learned_made"], tables["learned_zero_points"]),
        ),
    }


if __name__ == "__main__":
    open_log(snakemake.log[0])
    paths = {name: Path(path) for name, path in snakemake.input.items()}
    tables: dict[str, Any] = {name: pd.read_csv(path) for name, path in paths.items() if path.suffix == ".csv"}
    tables |= {name: read_json(path) for name, path in paths.items() if path.suffix == ".json"}
    known = contents(tables, snakemake.params)
    for name, path in snakemake.output.items():
        template, title, values = known[name]()
        pages.save(path, template, title=title, simulated=snakemake.params.simulated, **values)
        say(f"{name}: {Path(path).stat().st_size / 1e6:.2f} MB")
