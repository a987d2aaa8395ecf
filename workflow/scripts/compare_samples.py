"""The run's samples side by side, beside those of the literature, as table, figures and page; the top of the report."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from gaia_offsets.core.faults import open_log
from gaia_offsets.core.files import LITERATURE
from gaia_offsets.core.log import say
from gaia_offsets.core.yamlfile import read_yaml
from gaia_offsets.engine import products
from gaia_offsets.report import pages, style
from gaia_offsets.report.figures_samples import draw_sample_scales, draw_sample_trends, draw_samples
from gaia_offsets.report.headline import medians, picture, side_by_side
from gaia_offsets.tables.read import TableError, write_table

TITLE = "Global offsets of the samples of this run and of the literature"
COLUMNS = ["origin", "label", "simulated", "solution", "parallax", "offset", "error", "n", "reference"]
KEYS = {"paper", "tracers", "solution", "parallax", "offset", "error", "reference"}


def from_run(offsets: pd.DataFrame, sample: Mapping[str, Any]) -> pd.DataFrame:
    """The medians of global_offsets.csv of one sample, or the weighted means, whichever its `statistic` is."""
    name = sample.get("statistic", "median")
    table = offsets[["solution", "parallax", "n"]].assign(offset=offsets[name], error=offsets[f"{name}_error"])
    own = {"origin": "run", "label": sample["title"], "simulated": sample["simulated"]}
    return table.assign(**own, reference=f"this run, {name.replace('_', ' ')}").reindex(columns=COLUMNS)


def from_literature(entries: list[dict[str, Any]], path: str) -> pd.DataFrame:
    """The published offsets of literature.yaml; a label says what of its row is confirmed in part only (`partly`)."""
    for number, entry in enumerate(entries):
        if set(entry) - {"partly"} != KEYS:
            raise TableError(f"{path}: entry {number}: the keys should be {', '.join(sorted(KEYS))}")
    table = pd.DataFrame(entries)
    marks = [f" (unconfirmed: {entry['partly']})" if "partly" in entry else "" for entry in entries]
    label = table["paper"] + ", " + table["tracers"] + marks
    return table.assign(origin="literature", label=label, simulated=False).reindex(columns=COLUMNS)


if __name__ == "__main__":
    open_log(snakemake.log[0])
    samples, given, output = snakemake.params.samples, snakemake.input, snakemake.output
    offsets, corrections = ([pd.read_csv(path) for path in given[name]] for name in ("offsets", "corrections"))
    tables = [from_run(*pair) for pair in zip(offsets, samples, strict=True)]
    tables.append(from_literature(read_yaml(LITERATURE), LITERATURE))
    table = pd.concat(tables, ignore_index=True).astype({"n": "Int64", "offset": "float64", "error": "float64"})
    say(f"{len(samples)} samples of the run, {len(tables[-1])} published offsets")
    write_table(table, output.table)
    table = pd.read_csv(output.table, dtype={"n": "Int64"})
    figures = {"samples": draw_samples(table, title=TITLE)}
    if len(samples) > 1:
        solution = style.among(samples, "standard")
        colour = ", ".join(dict.fromkeys(style.axis_label("colour", sample["colour"]) for sample in samples))
        trends, scales = (style.sample_tables(samples, given[name]) for name in ("trends", "scale"))
        figures["samples_trends"] = draw_sample_trends(trends, solution, colour, title="Trends of the samples")
        title = f"Zero point and distance scale of the samples, corrected parallaxes, {solution}"
        figures["samples_scales"] = draw_sample_scales(scales, solution, title=title)
    for name, figure in figures.items():
        style.save_figure(figure, *output[name], dpi=snakemake.params.dpi)

    run, told = Path(output.index).parent.name, {"medians": pages.table(medians(samples, offsets, corrections))}
    pictures = {name: picture(given[name]) for name in ("offsets_figure", "maps_figure")}
    text = pages.render("headline.html.j2", first=samples[0], pictures=pictures, **told)
    Path(output.headline).write_text(text, encoding="utf-8", newline="\n")
    links = [(f"../../{sample['name']}/results.html", sample["title"]) for sample in samples]
    told |= {"nav": [pages.run_links(run), ("Results of", links)], "simulated": False, "products": products}
    published = pages.table(side_by_side(table[table["origin"] == "literature"]))
    pages.save(output.page, "samples.html.j2", title=TITLE, published=published, drawn=[*figures], **told)
    pages.save(output.index, "index.html.j2", title=f"Parallax offsets: the run {run}", samples=samples, **told)
