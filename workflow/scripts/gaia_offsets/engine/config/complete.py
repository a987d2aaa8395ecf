"""From what config files say to the complete, checked config that rules read."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from gaia_offsets.core import releases
from gaia_offsets.core.yamlfile import merge
from gaia_offsets.engine.config.corrections import correction_faults
from gaia_offsets.engine.config.fault import REFUSED, Config, ConfigError, Fault, as_far_as_possible, below
from gaia_offsets.engine.config.sample import sample_faults, table_blocks
from gaia_offsets.engine.config.schema import not_finite, not_text, numbers, schema_faults
from gaia_offsets.engine.config.sections import (
    FILE,
    catalogue_faults,
    dataset_faults,
    figure_faults,
    release_faults,
    releases_of,
    run_faults,
    survey_faults,
)
from gaia_offsets.engine.config.shorthand import add_validation, inherit, validation_faults, write_out
from gaia_offsets.engine.config.values import measure_faults

INHERITING = ("samples", "surveys", "releases")
CHECKS = {  # of each entry of a section
    "datasets": dataset_faults,
    "corrections": correction_faults,
    "releases": release_faults,
    "samples": sample_faults,
    "catalogues": catalogue_faults,
    "surveys": survey_faults,
}


def resolve(config: Config, schema: Config) -> Config:
    """The complete, checked config: short forms written out, samples and surveys inherited, defaults in their places.

    Raises ConfigError with all faults, each on its line: dotted path, what is wrong, and what was perhaps meant.
    """
    if faults := [*not_text(config)]:
        raise ConfigError(faults)
    whole = numbers(copy.deepcopy(config), schema, schema)
    with suppress(*REFUSED):
        add_validation(whole)
    faults += as_far_as_possible(write_out(whole))
    written = dict(whole)  # its sections, which `inherit` replaces
    for section in INHERITING:
        if isinstance(whole.get(section), dict):
            faults += inherit(whole, section)
    _add_defaults(whole, schema["$defs"]["sample"]["properties"])
    for add in (_add_release, _add_measure, _erase_columns):
        with suppress(*REFUSED):
            add(whole)
    faults += [*schema_faults(whole, schema), *not_finite(whole), *_entry_faults(whole)]
    if faults:
        raise ConfigError(_without_repeats(faults, written))
    for release in whole["releases"].values():
        if tables := releases.bridged(release, whole["releases"]):
            release["bridged"] = tables
    for name, entry in whole["datasets"].items():
        if entry.get("query") and releases.roles(entry["query"]):
            [release] = releases_of(name, whole)
            entry["query"] = releases.named_query(entry["query"], whole["releases"][release])
    for sample in whole["samples"].values():
        _label(sample, whole["datasets"])
        _name_standard(sample, whole["releases"])
    return whole


def _entry_faults(config: Config) -> Iterator[Fault]:
    """Yields faults that the schema does not see: names, files, and values that do not go together."""
    yield from as_far_as_possible(run_faults(config))
    for section, check in CHECKS.items():
        for name, entry in _maps(config.get(section)).items():
            yield from as_far_as_possible(below(f"{section}.{name}", check(name, entry, config)))
    blocks = {f"samples.{name}.measure": sample.get("measure") for name, sample in _maps(config.get("samples")).items()}
    for path, block in {"measure": config.get("measure"), **blocks}.items():
        yield from as_far_as_possible(below(path, measure_faults(block)))
    yield from as_far_as_possible(validation_faults(config))
    yield from as_far_as_possible(figure_faults(config))


def _maps(section: Any) -> Config:
    """The entries of a section that are maps, as all should be."""
    entries = section.items() if isinstance(section, dict) else ()
    return {name: entry for name, entry in entries if isinstance(entry, dict)}


def _add_defaults(config: Config, properties: Config) -> None:
    """Fills in the schema's defaults of a sample, and the file name of a dataset that has a path."""
    for entry in _maps(config.get("datasets")).values():
        path = entry.get("path") or entry.get("shipped")
        if isinstance(path, str) and entry.get("file") is None and re.search(FILE, Path(path).name):
            entry["file"] = Path(path).name
    for sample in _maps(config.get("samples")).values():
        for key, node in properties.items():
            # A null erases what stood there, where it is not a value of its own (one_row_per).
            erased = key in sample and sample[key] is None and "null" not in node.get("type", ())
            if "default" in node and (key not in sample or erased):
                sample[key] = copy.deepcopy(node["default"])


def _add_release(config: Config) -> None:
    """Fills in what releases and archive say for samples and queries that do not say it themselves."""
    for entry in config["datasets"].values():
        if entry.get("query"):
            entry["query"].setdefault("url", config["archive"]["url"])
    for sample in config["samples"].values():
        release = config["releases"].get(sample["release"]) or {}
        if sample.get("official") is None:
            sample["official"] = release.get("official", "none")
        query = config["datasets"].get(sample["targets"]["dataset"], {}).get("query")
        if query and query["table"] == "gaia_source" and release.get("more_columns"):
            fetched = {name: name for name in release["more_columns"]}
            sample["targets"]["columns"] = fetched | (sample["targets"].get("columns") or {})


def _add_measure(config: Config) -> None:
    """Every sample gets the whole of `measure`, with what it does otherwise."""
    for sample in _maps(config.get("samples")).values():
        if isinstance(sample.get("measure", {}), dict):
            sample["measure"] = merge(config["measure"], sample.get("measure", {}))


def _erase_columns(config: Config) -> None:
    """Drops entries of column maps that a sample set to null to erase those of the sample that it is like."""
    for sample in config["samples"].values():
        for block in table_blocks(sample).values():
            if isinstance(block.get("columns"), dict):
                block["columns"] = {name: column for name, column in block["columns"].items() if column is not None}


def _without_repeats(faults: list[Fault], config: Config) -> list[Fault]:
    """Drops faults that an entry only repeats from the one it is like, or a sample from `measure`.

    What an entry lacks because its `like` leads nowhere is no fault of its own. `config` has its `like` still.
    """
    known, lost, origins = set(faults), [], []
    for section in INHERITING:
        entries = config.get(section)
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            own = f"{section}.{name}."
            if section == "samples":
                origins.append((f"{own}measure.", "measure."))
            if isinstance(entry, dict) and isinstance(base := entry.get("like"), str):
                origins.append((own, f"{section}.{base}."))
                if any(fault.path == f"{own}like" for fault in faults) or not isinstance(entries.get(base), dict):
                    lost.append(own)

    def is_own(fault: Fault) -> bool:
        repeats = (
            Fault(theirs + fault.path.removeprefix(own), fault.text) in known
            for own, theirs in origins
            if own != theirs and fault.path.startswith(own)
        )
        return not any(repeats) and not (fault.text.startswith("missing") and fault.path.startswith(tuple(lost)))

    return [fault for fault in faults if is_own(fault)]


def _label(sample: Config, datasets: Config) -> None:
    """Says whether a sample is simulated, which it is where any of its tables is; its title then says so."""
    tables = (datasets[block["dataset"]] for block in table_blocks(sample).values())
    sample["simulated"] = any(entry.get("simulated") for entry in tables)
    if sample["simulated"] and "simulated" not in sample["title"].lower():
        sample["title"] += " (simulated)"
    sample.setdefault("claims", None)


def _name_standard(sample: Config, known: Config) -> None:
    """Cuts of the standard class get its name in the sample's release."""
    standard = releases.coding(known[sample["release"]])["standard"]
    for cut in sample["cuts"]:
        if cut.get("solution") == releases.STANDARD:
            cut["solution"] = standard
