"""README of a sample's results: its files, how to read and cite them, and what they cannot tell."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from gaia_offsets.dataset import read_dataset
from gaia_offsets.faults import open_log
from gaia_offsets.pages import render
from gaia_offsets.published import META, extended, worded, zero_point_words


def readme(datasets: Mapping[str, tuple[pd.DataFrame, Mapping[str, Any]]], others: Sequence[str]) -> str:
    """README.md of a sample's results, from the table and metadata of both frames.

    `others` are the measured classes besides that of the map.
    """
    meta = datasets["equatorial"][1]
    return render(
        "sample_readme.md.j2",
        meta=meta,
        tables={frame: table for frame, (table, _) in datasets.items()},
        fields=worded(extended(others), meta),
        others=others,
        correction=zero_point_words(meta.get("official")),
        facts=[key for key, *_ in META if key not in ("title", "citation", "frame", "rows")],
        level=int(meta["nside"]).bit_length() - 1,
    )


if __name__ == "__main__":
    open_log(snakemake.log[0])
    others = list(snakemake.params.solutions)[1:]
    text = readme({frame: read_dataset(snakemake.input[frame]) for frame in ("equatorial", "galactic")}, others)
    Path(snakemake.output.readme).write_text(text, encoding="utf-8")
    print(f"{len(text.splitlines())} lines", file=sys.stderr)
