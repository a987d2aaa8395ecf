"""The workflow parsed in this process, for tests that look at its rules and run none of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from snakemake.api import SnakemakeApi
from snakemake.iocontainers import Wildcards
from snakemake.settings.types import ConfigSettings, OutputSettings, ResourceSettings, WorkflowSettings
from snakemake_run import ROOT, TOY

# Values that a rule's wildcards may have in the toy; what a rule has not is ignored.
WILDCARDS = {
    "sample": "simulated_giants",
    "frame": "equatorial",
    "survey": "toy",
    "run": "toy",
    "chunk": "0",
    "part": "0",
    "dataset": "plain",
    "file": "plain.csv",
    "catalogue": "mine",
    "ending": "csv",
    "parallax": "raw",
}
# What the toy lacks, so that every rule has something to work on.
MORE: dict[str, Any] = {
    "datasets": {
        "plain": {"file": "plain.csv", "url": "https://example.org/plain.csv", "description": "A file"},
        "asked": {"file": "asked.parquet", "query": {"url": "https://example.org/tap", "table": "t", "columns": ["a"]}},
    },
    "catalogues": {
        "mine": {"path": "mine.csv", "sample": "simulated_giants", "frame": "equatorial", "base": "raw"},
    },
}
OF_RULE = {"query_catalogue": {"dataset": "asked"}, "merge_catalogue": {"dataset": "asked"}}


def parse(folder: Path, overlay: dict[str, Any] | None = None, root: Path = ROOT) -> dict[str, dict[str, Any]]:
    """The params of every rule, evaluated for WILDCARDS, with the toy's config and an overlay."""
    overlays = [TOY, folder / "more.yaml", folder / "overlay.yaml"]
    overlays[1].write_text(yaml.safe_dump(MORE), encoding="utf-8")
    overlays[2].write_text(yaml.safe_dump(overlay or {}), encoding="utf-8")
    with SnakemakeApi(OutputSettings(log_handler_settings={}, verbose=False)) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(configfiles=overlays),
            workflow_settings=WorkflowSettings(),
            snakefile=root / "Snakefile",
            workdir=folder,
        )
        return {rule.name: _params(rule) for rule in workflow._workflow.rules}


def _params(rule: Any) -> dict[str, Any]:
    wildcards = Wildcards(fromdict={**WILDCARDS, **OF_RULE.get(rule.name, {})})
    found = {}
    for name, value in rule.params._allitems():
        found[name] = value(wildcards) if callable(value) else value
    return found
