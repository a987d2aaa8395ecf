"""Writes docs/config.md from the schema; `make docs` runs it and a test compares."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
INTRODUCTION = """# Every key of the config

Written by `make docs` from `workflow/schemas/config.schema.yaml`; `config/config.yaml` holds the paper's values.
An overlay (`--configfile config/toy.yaml`) merges its maps into them; its lists replace and its nulls erase. `--config`
comes last and wins. A sample or a survey may say `like: NAME` and then only what differs. `NAME` stands for a name of
your choice; `(null)` for a key that may be empty; a bold key must be there.

| key | type | meaning |
|---|---|---|
"""


def rows(schema: dict[str, Any], node: dict[str, Any], path: str, required: bool) -> Iterator[str]:
    """Table rows of a key and of all keys below it."""
    target = node
    if "$ref" in node:
        target = {**schema["$defs"][node["$ref"].split("/")[-1]], **node}
    if path:
        kinds = target.get("type", "one of " + ", ".join(map(str, target.get("enum", []))))
        kinds = [kinds] if isinstance(kinds, str) else kinds
        kind = " or ".join(k for k in kinds if k != "null") + (" (null)" if "null" in kinds else "")
        if "enum" in target:
            kind = "one of " + ", ".join(map(str, target["enum"]))
        name = f"**`{path}`**" if required and "default" not in target else f"`{path}`"
        default = f" Default: `{json.dumps(target['default'])}`." if "default" in target else ""
        yield f"| {name} | {kind.replace('|', '/')} | {target.get('description', '')}{default} |"
    for key, entry in target.get("properties", {}).items():
        yield from rows(schema, entry, f"{path}.{key}" if path else key, key in target.get("required", []))
    below = target.get("additionalProperties")
    if isinstance(below, dict) and ("$ref" in below or "properties" in below):
        named = schema["$defs"][below["$ref"].split("/")[-1]] if "$ref" in below else below
        for key, entry in named["properties"].items():
            yield from rows(schema, entry, f"{path}.NAME.{key}", key in named.get("required", []))
    items = target.get("items")
    if isinstance(items, dict) and "properties" in items:
        for key, entry in items["properties"].items():
            yield from rows(schema, entry, f"{path}[].{key}", key in items.get("required", []))


def page(schema: dict[str, Any]) -> str:
    """The whole page as Markdown."""
    return INTRODUCTION + "\n".join(rows(schema, schema, "", False)) + "\n"


if __name__ == "__main__":
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
    (ROOT / "docs/config.md").write_text(page(schema), encoding="utf-8")
