"""What a config says in short, written out: `like`, skies, a survey for its tables, a path for a dataset, cut lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gaia_offsets.core.yamlfile import merge
from gaia_offsets.engine.config.fault import Config, Fault, unknown

# Tables of a simulated survey by the part that they play in a sample; a dataset of one is called SURVEY_PART.
PARTS = {"targets": "targets", "gaia": "gaia_source", "tmass": "tmass", "distances": "distances"}
PARTS["red_clump"] = "red_clump"


def write_out(config: Config) -> Iterator[Fault]:
    """Writes out the short forms of a config in place; yields what is wrong with them."""
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
            yield from unknown(f"samples.{name}.survey", survey, config["surveys"], "surveys")
        targets = sample.get("targets") or {}
        if isinstance(targets.get("path"), str):
            path = targets.pop("path")
            if name in config["datasets"] or targets.get("dataset"):
                twice = f"it makes a dataset {name}; leave out targets.dataset and datasets.{name}"
                yield Fault(f"samples.{name}.targets.path", twice)
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


def _written_cuts(where: str, cuts: Sequence[Any], lists: Config) -> Iterator[Fault]:
    """Returns the cuts with those of each list that is named among them in its place; yields names of no list."""
    written = []
    for number, cut in enumerate(cuts):
        if isinstance(cut, str) and cut not in lists:
            yield from unknown(f"{where}.{number}", cut, lists, "cut_lists")
        else:
            written += [dict(one) for one in lists[cut]] if isinstance(cut, str) else [cut]
    return written


def validation_runs(config: Config) -> list[tuple[str, str, int]]:
    """Name (of survey and sample), sky and seed of each simulated sky of `validation`."""
    skies = (config.get("validation") or {}).get("skies") or {}
    return [(f"validate_{sky}_{seed}", sky, seed) for sky, entry in skies.items() for seed in entry["seeds"]]


def add_validation(config: Config) -> None:
    """Each sky and seed of `validation` becomes a survey and a sample, as if they stood in the config."""
    if any(validation_faults(config)):
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


def validation_faults(config: Config) -> Iterator[Fault]:
    """Names of no sample and no survey, and what only a sky of its own may say."""
    block = config.get("validation") or {}
    blocks = {f"validation.skies.{sky}": entry for sky, entry in (block.get("skies") or {}).items()}
    for path, entry in ({"validation": block} | blocks).items():
        survey = entry.get("survey") or {}
        if entry.get("sample") is not None:
            yield from unknown(f"{path}.sample", entry["sample"], config["samples"], "samples")
        if survey.get("like") is not None:
            yield from unknown(f"{path}.survey.like", survey["like"], config["surveys"], "surveys")
        for key, instead in (("seed", "seeds"), ("offset", "offset")):
            if key in survey:
                yield Fault(f"{path}.survey.{key}", f"not here; each sky has its own, validation.skies.NAME.{instead}")


def inherit(config: Config, section: str) -> list[Fault]:
    """Fills the entries of a section that are `like` another from that one, in place; maps merge.

    Returns the names that are unknown or lead back to themselves; such an entry stays as it is.
    """
    entries, done, faults = config[section], {}, []

    def filled(name: str, chain: tuple[str, ...]) -> Any:
        if name in done:
            return done[name]
        entry = entries[name]
        base = entry.get("like") if isinstance(entry, dict) else None
        if not isinstance(base, str):
            return entry  # no inheritance, or a value that the schema refuses
        wrong = [*unknown(f"{section}.{name}.like", base, entries, section)]
        if base in chain:
            wrong = [Fault(f"{section}.{name}.like", f"{' -> '.join([*chain, base])} leads back to itself")]
        faults.extend(wrong)
        own = {key: value for key, value in entry.items() if key != "like"}
        below = None if wrong else filled(base, (*chain, base))
        done[name] = merge(below, own) if isinstance(below, dict) else own
        return done[name]

    config[section] = {name: filled(name, (name,)) for name in entries}
    return faults
