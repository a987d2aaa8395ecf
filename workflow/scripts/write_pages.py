"""The pages of a sample: results, sky to explore, corrections, claims, budget, learned magnitudes; it reads tables."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gaia_offsets.core.faults import open_log
from gaia_offsets.core.files import read_inputs
from gaia_offsets.core.log import say
from gaia_offsets.engine import products
from gaia_offsets.report import pages
from gaia_offsets.report.page_corrections import corrections_page
from gaia_offsets.report.page_explorer import explorer
from gaia_offsets.report.page_results import story
from gaia_offsets.report.page_tables import budget_page, claims_page, learned_page

# By page: template, title, and what else the template takes of the rule's inputs (read, by name) and its params.
PAGES: dict[str, tuple[str, str, Callable[[Mapping[str, Any], Any], dict[str, Any]]]] = {
    "results": ("results.html.j2", "Results: {}", lambda t, about: story(t, [*about.solutions], about.correction)),
    "explore": (
        "explore.html.j2",
        "A page to explore: {}",
        lambda t, about: explorer(t, about.solutions, about.corrections, about.words, about.colour_range),
    ),
    "corrections": (
        "corrections.html.j2",
        "Corrections side by side: {}",
        lambda t, about: corrections_page(t["corrections"], about.solution, about.words, about.experimental),
    ),
    "claims": ("claims.html.j2", "What the paper states, tested on: {}", lambda t, _: claims_page(t["claims"])),
    "budget": ("budget.html.j2", "Systematic effects: {}", lambda t, _: budget_page(t["budget"])),
    "learned": (
        "learned.html.j2",
        "Learned magnitudes: {}",
        lambda t, _: learned_page(t["learned_made"], t["learned_zero_points"]),
    ),
}

if __name__ == "__main__":
    open_log(snakemake.log[0])
    tables = read_inputs(snakemake.input.items())
    params = snakemake.params
    links = [(f"{name}.html", products.PAGES[name]) for name, _ in snakemake.output.items()]
    run = snakemake.config["run"]["name"]  # no param: another run that has the sample, too, makes no page anew
    nav = [pages.run_links(run, f"../runs/{run}/"), (params.title, links)]
    for name, path in snakemake.output.items():
        template, title, values = PAGES[name]
        title = title.format(params.title)
        pages.save(path, template, title=title, nav=nav, simulated=params.simulated, **values(tables, params))
        say(f"{name}: {Path(path).stat().st_size / 1e6:.2f} MB")
