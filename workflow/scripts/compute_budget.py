"""Systematic effects on a typical parallax of the sample, the paper's numbers and this run's (Sect. 2.2)."""

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gaia_offsets.budget import budget, parallax_limit, selection_shift
from gaia_offsets.reference import reference_parallax
from gaia_offsets.selection import select_stars
from gaia_offsets.tables import write_table

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

ON_PARALLAX = ("parallax", "reference_parallax")


def selection_effect(
    matched: pd.DataFrame, *, cuts: list[dict[str, Any]], one_row_per: dict[str, Any], reference: dict[str, Any]
) -> float:
    """Median offset with the cut on Gaia's parallax minus that on the reference's, all other cuts made [uas]."""
    limit = parallax_limit(cuts)
    if limit is None:
        return float("nan")
    others = [cut for cut in cuts if cut["column"] not in ON_PARALLAX]
    matched = matched.assign(reference_parallax=reference_parallax(matched, reference)[0])
    stars, _, _ = select_stars(matched, one_row_per=one_row_per, cuts=others)
    gaia, own = (stars[name].to_numpy(dtype=float, na_value=np.nan) for name in ON_PARALLAX)
    return selection_shift(1000.0 * (gaia - own), gaia, own, limit)


if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    cuts, reference = snakemake.params.cuts, snakemake.params.reference
    matched = pd.read_parquet(snakemake.input.matched, dtype_backend="numpy_nullable")
    stars = pd.read_parquet(snakemake.input.stars, columns=["reference_parallax", "reference_parallax_error"])
    offsets = pd.read_csv(snakemake.input.offsets).set_index(["solution", "parallax"])["median"]
    training = pd.read_csv(snakemake.input.training).set_index("group")["mean_parallax"]
    magnitudes = pd.read_csv(snakemake.input.magnitudes).rename(columns={"gaussian_mean": "shift"}).set_index("kind")
    clump = pd.read_csv(snakemake.input.red_clump)["mean"].iloc[0] if snakemake.input.get("red_clump") else np.nan
    table = budget(
        parallax_uas=1000.0 * stars["reference_parallax"].median(),
        fraction=(stars["reference_parallax_error"] / stars["reference_parallax"]).median(),
        coefficient=(reference.get("extinction") or {}).get("coefficient", np.nan),
        floor_uas=snakemake.params.floor_uas,
        limit_mas=parallax_limit(cuts),
        selection_uas=selection_effect(
            matched, cuts=cuts, one_row_per=snakemake.params.one_row_per, reference=reference
        ),
        corrected_uas=offsets.get(("5p", "corrected"), np.nan),
        magnitudes=magnitudes[["shift", "median_parallax"]].to_dict("index"),
        training_uas=1000.0 * training["training"],
        red_clump_uas=clump,
    )
    print(table[["effect", "paper_uas", "run_uas"]].to_string(index=False), file=sys.stderr)
    write_table(table, snakemake.output.budget)
