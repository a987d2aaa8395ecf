"""YAML files, read strictly: each fault with its file and line."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from gaia_offsets.core.faults import Fault

MOST_NODES = 200_000  # values that a file may stand for, its aliases written out; our longest config has 2,000
DEEP = 100  # levels; no file of ours has more than ten
LOOK = "look at indentation (blanks, no tabs), colons and quotes here and in the line above"


class YamlError(Fault, ValueError):
    """A YAML file that cannot be used; one line for each fault, with file and line."""


def read_yaml(path: str | Path) -> Any:
    """What a YAML file says.

    Raises YamlError where it is no YAML, where a key stands twice in a map (YAML itself takes the last one), and where
    aliases refer to themselves or multiply into more than MOST_NODES values.
    """
    try:
        loader, root = _composed(Path(path).read_text(encoding="utf-8-sig"))
        if root is None:
            return None
        if faults := _faults(root, path):
            raise YamlError("\n".join(faults))
        return loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(f"{path}:{mark.line + 1}: not YAML: {error.problem or error.context}; {LOOK}") from None
    except yaml.YAMLError as error:
        raise YamlError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    except UnicodeDecodeError as error:
        raise YamlError(f"{path}: byte {error.start} is no text; save the file as UTF-8") from None
    except RecursionError:
        raise YamlError(f"{path}: nested too deeply; no file of ours has more than ten levels") from None
    except OSError as error:
        raise YamlError(f"{path}: {error.strerror}") from None


def _composed(text: str) -> tuple[Any, yaml.Node | None]:
    """A loader of a YAML text and its root: the one in C, unless the text is wrong or deep enough to end its stack."""
    depth = 0
    try:
        for event in yaml.parse(text, yaml.CSafeLoader) if yaml.__with_libyaml__ else ():
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEP:
                break
        else:
            loader = (yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader)(text)
            return loader, loader.get_single_node()
    except yaml.YAMLError:
        pass  # the other loader says it better
    loader = yaml.SafeLoader(text)
    return loader, loader.get_single_node()


def _faults(root: yaml.Node, path: str | Path) -> list[str]:
    """Keys that stand twice, aliases that refer to themselves, and too many values."""
    faults: list[str] = []
    sizes: dict[yaml.Node, int] = {}  # 0 for a node that is not yet counted to its end
    many = False

    def size(node: yaml.Node) -> int:
        """Number of values of a node, with its aliases written out."""
        nonlocal many
        line = node.start_mark.line + 1
        if node in sizes:
            if not sizes[node]:
                faults.append(f"{path}:{line}: the anchor of this value refers to itself; write the value out")
            return sizes[node]
        sizes[node] = 0
        inner = node.value if isinstance(node, yaml.CollectionNode) else []
        if isinstance(node, yaml.MappingNode):
            first: dict[tuple[str, str], int] = {}
            for key in (key for key, _ in inner if isinstance(key, yaml.ScalarNode)):
                here = key.start_mark.line + 1
                if (key.tag, key.value) in first:
                    there = first[key.tag, key.value]
                    faults.append(
                        f"{path}:{here}: the key {key.value!r} stands in line {there} already; keep one of them"
                    )
                first.setdefault((key.tag, key.value), here)
            inner = [part for pair in inner for part in pair]
        sizes[node] = 1 + sum(map(size, inner))
        if sizes[node] > MOST_NODES and not many:
            many = True
            faults.append(
                f"{path}:{line}: its aliases make more than {MOST_NODES} values of this one; write out what is meant"
            )
        return sizes[node]

    size(root)
    return faults


def merge(base: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """Maps merge, everything else in the overlay replaces, as Snakemake does with config files."""
    result = copy.deepcopy(base)
    for key, value in overlay.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result
