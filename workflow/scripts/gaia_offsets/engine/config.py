"""The config: inheritance between samples, and every fault of it at once, one line each. Imports nothing heavy."""

from __future__ import annotations

import copy
import difflib
import functools
import itertools
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from gaia_offsets.archive.secret import hide_logins
from gaia_offsets.core import releases
from gaia_offsets.core.columns import CATALOGUE, LABELS, STANDARD, TARGETS, VIZIER
from gaia_offsets.core.faults import Fault
from gaia_offsets.core.ownfile import OWN, WORKFLOW, own_file
from gaia_offsets.core.yamlfile import YamlError, merge, read_yaml
from gaia_offsets.engine.shorthand import write_out
from gaia_offsets.publish.fields import CORRECTED, NONE, OUTPUT, TRUE_ERROR, named_like, pairing_faults

Config = dict[str, Any]
MAX_BINS = 10_000
INHERITING = ("samples", "surveys", "releases")
FOLDER = re.compile(r"\w[\w .+-]*")
FOLDER_RULE = (
    "it takes letters, digits, _ . + - and blanks, begins with a letter, a digit or _, and has 200 bytes at most"
)
FILE = r"^[A-Za-z0-9_+-][A-Za-z0-9_.+-]*$"  # the schema's pattern of a dataset's file
TABLE = re.compile(r"\.(csv|fits|fit|vot|votable|xml|ecsv|parquet)(\.gz)?\Z", re.IGNORECASE)
NAMED_TABLE = "its name should end in .csv[.gz], .fits, .vot, .ecsv or .parquet"
WHOLE = re.compile(r"\.(vot|votable|xml|ecsv)(\.gz)?\Z", re.IGNORECASE)  # read as a whole to know their columns
LARGEST_PEEK = 20_000_000  # bytes of such a file
LONGEST = 200  # bytes of a file's name; a file system takes 255, and some endings are added
# Units that convert into one another: what most configs use; others are looked up in astropy.
UNITS = ({"pc", "kpc"}, {"mas", "uas", "arcsec", "deg"}, {"mas / yr", "mas/yr"})
AUTO = "^auto$"  # the schema's pattern of a number that may be left to the workflow
GONE = {  # keys of earlier versions, and what to do
    "release": "; `gaia-offsets check-release NAME` asks the archive for the names of a release",
    "catalogues.*.map": "; it is gone: the map that goes with base and correction is taken",
    "catalogues.*.with_official": "; it is gone: write correction: lindegren2021",
    "samples.*.crossmatch.partitions": "; it is gone: backend hats matches what is too large for one machine",
}
# Columns that come only after the cuts.
AFTER_THE_CUTS = ("zero_point", "parallax_corrected", "offset_raw", "offset_corrected")


class ConfigError(Fault, ValueError):
    """A config that cannot be run; one line for each fault, with its dotted path."""


def load_yaml(*paths: str | Path) -> Config:
    """What config files say, the later over the earlier. Raises ConfigError with every fault of all of them."""
    configs, faults = [], []
    for path in paths:
        try:
            configs.append(content := read_yaml(path) or {})
            if not isinstance(content, dict):
                faults.append(f"{path}: should be a map of keys, it is a {type(content).__name__}")
        except YamlError as error:
            faults.append(str(error))
    if faults:
        raise ConfigError("\n".join(faults))
    return functools.reduce(merge, configs, {})


def run_name(config: Config, files: Sequence[str | Path], own: str | Path) -> str:
    """Name of a run, the folder under results/runs/: run.name, else that of its last config file, else `paper`.

    `files` are those of --configfile; `own` is the workflow's config.yaml, which names no run where it is among them.
    Raises ConfigError where a file's name makes no folder.
    """
    if name := (config.get("run") or {}).get("name"):
        return name
    overlays = _overlays(files, own)
    name = overlays[-1].stem if overlays else "paper"
    if not FOLDER.fullmatch(name):
        raise ConfigError(f"run.name: missing; the name of {overlays[-1].name} makes no folder ({FOLDER_RULE})")
    return name


def choose_samples(config: Config, files: Sequence[str | Path], own: str | Path) -> None:
    """Where only the workflow's own config names run.samples, puts those there that the last of `files` with some has.

    `files` are those of --configfile, `own` is the workflow's config.yaml.
    """
    run, overlays = config.get("run"), [load_yaml(file) for file in _overlays(files, own)]
    by_hand = any("samples" in (one.get("run") or {}) for one in overlays)
    if not isinstance(run, dict) or by_hand or run.get("samples") != load_yaml(own)["run"]["samples"]:
        return
    defined = [list(one["samples"]) for one in overlays if isinstance(one.get("samples"), dict)]
    if defined:
        run["samples"] = defined[-1]


def _overlays(files: Sequence[str | Path], own: str | Path) -> list[Path]:
    return [Path(file) for file in files if Path(file).resolve() != Path(own).resolve()]


def inherit(entries: Config, path: str) -> Config:
    """Samples or surveys with `like: NAME` filled from that entry; maps merge.

    Raises ConfigError where a name is unknown or leads back to itself.
    """
    done: Config = {}

    def resolve(name: str, chain: tuple[str, ...]) -> Config:
        if name in done:
            return done[name]
        entry = entries[name]
        base = entry.get("like") if isinstance(entry, dict) else None
        if not isinstance(base, str):
            return entry  # no inheritance, or a value that the schema refuses
        if base not in entries:
            raise ConfigError(f"{path}.{name}.like: {base!r} is not one of {path}{_near(base, entries)}")
        if base in chain:
            raise ConfigError(f"{path}.{name}.like: {' -> '.join([*chain, base])} leads back to itself")
        own = {key: value for key, value in entry.items() if key != "like"}
        below = resolve(base, (*chain, base))
        return merge(below, own) if isinstance(below, dict) else own

    for name in entries:
        done[name] = resolve(name, (name,))
    return done


def validation_runs(config: Config) -> list[tuple[str, str, int]]:
    """Name (of survey and sample), sky and seed of each simulated sky of `validation`."""
    skies = (config.get("validation") or {}).get("skies") or {}
    return [(f"validate_{sky}_{seed}", sky, seed) for sky, entry in skies.items() for seed in entry["seeds"]]


