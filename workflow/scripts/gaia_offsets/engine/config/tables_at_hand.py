"""Files that a run reads and that are at hand: whether they are there, and have the columns that the config names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gaia_offsets.core.columns import REFERENCE_KINDS, TARGETS, VIZIER
from gaia_offsets.core.files import OWN, own_file
from gaia_offsets.core.words import did_you_mean
from gaia_offsets.engine.config.fault import Config, Fault
from gaia_offsets.engine.config.sample import reference_columns, table_blocks
from gaia_offsets.tables.formats import format_of

WHOLE = ("votable", "ecsv")  # read as a whole to know their columns
LARGEST_PEEK = 20_000_000  # bytes of such a file
# Columns of Gaia that every result rests on.
ASTROMETRY = (
    *("source_id", "ra", "dec", "parallax", "parallax_error", "phot_g_mean_mag", "nu_eff_used_in_astrometry"),
    *("pseudocolour", "astrometric_params_solved", "ruwe"),
)


def own_faults(config: Config) -> Iterator[Fault]:
    """Files of OWN that are neither the user's nor ours."""
    for section, key in (("datasets", "shipped"), ("samples", "claims"), ("corrections", "file")):
        for name, entry in config[section].items():
            if entry.get(key) and not own_file(key, entry[key]).is_file():
                where = f"in the folder of the run ({Path.cwd()}) nor in the workflow's {OWN[key]}/"
                yield Fault(f"{section}.{name}.{key}", f"there is no file {entry[key]} {where}")


def path_faults(config: Config) -> Iterator[Fault]:
    """Files of the user's own that the run needs and that are not there: results of another file must not stay."""
    blocks = [block for name in config["run"]["samples"] for block in table_blocks(config["samples"][name]).values()]
    for dataset in dict.fromkeys(block["dataset"] for block in blocks):
        path = config["datasets"][dataset].get("path")
        if path and not Path(path).is_file():
            yield Fault(f"datasets.{dataset}.path", f"no such file: {path}")


def table_faults(config: Config) -> Iterator[Fault]:
    """Columns that tables of the run lack, of tables that are at hand: what would else show after hours.

    `config` is the complete one.
    """
    for name in config["run"]["samples"]:
        sample = config["samples"][name]
        blocks = table_blocks(sample)
        mapped = {ours for block in blocks.values() for ours in block.get("columns") or {}}
        for where, block in blocks.items():
            file, present = _columns_at_hand(block["dataset"], config["datasets"][block["dataset"]])
            yield from _named_faults(f"samples.{name}.{where}.columns", block, file, present)
            for key, column in _brought(sample, where) if present else ():
                if column not in mapped and column not in present:
                    text = f"{file} has no column {column!r}; name the file's column in samples.{name}.{where}.columns"
                    yield Fault(f"samples.{name}.{key}", text)
    for name, entry in config["catalogues"].items():
        if Path(entry["path"]).is_file():
            yield from _named_faults(f"catalogues.{name}.columns", entry, entry["path"], _peek(entry["path"]))


def _columns_at_hand(name: str, dataset: Config) -> tuple[str | None, list[str] | None]:
    """The file of a dataset and its columns, as far as they are there."""
    shipped = own_file("shipped", dataset["shipped"]) if dataset.get("shipped") else None
    places = (dataset.get("path"), shipped, f"resources/raw/{name}/{dataset.get('file')}")
    files = (str(place) for place in places if place and Path(place).is_file() and not dataset.get("simulated"))
    file = next(files, None)
    return file, file and _peek(file)


def _named_faults(path: str, block: Config, file: str | None, present: list[str] | None) -> Iterator[Fault]:
    """Columns that a block names and its file has not."""
    for ours, own in (block.get("columns") or {}).items() if present else ():
        source = own["column"] if isinstance(own, dict) else own
        if source not in present:
            yield Fault(f"{path}.{ours}", f"{file} has no column {source!r}{did_you_mean(source, present)}")


def _brought(sample: Config, where: str) -> Iterator[tuple[str, str]]:
    """Paths below the sample and the columns that only this table of it can give."""
    reference = sample["reference"]
    if where == "reference.group":
        yield from (("reference.group.key", reference["group"]["key"]), ("reference.kind", "distance"))
    if where == "targets":
        kind = REFERENCE_KINDS[reference["kind"]]
        if kind.columns and not kind.keys:  # else another table has them
            yield "reference.kind", kind.columns[0]
        cuts = ((f"cuts.{number}.column", cut["column"]) for number, cut in enumerate(sample["cuts"]))
        yield from ((key, name) for key, name in (*reference_columns(reference), *cuts) if name in TARGETS)


def table_notes(config: Config) -> Iterator[str]:
    """Of the user's own tables with Gaia columns: a line on which column is taken for which, and what is not there.

    An astrometric column that is not there leaves stars without a zero point, which nobody wants to learn afterwards.
    """
    for name in config["run"]["samples"]:
        sample = config["samples"][name]
        block = sample["targets"]
        path = config["datasets"][block["dataset"]].get("path")
        if sample["crossmatch"]["backend"] != "none" or not path or not (present := _peek(path)):
            continue
        entries = (block.get("columns") or {}).items()
        named = {ours: own["column"] if isinstance(own, dict) else own for ours, own in entries}
        free = set(present) - set(named.values())
        columns = {ours: named.get(ours) or next(iter({ours, VIZIER[ours]} & free), None) for ours in ASTROMETRY}
        taken = [f"{ours} = {own}" for ours, own in columns.items() if own]
        lacking = []
        for ours in (ours for ours, own in columns.items() if not own):
            part = sorted((name for name in free if len(name) > 3 and name.lower() in ours), key=len)
            lacking.append(ours + (f" (nearest: {part[-1]})" if part else did_you_mean(ours, free)))
        yield f"{path}: {', '.join(taken) or 'no column of Gaia'}; not found: {', '.join(lacking) or 'none'}"


def _peek(file: str) -> list[str] | None:
    """Names of a table's columns; None where they cannot be had quickly."""
    if Path(file).stat().st_size > LARGEST_PEEK and format_of(file) in WHOLE:
        return None
    try:
        from gaia_offsets.tables.native import column_names

        return column_names(file)
    # Snakemake's environment need not have what the rules have; a file that cannot be read its rule tells of.
    except Exception:
        return None
