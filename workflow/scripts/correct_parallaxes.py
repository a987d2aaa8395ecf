"""Tracers: official zero point, corrected parallax and the two offsets of each star (Sect. 3); other zero points."""

from dataclasses import replace

import pandas as pd

from gaia_offsets.core.columns import STANDARD
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.log import say
from gaia_offsets.sample.corrections import PUBLISHED_ERROR, with_offsets, with_paths
from gaia_offsets.sample.zero_points import MODEL
from gaia_offsets.tables.read import check_table, write_table

if __name__ == "__main__":
    open_log(snakemake.log[0])
    corrections = with_paths(snakemake.params.corrections, snakemake.input)
    official, also = snakemake.params.official, snakemake.params.also
    stars, inflate = pd.read_parquet(snakemake.input.stars), snakemake.params.inflate
    tracers = with_offsets(stars, official=official, also=also, corrections=corrections, inflate=inflate)
    zero_points = {official: "zero_point", **{name: f"zero_point_{name}" for name in also}}
    for name, column in zero_points.items():
        say(f"{len(tracers)} tracers, {tracers[column].isna().sum()} without a zero point of {name}")
    for solution, part in tracers.groupby("solution"):
        empty = [name for name in MODEL if part[name].isna().all()]
        if empty:
            say(f"{len(part)} {solution} stars have no {', no '.join(empty)}")
    units = {name: column.unit for name, column in STANDARD.items()}
    units |= dict.fromkeys((*zero_points.values(), PUBLISHED_ERROR), STANDARD["zero_point"].unit)
    meanings = {}
    if inflate:
        meanings = {"parallax_error": f"published error times the factor of {inflate}, without a floor"}
        if without := tracers["parallax_error"].isna().sum():
            say(f"WARNING: {without} of {len(tracers)} have no error by {inflate}, and no weight")
    contracts = {"parallax_error": replace(STANDARD["parallax_error"], high=1e3)} if inflate else {}
    tracers = check_table(tracers, list(tracers.columns), snakemake.output.tracers, contracts)
    write_table(tracers, snakemake.output.tracers, units, meanings)
