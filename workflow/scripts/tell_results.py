"""The story of a sample in one page: what was cut, what was found, how it compares."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets import pages

DIFFERING = ["claim", "place", "unit", "published", "reproduced", "difference", "difference_sigma", "reason"]


def story(
    *,
    cutflow: pd.DataFrame,
    offsets: pd.DataFrame,
    pixels: pd.DataFrame,
    more_than: int,
    claims: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """What the template results.html.j2 takes, besides title and simulated.

    `pixels` is the map table of the equatorial frame, the others are cutflow.csv, global_offsets.csv and, for a sample
    that is tested against published statements, claims.csv.
    """
    one_decimal = dict.fromkeys(offsets.select_dtypes("float").columns, ".1f")
    counted = pixels[(pixels["solution"] == "5p") & (pixels["parallax"] == "raw")]["n"]
    told = {
        "first": cutflow.iloc[0],
        "last": cutflow.iloc[-1],
        "hardest": cutflow.loc[cutflow["removed"].idxmax()],
        "cutflow": pages.table(cutflow),
        "findings": [finding(name, part.set_index("parallax")) for name, part in offsets.groupby("solution")],
        "offsets": pages.table(offsets, one_decimal),
        "pixels": int((counted > more_than).sum()),
        "more_than": more_than,
        "counts": None,
    }
    if claims is not None:
        differing = claims[claims["verdict"].map(pages.tone) == "differs"]
        told |= {
            "counts": pages.count_verdicts(claims),
            "differing": pages.table(differing[DIFFERING]) if len(differing) else None,
        }
    return told


def finding(solution: str, rows: pd.DataFrame) -> str:
    """One sentence on the stars of a solution; `rows` of global_offsets.csv by parallax."""
    words = []
    for parallax, name in (("raw", "published"), ("corrected", "corrected")):
        if parallax in rows.index:
            row = rows.loc[parallax]
            size = "too small" if row["median"] < 0 else "too large"
            error = f" \u00b1 {row['median_error']:.1f}" if np.isfinite(row["median_error"]) else ""
            words.append(f"{name} parallaxes are {size} by {abs(row['median']):.1f}{error} uas")
    return f"{solution}: in the median, {' and '.join(words)}."


if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    names = [name for name in ("cutflow", "offsets", "pixels", "claims") if snakemake.input.get(name)]
    made = json.loads(Path(snakemake.input.settings).read_text(encoding="utf-8"))
    tables = {name: pd.read_csv(snakemake.input[name]) for name in names}
    pages.save(
        snakemake.output.page,
        "results.html.j2",
        title=f"Results: {snakemake.params.title}",
        simulated=snakemake.params.simulated,
        **story(**tables, more_than=made["more_than"]),
    )
    print(", ".join(f"{len(table)} rows of {name}" for name, table in tables.items()), file=sys.stderr)
