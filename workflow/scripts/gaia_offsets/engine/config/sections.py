"""Faults of the entries of a config, but for samples and corrections: names that lead nowhere, files, queries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from gaia_offsets.core import releases
from gaia_offsets.core.columns import CATALOGUE
from gaia_offsets.core.words import did_you_mean
from gaia_offsets.engine.config import values
from gaia_offsets.engine.config.corrections import inflate_faults, not_of_release
from gaia_offsets.engine.config.fault import Config, Fault, as_far_as_possible, below, unknown
from gaia_offsets.engine.config.read import FOLDER, FOLDER_RULE
from gaia_offsets.engine.config.sample import table_blocks
from gaia_offsets.publish.fields import NONE, pairing_faults
from gaia_offsets.tables.formats import NAMED, format_of

FILE = r"^[A-Za-z0-9_+-][A-Za-z0-9_.+-]*$"  # the schema's pattern of a dataset's file


def run_faults(config: Config) -> Iterator[Fault]:
    """Samples of no name or twice, and a name that makes no folder."""
    names, samples = config["run"]["samples"], config["samples"]
    if not isinstance(names, list):
        return
    if not names:
        yield Fault("run.samples", "names no sample")
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Fault("run.samples", f"{name!r} stands more than once")
    for name in names:
        yield from unknown("run.samples", name, samples, "samples")
    name = config["run"].get("name")
    if isinstance(name, str) and (not FOLDER.fullmatch(name) or len(name.encode()) > values.LONGEST):
        yield Fault("run.name", f"{name!r} makes no folder; {FOLDER_RULE}")
    if "runs" in samples:
        yield Fault("samples.runs", "results/runs/ is the folder of the runs; choose another name")


def survey_faults(name: str, survey: Config, config: Config) -> Iterator[Fault]:
    """A window in magnitude that lets no star through."""
    window = survey.get("magnitude_window")
    if window and window["faint"] <= window["bright"]:
        yield Fault("magnitude_window", f"faint {window['faint']:g} is not fainter than bright {window['bright']:g}")


def figure_faults(config: Config) -> Iterator[Fault]:
    """A range of colours that is none."""
    low, high = config["figures"]["colour_range_uas"]
    if high <= low:
        yield Fault("figures.colour_range_uas", f"{high:g} is not above {low:g}")


def dataset_faults(name: str, entry: Config, config: Config) -> Iterator[Fault]:
    """A dataset of no survey, without a file name, in a place that is the workflow's, or with a token in an address."""
    file, path, simulated = entry.get("file"), entry.get("path"), entry.get("simulated")
    if simulated:
        yield from unknown("simulated.survey", simulated["survey"], config["surveys"], "surveys")
    if not simulated and not file:
        yield Fault("file", "missing; name for it under resources/raw/, of letters, digits and _ . + -")
    elif file and re.fullmatch(FILE, file) and not format_of(file):
        yield Fault("file", f"{file!r} is no kind of table that is known; its name should end in {NAMED}")
    if path:
        yield from values.path_faults("path", path)
        if file and values.same_file(path, f"resources/raw/{name}/{file}"):
            advice = "leave path out (a file that lies there is taken), or move the file"
            yield Fault("path", f"{path!r} is where the workflow puts its own copy; {advice}")
    if entry.get("query"):
        yield from as_far_as_possible(_query_faults(entry))
    token = entry.get("token") or {}
    for address in (entry.get("url"), *entry.get("mirrors", ())) if token else ():
        if re.search(rf"[?&]{re.escape(token['parameter'])}=", address or ""):
            instead = f"its value comes from the environment variable {token['variable']}"
            yield Fault("", f"an address holds {token['parameter']}=...; take it out there, {instead}")
    yield from _role_faults(name, entry, config)


def _query_faults(entry: Config) -> Iterator[Fault]:
    query, known = entry["query"], list(entry["query"]["columns"])
    if not entry["file"].endswith(".parquet"):
        yield Fault("file", f"{entry['file']!r} should end in .parquet; that is what a query is kept as")
    both = (key for key in ("simulated", "path", "url") if entry.get(key))
    yield from (Fault("", f"query and {key} exclude one another") for key in both)
    for number, cut in enumerate(query.get("where") or []):
        yield from unknown(f"query.where.{number}.column", cut["column"], known, "query.columns")
        yield from below(f"query.where.{number}", values.cut_faults(cut))
    if part := query.get("partition"):
        yield from unknown("query.partition.column", part["column"], known, "query.columns")
        if ("low" in part) != ("high" in part):
            yield Fault("query.partition", "low and high come together")
        elif "low" in part and part["high"] <= part["low"]:
            yield Fault("query.partition.high", f"{part['high']:g} is not above low {part['low']:g}")
        elif "low" not in part and part["column"] != "source_id":
            yield Fault("query.partition.low", "missing; only source_id has a range that is known without low and high")


