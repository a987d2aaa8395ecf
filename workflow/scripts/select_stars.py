"""Stars that pass the cuts, with their reference parallax, and the cut flow (Sect. 2.1)."""

from typing import Any

import pandas as pd

from gaia_offsets.core.columns import STANDARD
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.log import say
from gaia_offsets.paper.comparison import matched_spectra
from gaia_offsets.sample.reference import join_group, reference_parallax
from gaia_offsets.sample.selection import refuse_empty, refuse_thin, select_stars
from gaia_offsets.sky.positions import complete_angles
from gaia_offsets.tables.read import read_table, write_table


def add_reference(matched: pd.DataFrame, reference: dict[str, Any], groups: pd.DataFrame | None) -> pd.DataFrame:
    """The table with reference parallax and its error [mas]; here, not later, because a cut may use it."""
    if groups is not None:
        matched = join_group(matched, groups, reference["group"]["key"])
    parallax, error = reference_parallax(matched, reference)
    return matched.assign(reference_parallax=parallax, reference_parallax_error=error)


def read_groups(path: Any, reference: dict[str, Any]) -> pd.DataFrame | None:
    """The table of groups, or None where the reference needs none."""
    group = reference.get("group")
    if not group:
        return None
    columns, key = dict(group.get("columns") or {}), group["key"]
    if key in columns and key not in STANDARD:
        own = columns[key]
        columns[key] = {"column": own["column"] if isinstance(own, dict) else own, "kind": "name"}
    return read_table(path, columns, required=(key, "distance"))


if __name__ == "__main__":
    open_log(snakemake.log[0])
    reference = snakemake.params.reference
    groups = read_groups(snakemake.input.groups, reference)
    # The table was checked and converted when it was made: no column map here.
    matched = (
        add_reference(complete_angles(piece), reference, groups)
        for piece in matched_spectra(snakemake.input.matched, snakemake.input.learned)
    )
    stars, cutflow, warnings, counts = select_stars(
        matched,
        one_row_per=snakemake.params.one_row_per,
        cuts=snakemake.params.cuts,
        codes=snakemake.params.codes,
        solutions=snakemake.params.solutions,
        max_offset_mas=snakemake.params.max_offset_mas,
    )
    say(cutflow.to_string(index=False), *warnings)
    refuse_empty(cutflow)
    refuse_thin(counts, stars, snakemake.params.codes)
    write_table(stars, snakemake.output.stars)
    write_table(cutflow, snakemake.output.cutflow)
