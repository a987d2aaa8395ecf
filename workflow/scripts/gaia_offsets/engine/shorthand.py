"""What a config says in short, written out: a survey for its tables, a path for a dataset, a name for several cuts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gaia_offsets.core.words import did_you_mean
from gaia_offsets.core.yamlfile import merge

Config = dict[str, Any]
# Tables of a simulated survey by the part that they play in a sample; a dataset of one is called SURVEY_PART.
PARTS = {"targets": "targets", "gaia": "gaia_source", "tmass": "tmass", "distances": "distances"}
PARTS["red_clump"] = "red_clump"


def write_out(config: Config) -> Iterator[str]:
    """Writes out the short forms of a config in place; yields what is wrong with them, a line each."""
    lists: Config = {}
    for name, cuts in (config.get("cut_lists") or {}).items():
        lists[name] = yield from _written_cuts(f"cut_lists.{name}", cuts, lists)  # may name a list above it
    config["cut_lists"] = lists
    for name, sample in config["samples"].items():
        # What is of a wrong type stays, for the schema to refuse.
        survey = sample.pop("survey") if isinstance(sample.get("survey"), str) else None
        if survey in config["surveys"]:
            for part, table in PARTS.items():
                simulated = {"simulated": {"survey": survey, "table": table}}
                config["datasets"].setdefault(f"{survey}_{part}", simulated)
            config["samples"][name] = sample = merge(_parts_of_a_sample(survey), sample)
        elif survey is not None:
            yield f"samples.{name}.survey: {survey!r} is not one of surveys{did_you_mean(survey, config['surveys'])}"
        targets = sample.get("targets") or {}
        if isinstance(targets.get("path"), str):
            path = targets.pop("path")
            if name in config["datasets"] or targets.get("dataset"):
                twice = f"it makes a dataset {name}; leave out targets.dataset and datasets.{name}"
                yield f"samples.{name}.targets.path: {twice}"
            config["datasets"][name] = {"path": path}
            targets["dataset"] = name
        for where, block in (("cuts", sample), ("reference.learn.cuts", (sample.get("reference") or {}).get("learn"))):
            if block and isinstance(block.get("cuts"), list):
                block["cuts"] = yield from _written_cuts(f"samples.{name}.{where}", block["cuts"], lists)


def _parts_of_a_sample(survey: str) -> Config:
    blocks = {part: {"dataset": f"{survey}_{part}"} for part in PARTS}
    match = {part: blocks[part] for part in ("gaia", "tmass", "distances")}
    others = {part: blocks[part] for part in ("targets", "red_clump")}
    return {**others, "crossmatch": {"backend": "local", **match}}


def _written_cuts(where: str, cuts: Sequence[Any], lists: Config) -> Iterator[str]:
    """Returns the cuts with those of each list that is named among them in its place; yields names of no list."""
    written = []
    for number, cut in enumerate(cuts):
        if isinstance(cut, str) and cut not in lists:
            yield f"{where}.{number}: {cut!r} is not one of cut_lists{did_you_mean(cut, lists)}"
        else:
            written += [dict(one) for one in lists[cut]] if isinstance(cut, str) else [cut]
    return written
