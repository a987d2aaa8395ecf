"""The smooth map of both frames in every format, with the columns of Table 1."""

import pandas as pd

from gaia_offsets.core.columns import FRAMES
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.files import read_json
from gaia_offsets.core.log import say
from gaia_offsets.publish.dataset import at_centres, rounded
from gaia_offsets.publish.fields import COLUMNS_OF, SMOOTH
from gaia_offsets.publish.footprint import map_meta, publish
from gaia_offsets.tables.values import floats


def smooth_table(smooth: pd.DataFrame, *, frame: str, nside: int, ordering: str) -> pd.DataFrame:
    """The columns SMOOTH, sorted by hindex, from smooth_{frame}.csv; n counts the stars behind the raw offset."""
    parts = {parallax: smooth[smooth["parallax"] == parallax].set_index("hindex") for parallax in COLUMNS_OF}
    pixels = parts["raw"].index.union(parts["corrected"].index).astype("int64")
    table = at_centres(pixels, frame=frame, nside=nside, ordering=ordering)
    for parallax, part in parts.items():
        names, part = COLUMNS_OF[parallax], part.reindex(pixels)
        table[names.value], table[names.error] = floats(part, "offset"), floats(part, "error")
    table["n"] = parts["raw"]["n"].reindex(pixels).fillna(0).to_numpy(dtype="int64")
    return rounded(table, SMOOTH)


if __name__ == "__main__":
    open_log(snakemake.log[0])
    made = read_json(snakemake.input.settings)
    grid, facts = {key: made[key] for key in ("nside", "ordering")}, snakemake.params.facts
    for frame, smooth in zip(FRAMES, snakemake.input.smooth, strict=True):
        table = smooth_table(pd.read_csv(smooth), frame=frame, **grid)
        # Every pixel has more stars than this: there are pixels without any.
        meta = map_meta(facts | {"title": f"{facts['title']}, smooth map"}, frame, grid | {"more_than": -1})
        publish(table, SMOOTH, meta, snakemake.output)
        without = int((table["n"] == 0).sum())
        say(f"{frame}: {len(table)} pixels, {without} of them without stars")
