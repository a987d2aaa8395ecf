"""What the schema says: faults of types, keys and forms, and texts made numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from gaia_offsets.core.words import did_you_mean
from gaia_offsets.engine.config.fault import Config, Fault

AUTO = "^auto$"  # the schema's pattern of a number that may be left to the workflow
GONE = {  # keys of earlier versions, and what to do
    "release": "; `gaia-offsets check-release NAME` asks the archive for the names of a release",
    "catalogues.*.map": "; it is gone: the map that goes with base and correction is taken",
    "catalogues.*.with_official": "; it is gone: write correction: lindegren2021",
    "samples.*.crossmatch.partitions": "; it is gone: backend hats matches what is too large for one machine",
}


def schema_faults(config: Config, schema: Config) -> Iterator[Fault]:
    """What the schema refuses, by path."""
    from jsonschema import Draft202012Validator, ValidationError, validators

    def pattern(validator: Any, wanted: str, value: Any, _: Config) -> Iterator[ValidationError]:
        # `$` of a regular expression lets a line break pass that ends the text.
        if isinstance(value, str) and (not re.search(wanted, value) or value.endswith("\n")):
            yield ValidationError(f"{value!r} does not match {wanted!r}")

    errors = validators.extend(Draft202012Validator, {"pattern": pattern})(schema).iter_errors(config)
    for error in sorted(errors, key=lambda e: ([str(p) for p in e.absolute_path], e.message)):
        path = [str(part) for part in error.absolute_path]
        if error.validator in ("additionalProperties", "required"):
            yield from (Fault(".".join([*path, key]), text) for key, text in _wrong_keys(error, path))
        else:
            yield Fault(".".join(path), _message(error))


def _wrong_keys(error: Any, path: list[str]) -> Iterator[tuple[str, str]]:
    """Keys of a map that are unknown, or the one that it lacks, and what to say of each."""
    known = error.schema.get("properties", {})
    if error.validator == "additionalProperties":
        for key in sorted(set(error.instance) - set(known)):
            gone = (what for pattern, what in GONE.items() if fnmatchcase(".".join([*path, key]), pattern))
            yield key, f"not a known key{next(gone, '') or did_you_mean(key, known)}"
    else:
        # There is one error for each key that is missing.
        key = next(key for key in error.validator_value if f"'{key}'" in error.message and key not in error.instance)
        yield key, f"missing; {known.get(key, {}).get('description', 'see docs/config.md')}"


def _message(error: Any) -> str:
    """What is wrong with a value."""
    value, wanted = error.instance, error.validator_value
    match error.validator:
        case "enum":
            return f"{value!r} is none of {', '.join(map(str, wanted))}{did_you_mean(value, wanted)}"
        case "type":
            return f"{value!r} is not of type {' or '.join(wanted) if isinstance(wanted, list) else wanted}"
        case "maxLength":
            return f"{value[:40] + '...'!r} has {len(value)} characters; {wanted} at most"
        case "pattern" if wanted == AUTO:
            return f"{value!r} is neither a whole number nor auto"
        case "pattern" if "description" not in error.schema:
            return f"{value!r} should be made of a-z, 0-9 and _"
        case "pattern" | "not":
            return f"{value!r} is not of the form that is expected here; {error.schema['description']}"
    return error.message


def numbers(value: Any, node: Config, schema: Config) -> Any:
    """The config with texts made numbers where only a number may stand.

    Snakemake hands on what stands inside {...} of --config as text.
    """
    node = {**schema["$defs"][node["$ref"].split("/")[-1]], **node} if "$ref" in node else node
    if isinstance(value, dict):
        own, other = node.get("properties", {}), node.get("additionalProperties")
        other = other if isinstance(other, dict) else {}
        return {key: numbers(entry, own.get(key, other), schema) for key, entry in value.items()}
    if isinstance(value, list):
        return [numbers(entry, node.get("items", {}), schema) for entry in value]
    kinds = node.get("type", [])
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    if isinstance(value, float) and value.is_integer() and "integer" in kinds and "number" not in kinds:
        return int(value)  # the schema takes 32.0 for an integer, healpy does not
    # Text with a pattern (auto) may stand beside a number; what has another form is one.
    if "pattern" in node and isinstance(value, str) and not re.search(node["pattern"], value):
        kinds -= {"string"}
    if isinstance(value, str) and kinds and kinds <= {"number", "integer", "null"}:
        try:
            return int(value) if "integer" in kinds else float(value)
        except ValueError:
            return value
    return value


def _values(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value by its path, maps and lists before what they hold."""
    yield path, value
    for key, entry in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _values(entry, f"{path}.{key}" if path else str(key))


def not_text(config: Config) -> Iterator[Fault]:
    """Keys that YAML takes for numbers, dates or truth values."""
    for path, value in _values(config):
        for key in value if isinstance(value, dict) else ():
            if not isinstance(key, str):
                text = "a key should be text; put it in quotes, or begin a name with a letter"
                yield Fault(f"{path}.{key}" if path else str(key), text)


def not_finite(config: Config) -> Iterator[Fault]:
    """Numbers that are none, or infinite."""
    for path, value in _values(config):
        if isinstance(value, float) and not math.isfinite(value):
            yield Fault(path, f"{value} is not a finite number")
