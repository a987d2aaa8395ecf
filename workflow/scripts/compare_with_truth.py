"""Every quoted number of a simulated sample beside what was injected into the stars behind it."""

import healpy as hp
import pandas as pd

from gaia_offsets.checks.truth import add_area, numbers, pixels_of, power, with_truth
from gaia_offsets.core.columns import FRAMES, PARALLAXES
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.files import read_json
from gaia_offsets.core.log import say
from gaia_offsets.core.releases import standard
from gaia_offsets.offsets.scatter import Scatter
from gaia_offsets.tables.read import write_table

if __name__ == "__main__":
    open_log(snakemake.log[0])
    quoted_in = ("global_offsets", "zero_point_scale", "trends")
    names = [*quoted_in, *(f"{kind}_{frame}" for kind in ("map", "smooth") for frame in FRAMES)]
    tables = {name: pd.read_csv(snakemake.input[name]) for name in names}
    made = read_json(snakemake.input.settings)
    grid = {"nside": made["nside"], "ordering": made["ordering"]}
    gaussian = snakemake.params.gaussian
    # A fine histogram fitted by least squares is the density power of exponent one.
    beta = gaussian["beta"] if gaussian["method"] == "density_power" else 1.0
    scatter = Scatter(snakemake.params.reference, pd.read_csv(snakemake.input.scatter))
    stars = with_truth(pd.read_parquet(snakemake.input.tracers), pd.read_parquet(snakemake.input.truth))
    solutions = snakemake.params.solutions
    single = numbers(stars, solutions, {name: tables[name] for name in quoted_in}, scatter, beta)
    each = [
        pixels_of(stars, standard(solutions), parallax, frame, tables, grid)
        for parallax in PARALLAXES
        for frame in FRAMES
    ]
    truth_map = hp.read_map(snakemake.input.truth_map, nest=True)
    maps = add_area(pd.concat(each, ignore_index=True), stars, truth_map, grid)
    table = pd.concat([single, maps], ignore_index=True)
    lost = int(stars["true_corrected"].isna().sum())
    say(f"{len(table)} numbers; {lost} of {len(stars)} simulated stars have no truth")
    write_table(table, snakemake.output.compared)
    write_table(power(maps, grid), snakemake.output.power)
