"""profiles/slurm: every rule has its place in it, and a run through a real SLURM gives the bytes of one without."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from parsed_workflow import family, opened, plan
from slurm import Slurm, digests, missing
from snakemake_run import ROOT, SMALL, TOY, run_snakemake

FIGURE = ["results/simulated_giants/figures/fig4_offsets.png"]
# Rules whose jobs are long, or as large as their input: each goes to SLURM alone.
ALONE = {"simulate", "search_hats", "prepare_targets", "merge_archive", "crossmatch_tables", "adopt_targets"}
ALONE |= {"correct_catalogue"}


def profile(name: str) -> dict:
    return yaml.safe_load((ROOT / f"profiles/{name}/profile.yaml").read_text(encoding="utf-8"))


def test_every_rule_is_in_a_group_or_local_or_alone(tmp_path: Path) -> None:
    grouped = {rule for rule, _, _ in (entry.partition("=") for entry in profile("slurm")["groups"])}
    with opened(tmp_path, [TOY], None, ROOT) as api:
        grouped |= {family(rule) for rule in api._workflow.rules if rule._group}
        rules = {family(rule) for rule in api._workflow.rules}
        local = {rule.name for rule in api._workflow.rules if rule.name in api._workflow._localrules}
    network = {"retrieve", "query_catalogue", "merge_catalogue", "probe_identifiers", "query_archive"}
    assert network < local
    assert grouped | local | ALONE == rules
    assert not grouped & (local | ALONE)


def test_every_job_asks_for_memory_and_time(tmp_path: Path) -> None:
    jobs = [job for jobs in plan(tmp_path, [TOY], everything=True).values() for job in jobs if job.output]
    assert len(jobs) > 15
    for job in jobs:
        assert isinstance(job.resources.mem_mb, int) and isinstance(job.resources.runtime, int), job


def test_the_profile_of_a_cluster_repeats_the_default_one() -> None:
    ours, default = profile("slurm"), profile("default")
    assert set(default.pop("resources")) <= set(ours["resources"])
    assert set(default.pop("default-resources")) < set(ours["default-resources"])
    del default["cores"]
    assert {key: ours[key] for key in default} == default


@pytest.mark.nightly
def test_a_run_through_slurm_gives_the_same_bytes(tmp_path: Path) -> None:
    if lacking := missing():
        if os.environ.get("GAIA_OFFSETS_REQUIRE_SLURM") == "1":
            pytest.fail(lacking)
        pytest.skip(lacking)
    slurm = Slurm().start()
    try:
        printed = slurm.snakemake(tmp_path / "slurm", **SMALL | {"targets": FIGURE})
    finally:
        slurm.stop()
    # Eight jobs of Snakemake are four of SLURM.
    assert printed.count(" COMPLETED ") == 4, printed
    assert "8 jobs for 1 sample" in printed
    run_snakemake(tmp_path / "plain", **SMALL | {"targets": FIGURE})
    made = digests(tmp_path / "slurm")
    assert len(made) > 12 and made.items() <= digests(tmp_path / "plain").items()
