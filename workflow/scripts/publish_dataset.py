"""The paper's Table 1 of one frame in every format, and the footprint (Table 1)."""

import json
import sys
from pathlib import Path

import pandas as pd

from gaia_offsets.dataset import FORMATS, table1, write_dataset
from gaia_offsets.faults import open_log
from gaia_offsets.footprint import map_meta, write_footprint
from gaia_offsets.published import TABLE1

if __name__ == "__main__":
    open_log(snakemake.log[0])
    frame = snakemake.wildcards.frame
    made = json.loads(Path(snakemake.input.settings).read_text(encoding="utf-8"))
    settings = {key: made[key] for key in ("nside", "ordering", "more_than")}
    table = table1(pd.read_csv(snakemake.input.offsets), frame=frame, **settings)
    meta = map_meta(snakemake.params.facts, frame, settings)
    for form in FORMATS:
        write_dataset(table, snakemake.output[form], TABLE1, meta)
    write_footprint(table["hindex"].to_numpy(), snakemake.output.moc, meta)
    print(f"{len(table)} pixels with {int(table['n'].sum())} 5p stars", file=sys.stderr)
    print(f"{int(table['domega_corr'].isna().sum())} of them without a corrected offset", file=sys.stderr)
