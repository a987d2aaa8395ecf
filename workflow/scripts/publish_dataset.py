"""Table 1 of both frames in every format, its long version, its footprint and HEALPix maps, and the README (Fig. 6)."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from gaia_offsets.checks.extended_table import describe_pixels
from gaia_offsets.core.columns import FRAMES, PARALLAXES
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.files import read_json
from gaia_offsets.core.log import say
from gaia_offsets.publish.dataset import read_dataset, table1
from gaia_offsets.publish.fields import COLUMNS_OF, META, TABLE1, extended, worded, zero_point_words
from gaia_offsets.publish.footprint import map_meta, publish
from gaia_offsets.publish.write import write_dataset
from gaia_offsets.report.pages import render
from gaia_offsets.sky.positions import pixel_index
from gaia_offsets.tables.parquet import read_tracers


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
    made = read_json(snakemake.input.settings)
    settings = {key: made[key] for key in ("nside", "ordering", "more_than")}
    (solution, *others), output, bootstrap = snakemake.params.solutions, snakemake.output, snakemake.params.bootstrap
    columns = ["solution", "phot_g_mean_mag", "bp_rp", *PARALLAXES.values(), *chain(*FRAMES.values())]
    tracers, datasets = read_tracers(snakemake.input.tracers, columns), {}
    for frame, path in zip(FRAMES, snakemake.input.offsets, strict=True):
        offsets = pd.read_csv(path)
        table = table1(offsets, solution=solution, frame=frame, **settings)
        publish(table, TABLE1, map_meta(snakemake.params.facts, frame, settings), [*output.dataset, *output.maps])
        without = int(table["domega_corr"].isna().sum())
        say(f"{frame}: {len(table)} pixels with {int(table['n'].sum())} {solution} stars")
        say(f"{frame}: {without} of them without a corrected offset")
        _, meta = datasets[frame] = read_dataset(
            next(each for each in output.dataset if each.endswith(f"{frame}.ecsv"))
        )
        grid = {key: made[key] for key in ("nside", "ordering")}
        about = {"gaussian": snakemake.params.gaussian, "systematic_uas": meta["systematic_uas"]}
        pixel = pixel_index(*(tracers[name].to_numpy() for name in FRAMES[frame]), **grid)
        table = describe_pixels(
            table, tracers, pixel, offsets, [solution, *others], {**grid, **about, "bootstrap": bootstrap}
        )
        for path in output.extended:
            if Path(path).name.startswith(frame):
                write_dataset(table, path, extended(others), meta)
        for parallax, names in COLUMNS_OF.items():
            ratio, sd = (table[names.bootstrap_error] / table[names.error]).median(), table[names.z].std()
            say(f"{parallax}: bootstrap over stated error {ratio:.3f}, sd of z {sd:.2f}")
    Path(output.readme).write_text(readme(datasets, others), encoding="utf-8")