def _role_faults(name: str, entry: Config, config: Config) -> Iterator[Fault]:
    """A query of tables of a release that the one release of the dataset has not."""
    if not (roles := releases.roles(entry.get("query") or {})):
        return
    used = releases_of(name, config)
    if len(used) != 1:
        whose = f"samples of {' and '.join(used)}" if used else "no sample"
        yield Fault("query.table", f"{roles[0]!r} is a table of a release, and {whose} use this dataset")
        return
    release, whose = config["releases"].get(used[0], {}), f"releases.{used[0]}"
    if release.get("astrometry") == "all_source_astrometry":
        other = f"{whose}.astrometry asks for another table"
        yield Fault("query", f"a query takes the astrometry of gaia_source, {other}")
    joined = releases.bridged(release, config["releases"])
    for role in roles:
        if not (release.get(role) or (role != roles[0] and joined.get(role))):
            yield Fault("query", f"{whose} names no table {role}, which this query needs")


def releases_of(dataset: str, config: Config) -> list[str]:
    """Names of the releases of the samples of the config that use a dataset."""
    samples = config["samples"].values()
    using = [s for s in samples if dataset in (block.get("dataset") for block in table_blocks(s).values())]
    return sorted({sample["release"] for sample in using})


def release_faults(_: str, release: Config, config: Config) -> Iterator[Fault]:
    """Classes of solutions that contradict one another, tables that are lacking, names that lead nowhere."""
    yield from as_far_as_possible(_class_faults(releases.coding(release)))
    table = release.get("astrometry") or "gaia_source"
    if not release.get(table):
        yield Fault("astrometry", f"the release names no table {table}")
    for name, column in (release.get("columns") or {}).items():
        if column is None and name not in releases.MAY_LACK:
            only = f"which only {releases.MAY_LACK[0]} may lack"
            yield Fault(f"columns.{name}", f"null says that the release has no such column, {only}")
    if (bridge := release.get("bridge")) and not release.get("dr3_neighbourhood"):
        yield Fault("bridge", f"{bridge} is reached by identifiers of DR3; the release names no dr3_neighbourhood")
    for key, section in (("bridge", "releases"), ("official", "corrections")):
        if release.get(key):
            yield from unknown(key, release[key], config[section], section)


def _class_faults(coding: Config) -> Iterator[Fault]:
    classes: Config = {}
    for name, codes in coding["codes"].items():
        for code in codes if isinstance(codes, list) else [codes]:
            if code in classes:
                yield Fault(f"solution.codes.{name}", f"{code} is {classes[code]} already")
            classes[code] = name
    for name in set(coding["codes"]) & set(coding["bits"]):
        yield Fault(f"solution.bits.{name}", "it stands in codes already; one place says what a class is")
    for name in set(coding["colours"]) - set(releases.classes(coding)):
        yield Fault(f"solution.colours.{name}", "it is no class of codes or bits")
    if (standard := coding["standard"]) not in coding["colours"]:
        yield Fault("solution.standard", f"{standard!r} has no entry in solution.colours, and so is not measured")


def catalogue_ending(path: str) -> str:
    """Ending of a catalogue's file name, which its corrected copy shares, e.g. `csv.gz`."""
    parts = Path(path).name.split(".")
    return ".".join(parts[-2:]) if parts[-1] == "gz" else parts[-1]


def catalogue_faults(name: str, entry: Config, config: Config) -> Iterator[Fault]:
    """A catalogue of no sample, in the place of its corrected copy, or with a correction that does not fit."""
    path, sample, correction = entry["path"], entry["sample"], entry.get("correction", NONE)
    yield from unknown("sample", sample, config["samples"], "samples")
    yield from values.path_faults("path", path)
    if values.same_file(path, f"results/{sample}/corrected/{name}.{catalogue_ending(path)}"):
        yield Fault("path", f"{path!r} is where its corrected copy goes; move the file")
    for ours, own in (entry.get("columns") or {}).items():
        if ours not in CATALOGUE:
            yield Fault(f"columns.{ours}", f"none of {', '.join(CATALOGUE)}{did_you_mean(ours, CATALOGUE)}")
        yield from values.unit_faults(f"columns.{ours}", ours, own)
    yield from (Fault(*fault) for fault in pairing_faults(entry["base"], correction=correction))
    if release := config["samples"].get(sample, {}).get("release"):
        if correction in config["corrections"]:
            yield from (Fault("correction", text) for text in not_of_release(config, release, correction))
        yield from inflate_faults(entry, release)
