"""What the paper states against what the run gives, and the systematic effects on a typical parallax (Sect. 2.2)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.faults import open_log
from gaia_offsets.core.files import own_file, read_inputs
from gaia_offsets.core.log import say
from gaia_offsets.paper.budget import budget
from gaia_offsets.paper.claims import Run
from gaia_offsets.paper.verdicts import check_claims, read_claims
from gaia_offsets.sky.positions import pixel_centre
from gaia_offsets.tables.read import write_table


def run_of(tables: Mapping[str, Any], standard: str) -> Run:
    """What claims are tested on: the tables by name, those of maps with the latitude of their pixels [deg]."""
    made, maps = tables["map_made"], {}
    for name in ("map_equatorial", "map_galactic"):
        _, latitude = pixel_centre(tables[name]["hindex"], nside=made["nside"], ordering=made["ordering"])
        maps[name] = tables[name].assign(latitude=latitude)
    return Run({**tables, **maps}, {"nside": made["nside"], "more_than": made["more_than"]}, standard)


def effects(tables: Mapping[str, Any], stars: pd.DataFrame, about: Any) -> pd.DataFrame:
    """budget.csv; `stars` have both columns of the reference parallax [mas], `about` is the params of the rule."""
    offsets = tables["global_offsets"].set_index(["solution", "parallax"])["median"]
    magnitudes = tables["magnitudes"].rename(columns={"gaussian_mean": "shift"}).set_index("kind")
    cut = {name: np.nan if value is None else value for name, value in tables["parallax_cut"].items()}
    run = {
        "omega": 1000.0 * stars["reference_parallax"].median(),
        "f": (stars["reference_parallax_error"] / stars["reference_parallax"]).median(),
        "coefficient": (about.reference.get("extinction") or {}).get("coefficient", np.nan),
        "training": 1000.0 * tables["training"].set_index("group")["mean_parallax"]["training"],
        "corrected": offsets.get((about.standard, "corrected"), np.nan),
        "limit": cut["limit_mas"],
        "selection": cut["effect_uas"],
        "red_clump": tables["red_clump"]["mean"].iloc[0] if "red_clump" in tables else np.nan,
        "floor": about.floor_uas,
    }
    for kind in ("dwarf", "giant"):
        run[kind] = 1000.0 * magnitudes["median_parallax"].get(kind, np.nan)
        run[f"{kind}_shift"] = magnitudes["shift"].get(kind, np.nan)
    return budget(run)


if __name__ == "__main__":
    open_log(snakemake.log[0])
    tables = read_inputs((name, path) for name, path in snakemake.input.items() if name != "stars")
    output = dict(snakemake.output.items())
    if "budget" in output:
        stars = pd.read_parquet(snakemake.input.stars, columns=["reference_parallax", "reference_parallax_error"])
        table = effects(tables, stars, snakemake.params)
        say(table[["effect", "paper_uas", "run_uas"]].to_string(index=False))
        write_table(table, output["budget"])
    if "claims" in output:
        run = run_of(tables, snakemake.params.standard)
        table = check_claims(
            read_claims(own_file("claims", snakemake.params.claims["file"])), run, simulated=snakemake.params.simulated
        )
        verdicts = table["verdict"].str.replace("not testable: .*", "not testable", regex=True).value_counts()
        say(", ".join(f"{count} {verdict}" for verdict, count in verdicts.items()))
        write_table(table, output["claims"])
