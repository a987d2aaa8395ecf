"""Number the targets and find those worth asking the archive for (Sect. 2.1)."""

from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.archive.candidates import key_columns, preselect, targets_to_ask
from gaia_offsets.core.columns import GAIA
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.log import say
from gaia_offsets.tables.read import read_table, write_table

CHUNK = 100_000  # targets that one query takes without trouble


def prepare_targets(
    targets: pd.DataFrame, *, cuts: list[dict[str, Any]], by: str, radius_arcsec: float
) -> tuple[pd.DataFrame, list[str]]:
    """The targets with `target_id` (number of the row) and `preselected`, and the counts of each step."""
    preselected, lines = preselect(targets, cuts, by=by, radius_arcsec=radius_arcsec)
    return targets.assign(target_id=np.arange(len(targets)), preselected=preselected), lines


if __name__ == "__main__":
    open_log(snakemake.log[0])
    prepared, counts = prepare_targets(
        read_table(
            snakemake.input.targets, snakemake.params.columns, vizier={*GAIA} & {*key_columns(snakemake.params.by)}
        ),
        cuts=snakemake.params.cuts,
        by=snakemake.params.by,
        radius_arcsec=snakemake.params.radius_arcsec,
    )
    say(*counts)
    asked = targets_to_ask(prepared, by=snakemake.params.by)
    say(f"{len(asked)} to ask for; archive.chunks: {-(-len(asked) // CHUNK) or 1} is plenty")
    write_table(prepared, snakemake.output.targets)
    write_table(asked, snakemake.output.asked)
