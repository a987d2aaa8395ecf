"""The paper's Table 1 of both frames in every format, its footprint and its HEALPix maps (Table 1, Fig. 6)."""

import json
import sys
from pathlib import Path

import pandas as pd

from gaia_offsets.dataset import table1
from gaia_offsets.faults import open_log
from gaia_offsets.footprint import map_meta, publish
from gaia_offsets.published import TABLE1
from gaia_offsets.releases import standard
from gaia_offsets.sky import FRAMES

if __name__ == "__main__":
    open_log(snakemake.log[0])
    made = json.loads(Path(snakemake.input.settings).read_text(encoding="utf-8"))
    settings = {key: made[key] for key in ("nside", "ordering", "more_than")}
    solution = standard(snakemake.params.solutions)
    for frame, offsets in zip(FRAMES, snakemake.input.offsets, strict=True):
        table = table1(pd.read_csv(offsets), solution=solution, frame=frame, **settings)
        publish(table, TABLE1, map_meta(snakemake.params.facts, frame, settings), snakemake.output)
        without = int(table["domega_corr"].isna().sum())
        print(f"{frame}: {len(table)} pixels with {int(table['n'].sum())} {solution} stars", file=sys.stderr)
        print(f"{frame}: {without} of them without a corrected offset", file=sys.stderr)