def add_validation(config: Config) -> None:
    """Each sky and seed of `validation` becomes a survey and a sample, as if they stood in the config."""
    if any(_validation_faults(config)):
        return
    for name, sky, seed in validation_runs(config):
        block, own = config["validation"], config["validation"]["skies"][sky]
        survey = merge(block["survey"], own.get("survey") or {})
        config["surveys"][name] = {**survey, "seed": seed, "offset": own.get("offset") or {}}
        config["samples"][name] = {
            "like": own.get("sample") or block["sample"],
            "title": f"Simulated sky {sky}, seed {seed}",
            "survey": name,
            "claims": None,
        }


def resolve(config: Config, schema: Config) -> Config:
    """The complete, checked config: samples and surveys inherited.

    Raises ConfigError with all faults, each on its line: dotted path, what is wrong, and what was perhaps meant.
    """
    if names := list(_not_text(config)):
        raise ConfigError("\n".join(names))
    resolved = _numbers(copy.deepcopy(config), schema, schema)
    faults, broken = [], None
    list(_as_far_as_possible(map(add_validation, [resolved])))  # what hinders it the schema tells
    faults += _as_far_as_possible(write_out(resolved))
    for section in INHERITING:
        if isinstance(resolved.get(section), dict):
            try:
                resolved[section] = inherit(resolved[section], section)
            except ConfigError as error:
                faults.append(str(error))
                broken = f"{section}.{str(error).split('.')[1]}."
    _add_defaults(resolved, schema["$defs"]["sample"]["properties"])
    list(_as_far_as_possible(map(_add_release, [resolved])))
    _add_measure(resolved)
    list(_as_far_as_possible(map(_erase_columns, [resolved])))
    faults += [*_schema_faults(resolved, schema), *_not_finite(resolved)]
    for check in (
        _run_faults,
        _dataset_faults,
        _correction_faults,
        _validation_faults,
        _release_faults,
        _samples_faults,
        _measure_faults,
        _catalogue_faults,
        _figure_faults,
    ):
        faults += _as_far_as_possible(check(resolved))
    if faults:
        inherited = _inherited_faults(faults, config)
        # What an entry lacks because its `like` leads nowhere is no fault of its own.
        inherited |= {fault for fault in faults if broken and fault.startswith(broken) and ": missing" in fault}
        raise ConfigError(hide_logins("\n".join(fault for fault in faults if fault not in inherited)))
    for release in resolved["releases"].values():
        if tables := releases.bridged(release, resolved["releases"]):
            release["bridged"] = tables
    for name, entry in resolved["datasets"].items():
        if entry.get("query") and releases.roles(entry["query"]):
            [release] = _releases_of(name, resolved)
            entry["query"] = releases.named_query(entry["query"], resolved["releases"][release])
    for sample in resolved["samples"].values():
        _label(sample, resolved["datasets"])
        _name_standard(sample, resolved["releases"])
    return resolved


def _add_defaults(config: Config, properties: Config) -> None:
    """What need not be said: the schema's defaults of a sample, and the file name of a dataset that has a path."""
    datasets, samples = config.get("datasets"), config.get("samples")
    for entry in datasets.values() if isinstance(datasets, dict) else ():
        place = (entry.get("path") or entry.get("shipped")) if isinstance(entry, dict) else None
        if isinstance(place, str) and entry.get("file") is None and re.search(FILE, Path(place).name):
            entry["file"] = Path(place).name
    for sample in samples.values() if isinstance(samples, dict) else ():
        if isinstance(sample, dict):
            for key, node in properties.items():
                # A null erases what stood there, where it is not a value of its own (one_row_per).
                erased = key in sample and sample[key] is None and "null" not in node.get("type", ())
                if "default" in node and (key not in sample or erased):
                    sample[key] = copy.deepcopy(node["default"])


def _add_release(config: Config) -> None:
    """What the releases and the archive say for samples and queries that do not say it themselves."""
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


def _erase_columns(config: Config) -> None:
    """Entries of column maps that a sample set to null, against those of the sample that it is like."""
    for entry in config["samples"].values():
        for block in table_blocks(entry).values():
            if isinstance(block.get("columns"), dict):
                block["columns"] = {name: column for name, column in block["columns"].items() if column is not None}


def _add_measure(config: Config) -> None:
    """Every sample gets the whole of `measure`, with what it does otherwise."""
    samples, common = config.get("samples"), config.get("measure")
    for sample in samples.values() if isinstance(samples, dict) and isinstance(common, dict) else ():
        if isinstance(sample, dict) and isinstance(sample.get("measure", {}), dict):
            sample["measure"] = merge(common, sample.get("measure", {}))


def _name_standard(sample: Config, known: Config) -> None:
    """Cuts of the standard class get its name in the sample's release."""
    standard = releases.coding(known[sample["release"]])["standard"]
    for cut in sample["cuts"]:
        if cut.get("solution") == releases.STANDARD:
            cut["solution"] = standard


def _label(sample: Config, datasets: Config) -> None:
    """The one place that tells whether a sample is simulated: where any table of it is; its title then says so."""
    tables = (datasets[block["dataset"]] for block in table_blocks(sample).values())
    sample["simulated"] = any(entry.get("simulated") for entry in tables)
    if sample["simulated"] and "simulated" not in sample["title"].lower():
        sample["title"] += " (simulated)"
    sample.setdefault("claims", None)


def _numbers(value: Any, node: Config, schema: Config) -> Any:
    """The config with texts made numbers where only a number may stand.

    Snakemake hands on what stands inside {...} of --config as text.
    """
    node = {**schema["$defs"][node["$ref"].split("/")[-1]], **node} if "$ref" in node else node
    if isinstance(value, dict):
        own, other = node.get("properties", {}), node.get("additionalProperties")
        other = other if isinstance(other, dict) else {}
        return {key: _numbers(entry, own.get(key, other), schema) for key, entry in value.items()}
    if isinstance(value, list):
        return [_numbers(entry, node.get("items", {}), schema) for entry in value]
    kinds = node.get("type", [])
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    if isinstance(value, float) and value.is_integer() and "integer" in kinds and "number" not in kinds:
        return int(value)  # the schema takes 32.0 for an integer, healpy does not
    # Text with a pattern (auto) may stand beside a number; what has another form is one.
    kinds -= (
        {"string"} if "pattern" in node and isinstance(value, str) and not re.search(node["pattern"], value) else set()
    )
    if isinstance(value, str) and kinds and kinds <= {"number", "integer", "null"}:
        try:
            return int(value) if "integer" in kinds else float(value)
        except ValueError:
            return value
    return value


