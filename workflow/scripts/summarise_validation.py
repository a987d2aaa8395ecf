"""Simulated skies against their truth: bias, errors and coverage of every number, the maps, and the page of figures."""

from pathlib import Path

import numpy as np
import pandas as pd

from gaia_offsets.checks.validation import (
    by_pixel_set,
    coverage_table,
    gather,
    headline,
    maps_table,
    pulls_table,
    training_table,
)
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.files import read_json
from gaia_offsets.core.log import say
from gaia_offsets.report import style
from gaia_offsets.report.figures_validation import draw_validation
from gaia_offsets.tables.read import write_table

TITLE = "Simulated skies: what comes out against what was put in"

if __name__ == "__main__":
    open_log(snakemake.log[0])
    given, output, skies, standards = (
        snakemake.input,
        snakemake.output,
        snakemake.params.skies,
        snakemake.params.standards,
    )
    table = gather(given.compared, skies)
    usable = np.isfinite(table["value"] + table["error"] + table["truth"])
    say(f"{len(table)} numbers; {int((~usable).sum())} without error or truth are left out")
    table = by_pixel_set(table[usable])
    power = gather(given.power, skies).groupby(["sky", "map", "degree"], sort=False, as_index=False)["power"].mean()
    learning = [sky for sky in skies if sky[0] in snakemake.params.learning]
    ways = gather(given.ways, learning) if learning else pd.DataFrame()
    results = {
        "coverage": coverage_table(table),
        "maps": maps_table(table),
        "power": power,
        "pulls": pulls_table(table),
    }
    results["training"] = training_table(table, ways, standards)
    for name, result in results.items():
        write_table(result, output[name])
    text = headline(results["coverage"], results["maps"], results["training"], standards)
    Path(output.headline).write_text(text, encoding="utf-8")

    _, sky, seed = skies[0]
    pixels = pd.read_parquet(given.compared[0])
    pixels = style.rows(pixels[pixels["table"] == "map"], parallax="corrected", frame="equatorial")
    made = {**read_json(given.settings[0]), "sky": sky}
    tables = {name: pd.read_csv(output[name]) for name in ("coverage", "maps", "power", "pulls")}
    figure = draw_validation(tables, pixels, made, standards, title=TITLE)
    style.save_figure(figure, output.png, output.pdf, dpi=snakemake.params.dpi)
    say(f"{len(pixels)} pixel values of the sky {sky}, seed {seed}")
