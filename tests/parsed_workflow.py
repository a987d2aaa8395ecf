"""The workflow parsed and planned in this process, for tests that look at its rules and jobs and run none of them."""

from __future__ import annotations

import functools
import logging
import pickle
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dpath
import snakemake.api
import snakemake.workflow
import yaml
from snakemake.api import SnakemakeApi
from snakemake.common import configfile
from snakemake.iocontainers import Wildcards
from snakemake.resources import Resources
from snakemake.settings.enums import RerunTrigger
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, ResourceSettings, WorkflowSettings
from snakemake_run import ROOT, TOY

from gaia_offsets.engine.config import read

PROFILE = yaml.safe_load((ROOT / "profiles/default/profile.yaml").read_text(encoding="utf-8"))
DEFAULTS = Resources.parse(PROFILE["default-resources"], allow_expressions=True, defaults="full")
# Values that a rule's wildcards may have in the toy; what a rule has not is ignored.
WILDCARDS = {"sample": "simulated_giants", "survey": "toy", "chunk": "0"}
WILDCARDS |= {"part": "0", "dataset": "plain", "file": "plain.csv", "catalogue": "mine", "ending": "csv"}
OF_RULE = {"query_catalogue": {"dataset": "asked"}, "merge_catalogue": {"dataset": "asked"}}
# What the toy lacks, so that every rule has something to work on.
MORE: dict[str, Any] = yaml.safe_load("""
samples: {simulated_giants: {official: lindegren2021, solutions: [5p, 6p], publish_hats: false}}
datasets:
  plain: {file: plain.csv, url: "https://example.org/plain.csv", description: A file}
  asked: {file: asked.parquet, query: {url: "https://example.org/tap", table: t, columns: [a]}}
catalogues:
  mine: {path: mine.csv, sample: simulated_giants, frame: equatorial, base: raw}
validation:
  sample: simulated_giants
  survey: {like: toy}
  skies: {mine: {seeds: [1], sample: simulated_giants, survey: {stars: 900}}}
""")


# Two thirds of a start go into reading the same files again: here each is read once, until it changes.


def _once(read: Callable[..., Any]) -> Callable[..., Any]:
    known: dict[Any, Any] = {}

    @functools.wraps(read)
    def again(path: str | Path, *words: Any) -> Any:
        key = (Path(path).read_bytes(), *words) if Path(path).is_file() else None
        if key is None:
            return read(path, *words)
        if key not in known:
            known[key] = pickle.dumps(read(path, *words))
        return pickle.loads(known[key])  # a copy, faster than copy.deepcopy

    return again


COMPILED: dict[Any, Any] = {}


def _parse(path: Any, workflow: Any, linemap: dict[int, int], rulecount: int = 0) -> tuple[str, int]:
    key = (path.get_path_or_uri(secret_free=True), Path(path.get_path_or_uri(secret_free=True)).read_bytes(), rulecount)
    if key not in COMPILED:
        lines: dict[int, int] = {}
        COMPILED[key] = PARSE(path, workflow, lines, rulecount=rulecount), lines
    linemap.update(COMPILED[key][1])
    return COMPILED[key][0]


def _get(config: Any, path: str) -> Any:
    """dpath.get without its walk through the whole config; no path of ours is a pattern."""
    try:
        return functools.reduce(lambda entry, key: entry[key], path.split("/"), config)
    except (KeyError, TypeError):
        return GET(config, path)


PARSE, snakemake.workflow.parse = snakemake.workflow.parse, _parse
snakemake.workflow.compile = functools.cache(compile)
GET, dpath.get = dpath.get, _get
read.read_yaml = _once(read.read_yaml)
configfile._load_configfile = _once(configfile._load_configfile)


@contextmanager
def opened(folder: Path, configfiles: Iterable[Path], config: dict[str, Any] | None, root: Path) -> Iterator[Any]:
    """Snakemake's workflow object; `config` is an overlay that comes after `configfiles`."""
    overlays = list(configfiles)
    if config is not None:
        overlays.append(folder / "overlay.yaml")
        overlays[-1].write_text(yaml.safe_dump(config), encoding="utf-8")
    logger = logging.getLogger("snakemake.logging")
    level, path = logger.level, sys.path[:]
    logger.setLevel(logging.CRITICAL)
    try:
        with SnakemakeApi(OutputSettings(log_handler_settings={}, dryrun=True)) as api:
            yield api.workflow(
                resource_settings=ResourceSettings(cores=1, default_resources=DEFAULTS),
                config_settings=ConfigSettings(configfiles=overlays),
                workflow_settings=WorkflowSettings(),
                snakefile=root / "Snakefile",
                workdir=folder,
            )
    finally:
        logger.setLevel(level)
        sys.path[:] = path  # the Snakefile adds to it each time


def parse(folder: Path, overlay: dict[str, Any] | None = None, root: Path = ROOT) -> dict[str, dict[str, Any]]:
    """The params of every rule, evaluated for WILDCARDS, with the toy's config and an overlay."""
    more = folder / "more.yaml"
    more.write_text(yaml.safe_dump(MORE), encoding="utf-8")
    with opened(folder, [TOY, more], overlay, root) as workflow:
        return {family(rule): _params(rule) for rule in workflow._workflow.rules}


def family(rule: Any) -> str:
    """Name of a rule without the kind of sample that it is made for, which is that of its script."""
    return rule.name.partition("_of_")[0]


def _params(rule: Any) -> dict[str, Any]:
    wildcards = Wildcards(fromdict={**WILDCARDS, **OF_RULE.get(rule.name, {})})
    return {name: value(wildcards) if callable(value) else value for name, value in rule.params._allitems()}


def plan(
    folder: Path,
    configfiles: Iterable[Path] = (),
    config: dict[str, Any] | None = None,
    *,
    targets: Iterable[str] = (),
    root: Path = ROOT,
    everything: bool = False,
) -> dict[str, list[Any]]:
    """Jobs by rule that a dry run in `folder` would list: those that are due, or `everything`."""
    triggers = frozenset(RerunTrigger.all() - {RerunTrigger.CODE})  # as profiles/default has it
    with opened(folder, configfiles, config, root) as api:
        settings = DAGSettings(targets=set(targets), forceall=everything, rerun_triggers=triggers)
        api.dag(settings)
        workflow = api._workflow
        workflow._prepare_dag(forceall=everything, ignore_incomplete=False, lock_warn_only=True, nolock=True)
        workflow._build_dag()
        jobs = defaultdict(list)
        for job in workflow.dag.needrun_jobs():
            jobs[family(job.rule)].append(job)
        return dict(jobs)
