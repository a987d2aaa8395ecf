"""The run's samples side by side, beside those of the literature, as table, figures and page; the top of the report."""

from pathlib import Path
from typing import Any

import pandas as pd

from gaia_offsets.core.faults import open_log
from gaia_offsets.core.files import LITERATURE
from gaia_offsets.core.log import say
from gaia_offsets.core.yamlfile import read_yaml
from gaia_offsets.report import pages, style
from gaia_offsets.report.figures_samples import draw_sample_scales, draw_sample_trends, draw_samples
from gaia_offsets.report.headline import headline, picture
from gaia_offsets.tables.read import TableError, write_table

TITLE = "Global offsets of the samples of this run and of the literature"
COLUMNS = ["origin", "label", "simulated", "solution", "parallax", "offset", "error", "n", "reference"]
KEYS = {"paper", "tracers", "solution", "parallax", "offset", "error", "reference"}


def from_run(offsets: pd.DataFrame, title: str, *, simulated: bool) -> pd.DataFrame:
    """The medians of global_offsets.csv of one sample."""
    table = offsets[["solution", "parallax", "n"]].assign(offset=offsets["median"], error=offsets["median_error"])
    return table.assign(origin="run", label=title, simulated=simulated, reference="this run, median").reindex(
        columns=COLUMNS
    )


def from_literature(entries: list[dict[str, Any]], path: str) -> pd.DataFrame:
    """The published offsets of literature.yaml; a label says what of its row is confirmed in part only (`partly`)."""
    for number, entry in enumerate(entries):
        if set(entry) - {"partly"} != KEYS:
            raise TableError(f"{path}: entry {number}: the keys should be {', '.join(sorted(KEYS))}")
    table = pd.DataFrame(entries)
    marks = [f" (PARTLY: {entry['partly']})" if "partly" in entry else "" for entry in entries]
    label = table["paper"] + ", " + table["tracers"] + marks
    return table.assign(origin="literature", label=label, simulated=False).reindex(columns=COLUMNS)


if __name__ == "__main__":
    open_log(snakemake.log[0])
    samples, output, dpi = snakemake.params.samples, snakemake.output, snakemake.params.dpi
    offsets = [pd.read_csv(path) for path in snakemake.input.offsets]
    tables = [
        from_run(table, sample["title"], simulated=sample["simulated"])
        for table, sample in zip(offsets, samples, strict=True)
    ]
    tables.append(from_literature(read_yaml(LITERATURE), LITERATURE))
    table = pd.concat(tables, ignore_index=True).astype({"n": "Int64", "offset": "float64", "error": "float64"})
    say(f"{len(samples)} samples of the run, {len(tables[-1])} published offsets")
    write_table(table, output.table)
    table = pd.read_csv(output.table, dtype={"n": "Int64"})
    style.save_figure(draw_samples(table, title=TITLE), *output.samples, dpi=dpi)
    pages.save(
        output.page,
        "samples.html.j2",
        title=f"{TITLE} [uas]",
        simulated=False,
        some_simulated=bool(table["simulated"].any()),
        table=pages.table(table.drop(columns="simulated"), {"offset": ".1f", "error": ".1f"}),
    )
    if len(samples) > 1:
        solution = style.among(samples, "standard")
        colour = ", ".join(dict.fromkeys(style.axis_label("colour", sample["colour"]) for sample in samples))
        trends = style.sample_tables(samples, snakemake.input.trends)
        figure = draw_sample_trends(trends, solution, colour, title="Trends of the samples")
        style.save_figure(figure, *output.samples_trends, dpi=dpi)
        title = f"Zero point and distance scale of the samples, corrected parallaxes, {solution}"
        figure = draw_sample_scales(style.sample_tables(samples, snakemake.input.scale), solution, title=title)
        style.save_figure(figure, *output.samples_scales, dpi=dpi)
    text = pages.render(
        "headline.html.j2",
        rows=headline(samples, offsets),
        first=samples[0],
        pictures={name: picture(snakemake.input[name]) for name in ("offsets_figure", "maps_figure")},
    )
    Path(output.headline).write_text(text, encoding="utf-8", newline="\n")
