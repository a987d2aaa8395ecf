"""Faults of values by themselves: paths, units, cuts, bins. No name of another section is looked up."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from gaia_offsets.core.columns import LABELS, REFERENCE_KINDS, STANDARD, STRATA
from gaia_offsets.engine.config.fault import Config, Fault

MAX_BINS = 10_000
LONGEST = 200  # bytes of a file's name; a file system takes 255, and some endings are added
# Units that convert into one another: what most configs use; others are looked up in astropy.
UNITS = ({"pc", "kpc"}, {"mas", "uas", "arcsec", "deg"}, {"mas / yr", "mas/yr"})


def path_faults(where: str, path: str) -> Iterator[Fault]:
    """What cannot be the path of one file."""
    if re.search(r"[{}\n\r\0]", path):
        yield Fault(where, f"{path!r} holds braces or line breaks, which Snakemake takes for its own; rename the file")
    elif re.match(r"\w+://", path):
        yield Fault(where, f"{path!r} is an address, not a path; a dataset's address stands in its url")
    elif (long := len(Path(path).name.encode())) > LONGEST:
        yield Fault(where, f"the name has {long} bytes, {LONGEST} at most; take a shorter one")
    elif Path(path).is_dir():
        yield Fault(where, f"{path!r} is a folder; name the file in it")


def same_file(path: str, other: str) -> bool:
    """Whether two paths lead to one file."""
    return Path(path).resolve() == Path(other).resolve()


def unit_faults(where: str, name: str, entry: str | Config) -> Iterator[Fault]:
    """Why the unit of a file's column cannot be converted to that of the standard column `name`."""
    unit, standard = entry.get("unit") if isinstance(entry, dict) else None, STANDARD.get(name)
    if not unit or standard is None or unit == standard.unit or any({unit, standard.unit} <= group for group in UNITS):
        return
    try:
        from gaia_offsets.tables.values import TableError, unit_factor
    except ImportError:  # Snakemake's environment need not have what the rules have; then they look
        return
    try:
        unit_factor(unit, standard.unit, "")
    except TableError as error:
        yield Fault(f"{where}.unit", str(error).removeprefix(": unit "))


def cut_faults(cut: Config) -> Iterator[Fault]:
    """A value that does not go with the `op` of its cut."""
    op, value = cut["op"], cut.get("value")
    numbers = isinstance(value, list) and all(isinstance(v, int | float) for v in value)
    if op == "between":
        if not numbers or len(value) != 2 or value[1] < value[0]:
            yield Fault("value", f"{value!r} should be [low, high] for op between")
    elif op == "in":
        if not isinstance(value, list):
            yield Fault("value", f"{value!r} should be a list for op in")
    elif op == "not_null":
        if value is not None:
            yield Fault("value", "op not_null takes none")
    elif value is None or isinstance(value, list | bool):
        yield Fault("value", f"{value!r} should be one number (or text, for == and !=) for op {op}")
    elif isinstance(value, str) and op not in ("==", "!="):
        yield Fault("value", f"{value!r} is text, op {op} compares numbers")


def measure_faults(measure: Config) -> Iterator[Fault]:
    """Bins that do not increase or are too many, and a grid that is none."""
    for variable, edges in measure["trends"]["edges"].items():
        path = f"trends.edges.{variable}"
        if isinstance(edges, dict):
            start, stop = edges["start"], edges["stop"]
            bins = (stop - start) / edges["step"]
            if stop <= start:
                yield Fault(path, f"stop {stop:g} is not above start {start:g}")
            elif abs(bins - round(bins)) > 1e-6 or not 1 <= round(bins) <= MAX_BINS:
                yield Fault(path, f"{start:g} to {stop:g} are {bins:g} steps; it takes 1 to {MAX_BINS} whole ones")
        elif len(edges) < 2 or any(b <= a for a, b in itertools.pairwise(edges)):
            yield Fault(path, "edges must increase, two or more")
    width = measure["histogram_width_uas"]
    if 2000 / width > MAX_BINS:
        yield Fault("histogram_width_uas", f"{width:g} makes more than {MAX_BINS} bins; take a wider one")
    nside = measure["map"]["nside"]
    if isinstance(nside, int) and nside & (nside - 1):
        yield Fault("map.nside", f"{nside} is not a power of two")


def reference_faults(reference: Config) -> Iterator[Fault]:
    """What a reference lacks for its kind, or has and does not use."""
    kind, extinction = reference["kind"], reference.get("extinction") or {}
    for key in REFERENCE_KINDS[kind].keys:
        if reference.get(key) is None:
            yield Fault(key, f"missing; kind {kind} needs it")
    if reference.get("learn") is not None and kind != "learned_magnitude":
        yield Fault("learn", f"kind {kind} learns nothing")
    learn = reference.get("learn") or {}
    strata, labels = learn.get("strata", STRATA), learn.get("labels") or LABELS
    if kind == "learned_magnitude" and strata not in (None, *labels):
        yield Fault("learn.strata", f"{strata!r} is none of the labels; name one, or null for none")
    for number, cut in enumerate(learn.get("cuts") or ()):
        yield from (Fault(f"learn.cuts.{number}.{key}", text) for key, text in cut_faults(cut))
    if extinction and ("column" in extinction) == ("blue" in extinction):
        yield Fault("extinction", "either column and coefficient, or blue, red, intrinsic and coefficient")
    elif "blue" in extinction and not {"red", "intrinsic"} <= set(extinction):
        yield Fault("extinction", "a colour excess needs blue, red and intrinsic")