def _not_text(value: Any, path: str = "") -> Iterator[str]:
    """Keys that YAML takes for numbers, dates or truth values."""
    if isinstance(value, dict):
        for key, entry in value.items():
            if not isinstance(key, str):
                yield f"{path}{key}: a key should be text; put it in quotes, or begin a name with a letter"
            yield from _not_text(entry, f"{path}{key}.")
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _not_text(entry, f"{path}{number}.")


def _not_finite(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from _not_finite(entry, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _not_finite(entry, f"{path}.{number}")
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{path}: {value} is not a finite number"


def _as_far_as_possible(faults: Iterator[str]) -> Iterator[str]:
    """The faults up to the first value of a wrong type or a missing key: those the schema has reported already."""
    try:
        yield from faults
    except (KeyError, TypeError, AttributeError, ValueError):
        return


def _inherited_faults(faults: list[str], config: Config) -> set[str]:
    """Faults that a sample only repeats from the one it is like, or from `measure`."""
    own_measure = re.compile(r"^samples\.\w+\.(?=measure\.)")
    repeated = {fault for fault in faults if own_measure.match(fault) and own_measure.sub("", fault) in faults}
    for section in INHERITING:
        entries = config.get(section)
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            base = entry.get("like") if isinstance(entry, dict) else None
            without = isinstance(base, str) and not isinstance(entries.get(base, {}), dict)  # told of the base itself
            for fault in faults:
                if without and fault.startswith(f"{section}.{name}.") and ": missing" in fault:
                    repeated.add(fault)
                original = fault.replace(f"{section}.{name}.", f"{section}.{base}.", 1)
                if base not in (None, name) and fault.startswith(f"{section}.{name}.") and original in faults:
                    repeated.add(fault)
    return repeated


def _near(word: Any, words: Any) -> str:
    close = difflib.get_close_matches(str(word), [str(w) for w in words], n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def _gone(key: str) -> str:
    return next((what for gone, what in GONE.items() if fnmatchcase(key, gone)), "")


def _schema_faults(config: Config, schema: Config) -> Iterator[str]:
    from jsonschema import Draft202012Validator, ValidationError, validators

    def pattern(validator: Any, wanted: str, value: Any, _: Config) -> Iterator[ValidationError]:
        # `$` of a regular expression lets a line break pass that ends the text.
        if isinstance(value, str) and (not re.search(wanted, value) or value.endswith("\n")):
            yield ValidationError(f"{value!r} does not match {wanted!r}")

    errors = validators.extend(Draft202012Validator, {"pattern": pattern})(schema).iter_errors(config)
    for error in sorted(errors, key=lambda e: ([str(p) for p in e.absolute_path], e.message)):
        path = ".".join(str(part) for part in error.absolute_path)
        prefix = f"{path}." if path else ""
        if error.validator == "additionalProperties":
            known = error.schema.get("properties", {})
            for key in sorted(set(error.instance) - set(known)):
                yield f"{prefix}{key}: not a known key{_gone(prefix + key) or _near(key, known)}"
        elif error.validator == "required":
            for key in error.validator_value:
                if key not in error.instance:
                    fault = f"{prefix}{key}: missing; {_description(error.schema, key)}"
                    # jsonschema raises one error for each missing key: name only that of this error.
                    if f"'{key}'" in error.message:
                        yield fault
        elif error.validator == "enum":
            choices = ", ".join(map(str, error.validator_value))
            yield f"{path}: {error.instance!r} is none of {choices}{_near(error.instance, error.validator_value)}"
        elif error.validator == "type":
            wanted = error.validator_value
            wanted = " or ".join(wanted) if isinstance(wanted, list) else wanted
            yield f"{path}: {error.instance!r} is not of type {wanted}"
        elif error.validator == "maxLength":
            long, most = error.instance, error.validator_value
            yield f"{path}: {long[:40] + '...'!r} has {len(long)} characters; {most} at most"
        elif error.validator == "pattern" and error.validator_value == AUTO:
            yield f"{path}: {error.instance!r} is neither a whole number nor auto"
        elif error.validator == "pattern" and "description" not in error.schema:
            yield f"{path}: {error.instance!r} should be made of a-z, 0-9 and _"
        elif error.validator in ("pattern", "not"):
            yield f"{path}: {error.instance!r} is not of the form that is expected here; {error.schema['description']}"
        else:
            yield f"{path}: {error.message}"


def _description(schema: Config, key: str) -> str:
    return schema.get("properties", {}).get(key, {}).get("description", "see docs/config.md")


def _run_faults(config: Config) -> Iterator[str]:
    if not isinstance(config["run"]["samples"], list):
        return
    if not config["run"]["samples"]:
        yield "run.samples: names no sample"
    for name in sorted({name for name in config["run"]["samples"] if config["run"]["samples"].count(name) > 1}):
        yield f"run.samples: {name!r} stands more than once"
    for name in config["run"]["samples"]:
        if name not in config["samples"]:
            yield f"run.samples: {name!r} is not one of samples{_near(name, config['samples'])}"
    name = config["run"].get("name")
    if isinstance(name, str) and (not FOLDER.fullmatch(name) or len(name.encode()) > LONGEST):
        yield f"run.name: {name!r} makes no folder; {FOLDER_RULE}"
    if "runs" in config["samples"]:
        yield "samples.runs: results/runs/ is the folder of the runs; choose another name"


def _dataset_faults(config: Config) -> Iterator[str]:
    for name, entry in config["datasets"].items():
        simulated = entry.get("simulated")
        if simulated and simulated["survey"] not in config["surveys"]:
            near = _near(simulated["survey"], config["surveys"])
            yield f"datasets.{name}.simulated.survey: {simulated['survey']!r} is not one of surveys{near}"
        file = entry.get("file")
        if not simulated and not file:
            yield f"datasets.{name}.file: missing; name for it under resources/raw/, of letters, digits and _ . + -"
        elif file and re.fullmatch(FILE, file) and not TABLE.search(file):
            yield f"datasets.{name}.file: {file!r} is no kind of table that is known; {NAMED_TABLE}"
        if path := entry.get("path"):
            yield from _path_faults(f"datasets.{name}.path", path)
            if file and _same_place(path, f"resources/raw/{name}/{file}"):
                yield (
                    f"datasets.{name}.path: {path!r} is where the workflow puts its own copy; leave path out (a file "
                    "that lies there is taken), or move the file"
                )
        if entry.get("query"):
            yield from _as_far_as_possible(_query_faults(f"datasets.{name}", entry))
        token = entry.get("token") or {}
        for address in (entry.get("url"), *entry.get("mirrors", ())) if token else ():
            if re.search(rf"[?&]{re.escape(token['parameter'])}=", address or ""):
                yield (
                    f"datasets.{name}: an address holds {token['parameter']}=...; take it out there, its value comes "
                    f"from the environment variable {token['variable']}"
                )


def _path_faults(where: str, path: str) -> Iterator[str]:
    """What cannot be the path of one file."""
    if re.search(r"[{}\n\r\0]", path):
        yield f"{where}: {path!r} holds braces or line breaks, which Snakemake takes for its own; rename the file"
    elif re.match(r"\w+://", path):
        yield f"{where}: {path!r} is an address, not a path; a dataset's address stands in its url"
    elif len(Path(path).name.encode()) > LONGEST:
        yield f"{where}: the name has {len(Path(path).name.encode())} bytes, {LONGEST} at most; take a shorter one"
    elif Path(path).is_dir():
        yield f"{where}: {path!r} is a folder; name the file in it"


def _same_place(path: str, other: str) -> bool:
    return Path(path).resolve() == Path(other).resolve()


def _unit_fault(name: str, entry: str | Config) -> str | None:
    """Why the unit of a file's column cannot be converted to that of the standard column `name`; None where it can."""
    unit, standard = entry.get("unit") if isinstance(entry, dict) else None, STANDARD.get(name)
    if not unit or standard is None or unit == standard.unit or any({unit, standard.unit} <= group for group in UNITS):
        return None
    try:
        from gaia_offsets.tables.values import TableError, unit_factor
    except ImportError:  # Snakemake's environment need not have what the rules have; then they look
        return None
    try:
        unit_factor(unit, standard.unit, "")
    except TableError as error:
        return f"unit: {str(error).removeprefix(': unit ')}"
    return None


def _releases_of(dataset: str, config: Config) -> list[str]:
    """Names of the releases of the samples of the config that use a dataset."""
    samples = config["samples"].values()
    using = [s for s in samples if dataset in (block.get("dataset") for block in table_blocks(s).values())]
    return sorted({sample["release"] for sample in using})


def _release_faults(config: Config) -> Iterator[str]:
    for name, release in config["releases"].items():
        yield from (f"releases.{name}.{fault}" for fault in _as_far_as_possible(releases.release_faults(release)))
        for key, section in (("bridge", "releases"), ("official", "corrections")):
            if (other := release.get(key)) and other not in config[section]:
                yield f"releases.{name}.{key}: {other!r} is not one of {section}{_near(other, config[section])}"
    for name, entry in config["datasets"].items():
        roles = releases.roles(entry.get("query") or {})
        used = _releases_of(name, config)
        if roles and len(used) != 1:
            whose = f"samples of {' and '.join(used)}" if used else "no sample"
            yield f"datasets.{name}.query.table: {roles[0]!r} is a table of a release, and {whose} use this dataset"
        if (
            len(used) == 1
            and config["releases"].get(used[0], {}).get("astrometry") == "all_source_astrometry"
            and roles
        ):
            yield (
                f"datasets.{name}.query: a query takes the astrometry of gaia_source, releases.{used[0]}.astrometry "
                "asks for another table"
            )
        for role in roles if len(used) == 1 else ():
            release = config["releases"].get(used[0], {})
            there = releases.bridged(release, config["releases"]) if role != roles[0] else {}
            if not (release.get(role) or there.get(role)):
                yield f"datasets.{name}.query: releases.{used[0]} names no table {role}, which this query needs"


def _query_faults(path: str, entry: Config) -> Iterator[str]:
    query = entry["query"]
    known = list(query["columns"])
    if not entry["file"].endswith(".parquet"):
        yield f"{path}.file: {entry['file']!r} should end in .parquet; that is what a query is kept as"
    for key in ("simulated", "path", "url"):
        if entry.get(key):
            yield f"{path}: query and {key} exclude one another"
    for number, cut in enumerate(query.get("where") or []):
        if cut["column"] not in known:
            near = _near(cut["column"], known)
            yield f"{path}.query.where.{number}.column: {cut['column']!r} is not one of query.columns{near}"
        yield from (f"{path}.query.where.{number}.{fault}" for fault in _cut_faults(cut))
    partition = query.get("partition")
    if partition:
        where = f"{path}.query.partition"
        if partition["column"] not in known:
            near = _near(partition["column"], known)
            yield f"{where}.column: {partition['column']!r} is not one of query.columns{near}"
        if ("low" in partition) != ("high" in partition):
            yield f"{where}: low and high come together"
        elif "low" in partition and partition["high"] <= partition["low"]:
            yield f"{where}.high: {partition['high']:g} is not above low {partition['low']:g}"
        elif "low" not in partition and partition["column"] != "source_id":
            yield f"{where}.low: missing; only source_id has a range that is known without low and high"


# What each kind of correction needs and may have; the last of them name other corrections.
CORRECTIONS = {
    "package": ((), ()),
    "none": ((), ()),
    "coefficients": (("file",), ("six_parameter", "max_abs_b_deg")),
    "column": (("column",), ("unit",)),
    "map": (("dataset", "on_top_of"), ()),
}
STANDS_ON = ("on_top_of", "six_parameter")
ABOUT = ("citation", "releases", "experimental")  # what makes no number


def _standing(config: Config, names: Sequence[str]) -> Config:
    """The blocks of the named corrections and of all that they stand on, by name."""
    behind = list(dict.fromkeys(names))
    for name in behind:  # grows on the way
        below = (config["corrections"][name].get(key) for key in STANDS_ON)
        behind += [name for name in below if name in config["corrections"] and name not in behind]
    return {name: config["corrections"][name] for name in behind}


def corrections_behind(config: Config, names: Sequence[str]) -> Config:
    """The blocks of the named corrections and of all that they stand on, by name: what makes their numbers."""
    return {
        name: {key: value for key, value in block.items() if key not in ABOUT}
        for name, block in _standing(config, names).items()
    }


def _not_of_release(config: Config, release: str, name: str) -> Iterator[str]:
    """Why a correction must not be used on a release: it, or one that it stands on, is of others."""
    for below, block in _standing(config, [name]).items():
        its = block.get("releases") or (
            [] if block["kind"] == "package" and not releases.is_edr3(release) else [release]
        )
        if release not in its:
            fit = [other for other, entry in config["corrections"].items() if release in entry.get("releases", ())]
            yield (
                f"{name if below == name else f'{name} stands on {below}, which'} corrects "
                f"{' and '.join(its or releases.EDR3)}, not {release}: take {' or '.join(['none', *fit])}"
            )
            return  # what that one stands on has the same fault


def _inflate_faults(block: Config, release: str) -> Iterator[str]:
    if block.get("inflate") and not releases.is_edr3(release):
        its = " and ".join(releases.EDR3)
        yield f"inflate: the error factors are those of {its}, not of {release}: leave it out, or null"


def _correction_faults(config: Config) -> Iterator[str]:
    corrections = config["corrections"]
    for name, block in corrections.items():
        path = f"corrections.{name}"
        if name in ("raw", "corrected"):
            yield f"{path}: raw and corrected are names of parallaxes; choose another name"
        for key in ("file", "dataset"):
            if block.get(key):
                yield from _path_faults(f"{path}.{key}", block[key])
        needed, optional = CORRECTIONS.get(block["kind"], ((), ()))
        yield from (f"{path}.{key}: missing; kind {block['kind']} needs it" for key in needed if not block.get(key))
        for key in block:
            if key not in ("kind", *ABOUT, *needed, *optional):
                yield f"{path}.{key}: kind {block['kind']} does not use it"
        for key in STANDS_ON:
            other = block.get(key)
            if other and other not in corrections:
                yield f"{path}.{key}: {other!r} is not one of corrections{_near(other, corrections)}"
            elif other and any(corrections[other].get(below) for below in STANDS_ON) and key == "six_parameter":
                yield f"{path}.{key}: {other!r} stands on another correction itself; name one that does not"
            elif other and corrections[other]["kind"] == "map":
                yield f"{path}.{key}: {other!r} is a map; a map goes on a correction that is none"


def _validation_faults(config: Config) -> Iterator[str]:
    block = config.get("validation") or {}
    blocks = {f"validation.skies.{sky}": entry for sky, entry in (block.get("skies") or {}).items()}
    for path, entry in ({"validation": block} | blocks).items():
        survey = entry.get("survey") or {}
        for key, name, section in (
            ("sample", entry.get("sample"), "samples"),
            ("survey.like", survey.get("like"), "surveys"),
        ):
            if name is not None and name not in config[section]:
                yield f"{path}.{key}: {name!r} is not one of {section}{_near(name, config[section])}"
        for key, instead in (("seed", "seeds"), ("offset", "offset")):
            if key in survey:
                yield f"{path}.survey.{key}: not here; each sky has its own, validation.skies.NAME.{instead}"


def _samples_faults(config: Config) -> Iterator[str]:
    for name, sample in config["samples"].items():
        yield from _as_far_as_possible(_sample_faults(f"samples.{name}", sample, config))


def _measure_faults(config: Config) -> Iterator[str]:
    blocks = {"measure": config["measure"]}
    blocks |= {f"samples.{name}.measure": sample["measure"] for name, sample in config["samples"].items()}
    for path, block in blocks.items():
        yield from (f"{path}.{fault}" for fault in _as_far_as_possible(_block_faults(block)))


def _block_faults(measure: Config) -> Iterator[str]:
    for variable, edges in measure["trends"]["edges"].items():
        path = f"trends.edges.{variable}"
        if isinstance(edges, dict):
            bins = (edges["stop"] - edges["start"]) / edges["step"]
            if edges["stop"] <= edges["start"]:
                yield f"{path}: stop {edges['stop']:g} is not above start {edges['start']:g}"
            elif abs(bins - round(bins)) > 1e-6 or not 1 <= round(bins) <= MAX_BINS:
                span = f"{edges['start']:g} to {edges['stop']:g}"
                yield f"{path}: {span} are {bins:g} steps; it takes 1 to {MAX_BINS} whole ones"
        elif len(edges) < 2 or any(b <= a for a, b in itertools.pairwise(edges)):
            yield f"{path}: edges must increase, two or more"
    width = measure["histogram_width_uas"]
    if 2000 / width > MAX_BINS:
        yield f"histogram_width_uas: {width:g} makes more than {MAX_BINS} bins; take a wider one"
    nside = measure["map"]["nside"]
    if isinstance(nside, int) and nside & (nside - 1):
        yield f"map.nside: {nside} is not a power of two"


def _catalogue_faults(config: Config) -> Iterator[str]:
    for name, entry in config["catalogues"].items():
        if entry["sample"] not in config["samples"]:
            near = _near(entry["sample"], config["samples"])
            yield f"catalogues.{name}.sample: {entry['sample']!r} is not one of samples{near}"
        ending = catalogue_ending(entry["path"])
        yield from _path_faults(f"catalogues.{name}.path", entry["path"])
        if _same_place(entry["path"], f"results/{entry['sample']}/corrected/{name}.{ending}"):
            yield f"catalogues.{name}.path: {entry['path']!r} is where its corrected copy goes; move the file"
        for ours, own in (entry.get("columns") or {}).items():
            if ours not in CATALOGUE:
                yield f"catalogues.{name}.columns.{ours}: none of {', '.join(CATALOGUE)}{_near(ours, CATALOGUE)}"
            elif fault := _unit_fault(ours, own):
                yield f"catalogues.{name}.columns.{ours}.{fault}"
        correction, release = entry.get("correction", NONE), config["samples"].get(entry["sample"], {}).get("release")
        for key, reason in pairing_faults(entry["base"], correction=correction):
            yield f"catalogues.{name}.{key}: {reason}"
        if release and correction in config["corrections"]:
            for fault in _not_of_release(config, release, correction):
                yield f"catalogues.{name}.correction: {fault}"
        if release:
            yield from (f"catalogues.{name}.{fault}" for fault in _inflate_faults(entry, release))


def catalogue_ending(path: str) -> str:
    """Ending of a catalogue's file name, which its corrected copy shares, e.g. `csv.gz`."""
    parts = Path(path).name.split(".")
    return ".".join(parts[-2:]) if parts[-1] == "gz" else parts[-1]


def _figure_faults(config: Config) -> Iterator[str]:
    low, high = config["figures"]["colour_range_uas"]
    if high <= low:
        yield f"figures.colour_range_uas: {high:g} is not above {low:g}"


def table_blocks(sample: Config) -> dict[str, Config]:
    """The blocks of a sample that name a dataset, by their path below the sample."""
    blocks = {"targets": sample.get("targets")}
    match = sample["crossmatch"]
    blocks |= {f"crossmatch.{key}": match.get(key) for key in ("gaia", "tmass", "distances")}
    if match["backend"] == "hats":
        del blocks["crossmatch.gaia"]  # its sources are those of a catalogue, not of a dataset
    blocks["reference.group"] = sample["reference"].get("group")
    blocks["red_clump"] = sample.get("red_clump")
    return {path: block for path, block in blocks.items() if block and (path != "red_clump" or block.get("dataset"))}


def column_kinds(sample: Config, corrections: Config) -> dict[str, str]:
    """What columns of a sample's own are: names of groups (`name`), or zero points (their unit)."""
    named = (corrections[name] for name in (sample["official"], *sample["also"]) if name in corrections)
    kinds = {block["column"]: block.get("unit", "mas") for block in named if block.get("column")}
    if group := sample["reference"].get("group"):
        kinds[group["key"]] = "name"
    return {name: kind for name, kind in kinds.items() if name not in STANDARD}


def with_kinds(columns: Config | None, kinds: Mapping[str, str]) -> Config:
    """A map of columns, with the kind of those that have one."""
    entries = {ours: own if isinstance(own, dict) else {"column": own} for ours, own in (columns or {}).items()}
    return {ours: own | {"kind": kinds[ours]} if ours in kinds else columns[ours] for ours, own in entries.items()}


# Columns of Gaia that every result rests on.
ASTROMETRY = (
    *("source_id", "ra", "dec", "parallax", "parallax_error", "phot_g_mean_mag", "nu_eff_used_in_astrometry"),
    *("pseudocolour", "astrometric_params_solved", "ruwe"),
)


def table_faults(config: Config) -> Iterator[str]:
    """Columns that tables of the run lack, of tables that are at hand: what would else show after hours.

    `config` is the complete one.
    """
    tables = []
    for name in config["run"]["samples"]:
        sample = config["samples"][name]
        blocks = table_blocks(sample)
        mapped = {ours for block in blocks.values() for ours in block.get("columns") or {}}
        for where, block in blocks.items():
            dataset, entry = block["dataset"], config["datasets"][block["dataset"]]
            if not entry.get("simulated"):
                shipped = own_file("shipped", entry["shipped"]) if entry.get("shipped") else None
                places = [entry.get("path"), shipped, f"resources/raw/{dataset}/{entry.get('file')}"]
                brought = [(key, column) for key, column in _brought(sample, where) if column not in mapped]
                tables.append((f"samples.{name}", f"{where}.columns", places, block.get("columns"), brought))
    tables += [
        (f"catalogues.{name}", "columns", [entry["path"]], entry.get("columns"), [])
        for name, entry in config["catalogues"].items()
    ]
    for path, columns, places, named, brought in tables:
        file = next((str(place) for place in places if place and Path(place).is_file()), None)
        present = file and _peek(file)
        if not present:
            continue
        for ours, own in (named or {}).items():
            source = own["column"] if isinstance(own, dict) else own
            if source not in present:
                yield f"{path}.{columns}.{ours}: {file} has no column {source!r}{_near(source, present)}"
        for key, column in brought:
            if column not in present:
                yield f"{path}.{key}: {file} has no column {column!r}; name the file's column in {path}.{columns}"


def own_faults(config: Config) -> Iterator[str]:
    """Files of OWN that are neither the user's nor ours."""
    for section, key in (("datasets", "shipped"), ("samples", "claims"), ("corrections", "file")):
        for name, entry in config[section].items():
            if entry.get(key) and not own_file(key, entry[key]).is_file():
                where = f"in the folder of the run ({Path.cwd()}) nor in the workflow's {OWN[key]}/"
                yield f"{section}.{name}.{key}: there is no file {entry[key]} {where}"


def path_faults(config: Config) -> Iterator[str]:
    """Files of the user's own that the run needs and that are not there: results of another file must not stay."""
    blocks = [block for name in config["run"]["samples"] for block in table_blocks(config["samples"][name]).values()]
    for dataset in dict.fromkeys(block["dataset"] for block in blocks):
        path = config["datasets"][dataset].get("path")
        if path and not Path(path).is_file():
            yield f"datasets.{dataset}.path: no such file: {path}"


def table_notes(config: Config) -> Iterator[str]:
    """Of the user's own tables with Gaia columns: a line on which column is taken for which, and what is not found.

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
        taken = {ours: named.get(ours) or next(iter({ours, VIZIER[ours]} & free), None) for ours in ASTROMETRY}
        found = [f"{ours} = {own}" for ours, own in taken.items() if own]
        lacking = []
        for ours in (ours for ours, own in taken.items() if not own):
            part = sorted((name for name in free if len(name) > 3 and name.lower() in ours), key=len)
            lacking.append(ours + (f" (nearest: {part[-1]})" if part else _near(ours, free)))
        yield f"{path}: {', '.join(found) or 'no column of Gaia'}; not found: {', '.join(lacking) or 'none'}"


def _peek(file: str) -> list[str] | None:
    """Names of a table's columns; None where they cannot be had quickly."""
    if Path(file).stat().st_size > LARGEST_PEEK and WHOLE.search(file):
        return None
    try:
        from gaia_offsets.tables.native import column_names

        return column_names(file)
    # Snakemake's environment need not have what the rules have; a file that cannot be read its rule tells of.
    except Exception:
        return None


def _brought(sample: Config, where: str) -> Iterator[tuple[str, str]]:
    """Paths below the sample and the columns that only this table of it can give."""
    reference = sample["reference"]
    if where == "reference.group":
        yield from (("reference.group.key", reference["group"]["key"]), ("reference.kind", "distance"))
    if where == "targets":
        kinds = {"distance": "distance", "distance_modulus": "distance_modulus", "parallax": "reference_parallax"}
        if reference["kind"] in kinds:
            yield "reference.kind", kinds[reference["kind"]]
        cuts = ((f"cuts.{number}.column", cut["column"]) for number, cut in enumerate(sample["cuts"]))
        yield from ((key, name) for key, name in (*_reference_columns(reference), *cuts) if name in TARGETS)


def _sample_faults(path: str, sample: Config, config: Config) -> Iterator[str]:
    own = set()
    for where, block in table_blocks(sample).items():
        own |= set(block.get("columns") or {})
        dataset = block.get("dataset")
        if dataset not in config["datasets"]:
            near = _near(dataset, config["datasets"])
            yield f"{path}.{where}.dataset: {dataset!r} is not one of datasets{near}"
    if sample.get("red_clump"):
        yield from (f"{path}.red_clump.{fault}" for fault in _red_clump_faults(sample["red_clump"], config))
    if sample["release"] not in config["releases"]:
        near = _near(sample["release"], config["releases"])
        yield f"{path}.release: {sample['release']!r} is not one of releases{near}"
    named = {"official": [sample["official"]], "also": sample["also"]}
    for where, name in ((where, name) for where, names in named.items() for name in names):
        if name not in config["corrections"]:
            yield f"{path}.{where}: {name!r} is not one of corrections{_near(name, config['corrections'])}"
        elif where == "also" and (name == sample["official"] or config["corrections"][name]["kind"] == "none"):
            yield f"{path}.also: {name!r} is there anyway, as the official correction or as no correction"
        else:
            yield from (f"{path}.{where}: {fault}" for fault in _not_of_release(config, sample["release"], name))
    yield from (f"{path}.{fault}" for fault in _inflate_faults(sample, sample["release"]))
    if sample.get("claims"):
        yield from _path_faults(f"{path}.claims", sample["claims"])
    own |= set((sample["crossmatch"].get("hats") or {}).get("columns") or {})
    release = config["releases"].get(sample["release"], {})
    fetched = (release.get("more_columns") or ()) if sample["crossmatch"]["backend"] == "archive" else ()
    known = own | set(STANDARD) | set(fetched)
    classes = releases.classes(releases.coding(release))
    for name in sample.get("solutions") or ():
        if name not in classes:
            yield f"{path}.solutions: {name!r} is no class of releases.{sample['release']}{_near(name, classes)}"
    standard = releases.coding(release)["standard"]
    if sample.get("solutions") and standard not in sample["solutions"]:
        whose = f"releases.{sample['release']}.solution.standard"
        yield f"{path}.solutions: lacks {standard}, the class of Table 1 and the maps ({whose})"

    def column_fault(where: str, column: str) -> Iterator[str]:
        if column not in known:
            yield (
                f"{path}.{where}: {column!r} is neither a standard column nor named in the sample's columns"
                f"{_near(column, known)}"
            )

    for name in (sample["official"], *sample["also"]):
        if column := config["corrections"].get(name, {}).get("column"):
            yield from column_fault(f"official or also, {name}", column)
    yield from (f"{path}.{fault}" for fault in _crossmatch_faults(sample, config))
    yield from (f"{path}.{fault}" for fault in _column_faults(sample))
    official = config["corrections"].get(sample["official"], {}).get("kind") != "none"
    yield from (f"{path}.{fault}" for fault in _corrected_faults(sample, official))
    one_row = sample.get("one_row_per")
    if one_row:
        for column in [*one_row["columns"], one_row.get("prefer"), one_row.get("ties")]:
            if column:
                yield from column_fault("one_row_per", column)
    named = {releases.STANDARD}.union(*(releases.classes(releases.coding(one)) for one in config["releases"].values()))
    for number, cut in enumerate(sample["cuts"]):
        where = f"cuts.{number}"
        if cut.get("solution") not in (None, *named):
            near = _near(cut["solution"], named)
            yield f"{path}.{where}.solution: {cut['solution']!r} is a class of no release{near}"
        yield from column_fault(f"{where}.column", cut["column"])
        if cut["column"] in AFTER_THE_CUTS:
            yield f"{path}.{where}.column: {cut['column']!r} is computed after the cuts"
        yield from (f"{path}.{where}.{fault}" for fault in _cut_faults(cut))
    for where, column in _reference_columns(sample["reference"]):
        yield from column_fault(where, column)
    yield from (f"{path}.reference.{fault}" for fault in _reference_faults(sample["reference"]))


def _red_clump_faults(block: Config, config: Config) -> Iterator[str]:
    name = block.get("sample")
    if not name:
        if not block.get("dataset"):
            yield "dataset: missing; name a catalogue, or a sample of red clump stars"
        return
    if block.get("dataset"):
        yield "sample: a catalogue is named as well (dataset); keep one of them"
    if name not in config["samples"]:
        yield f"sample: {name!r} is not one of samples{_near(name, config['samples'])}"
    elif (kind := config["samples"][name]["reference"]["kind"]) in ("learned_magnitude", "group_distance"):
        yield f"sample: the parallaxes of {name} are of kind {kind}; Fig. 3 takes each star's own that owe Gaia nothing"


def _crossmatch_faults(sample: Config, config: Config) -> Iterator[str]:
    match, release = sample["crossmatch"], config["releases"].get(sample["release"], {})
    backend, by = match["backend"], match.get("by")
    near = ["epoch", "radius_arcsec", "tmass_radius_arcsec"]
    needed = {"local": ["gaia", *near], "hats": ["hats", *near], "archive": ["by"]}.get(backend, [])
    if backend == "archive" and by in ("position", "identifier"):
        needed += ["epoch", "radius_arcsec"]
    for key in needed:
        if match.get(key) is None:
            yield f"crossmatch.{key}: missing; backend {backend} needs it"
    if backend == "archive":
        hop = {"dr2_source_id": ["dr2_neighbourhood"], "dr3_source_id": ["dr3_neighbourhood"]}
        tables = ["gaia_source", *hop.get(by, ())]
        for table in tables:
            if not release.get(table):
                yield f"release: releases.{sample['release']} names no table {table}, which backend archive needs"


def _corrected_faults(sample: Config, official: bool) -> Iterator[str]:
    """Columns of `gaia-offsets apply` of which a zero point would be subtracted, or that would grow, once more."""
    subtracted = official and (f"{sample['official']} would be subtracted", "official: none")
    inflated = sample.get("inflate") and ("inflate would enlarge it", "no inflate")
    ours = ((CORRECTED, "parallax", subtracted), (OUTPUT[0], "parallax", subtracted))
    for where, block in table_blocks(sample).items():
        for field, name, again in (*ours, (TRUE_ERROR, "parallax_error", inflated)):
            entry = (block.get("columns") or {}).get(name)
            column = str(entry.get("column") if isinstance(entry, dict) else entry)
            if again and named_like(field.name, [column]):
                whose = f"{column!r} is corrected already, and {again[0]} once more"
                yield f"{where}.columns.{name}: {whose}: take the published {name}, or {again[1]}"


def _column_faults(sample: Config) -> Iterator[str]:
    for where, block in table_blocks(sample).items():
        for name, entry in (block.get("columns") or {}).items():
            if name in STANDARD:
                if fault := _unit_fault(name, entry):
                    yield f"{where}.columns.{name}.{fault}"
                continue
            if isinstance(entry, dict) and entry.get("unit"):
                yield f"{where}.columns.{name}.unit: only standard columns are converted{_near(name, STANDARD)}"
            elif difflib.get_close_matches(name, STANDARD, n=1, cutoff=0.85):
                yield f"{where}.columns.{name}: not a standard column{_near(name, STANDARD)} (else choose another name)"


def _cut_faults(cut: Config) -> Iterator[str]:
    op, value = cut["op"], cut.get("value")
    numbers = isinstance(value, list) and all(isinstance(v, int | float) for v in value)
    if op == "between":
        if not numbers or len(value) != 2 or value[1] < value[0]:
            yield f"value: {value!r} should be [low, high] for op between"
    elif op == "in":
        if not isinstance(value, list):
            yield f"value: {value!r} should be a list for op in"
    elif op == "not_null":
        if value is not None:
            yield "value: op not_null takes none"
    elif value is None or isinstance(value, list | bool):
        yield f"value: {value!r} should be one number (or text, for == and !=) for op {op}"
    elif isinstance(value, str) and op not in ("==", "!="):
        yield f"value: {value!r} is text, op {op} compares numbers"


_NEEDED = {
    "absolute_magnitude": ("absolute_magnitude", "apparent_magnitude"),
    "learned_magnitude": ("apparent_magnitude",),
    "group_distance": ("group",),
    "constant": ("value_mas",),
}


def _reference_faults(reference: Config) -> Iterator[str]:
    kind, extinction = reference["kind"], reference.get("extinction") or {}
    for key in _NEEDED.get(kind, ()):
        if reference.get(key) is None:
            yield f"{key}: missing; kind {kind} needs it"
    if reference.get("learn") is not None and kind != "learned_magnitude":
        yield f"learn: kind {kind} learns nothing"
    for number, cut in enumerate((reference.get("learn") or {}).get("cuts") or ()):
        yield from (f"learn.cuts.{number}.{fault}" for fault in _cut_faults(cut))
    if extinction and ("column" in extinction) == ("blue" in extinction):
        yield "extinction: either column and coefficient, or blue, red, intrinsic and coefficient"
    elif "blue" in extinction and not {"red", "intrinsic"} <= set(extinction):
        yield "extinction: a colour excess needs blue, red and intrinsic"


def _reference_columns(reference: Config) -> Iterator[tuple[str, str]]:
    """Paths below the sample and the columns that the reference parallax is made of."""
    extinction = reference.get("extinction") or {}
    for key in ("absolute_magnitude", "apparent_magnitude"):
        if isinstance(reference.get(key), str):
            yield f"reference.{key}", reference[key]
    for key in ("column", "blue", "red", "intrinsic"):
        if isinstance(extinction.get(key), str):
            yield f"reference.extinction.{key}", extinction[key]
    if reference["kind"] == "learned_magnitude":
        learn = reference.get("learn") or {}
        yield from (
            (f"reference.learn.labels.{place}", name) for place, name in enumerate(learn.get("labels") or LABELS)
        )
        if learn.get("check"):
            yield "reference.learn.check", learn["check"]
        for place, cut in enumerate(learn.get("cuts") or ()):
            yield f"reference.learn.cuts.{place}.column", cut["column"]


if __name__ == "__main__":  # for the Makefile: checks config files, the workflow's own first, and prints the run's name
    try:
        found = load_yaml(WORKFLOW / "settings.yaml", *sys.argv[1:])
        choose_samples(found, sys.argv[2:], sys.argv[1])
        resolve(found, load_yaml(WORKFLOW / "schemas/config.schema.yaml"))
        print(run_name(found, sys.argv[2:], sys.argv[1]))
    except ConfigError as error:
        sys.exit(str(error))
