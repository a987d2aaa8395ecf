"""Configs that are right make a plan, offline; configs that are not are refused, all faults at once."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake_run import ROOT, TOY, jobs_of, run_snakemake

from gaia_offsets import config as checks


def is_overlay(path: Path) -> bool:
    """Whether a file of config/ is made to be run: config.yaml and its overlays say which samples, others do not."""
    return "run" in yaml.safe_load(path.read_text(encoding="utf-8"))


DEMO = [ROOT / f"config/{name}.yaml" for name in ("kepler_giants", "globular_clusters", "demo")]
OVERLAYS = sorted(path for path in (ROOT / "config").glob("*.yaml") if is_overlay(path))


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
def test_every_overlay_has_a_plan(overlay: Path, tmp_path: Path) -> None:
    configfiles = {"config.yaml": [], "demo.yaml": DEMO}.get(overlay.name, [overlay])
    jobs = jobs_of(run_snakemake(tmp_path, "--dry-run", configfiles=configfiles))
    samples = yaml.safe_load(overlay.read_text())["run"]["samples"]
    assert jobs["all"] == 1
    for rule, each in (("select_stars", 1), ("measure_global", 1), ("draw_maps", 1), ("publish_dataset", 2)):
        assert jobs[rule] == each * len(samples), rule


def test_the_papers_run_says_which_file_to_place_where(tmp_path: Path) -> None:
    printed = run_snakemake(tmp_path, cores=1, fails=True)
    line = (
        "datasets.lamost_dr8_vac: no address is known; fetch lamost_dr8_vac.fits (Value-added catalogue of LAMOST DR8 "
        "low-resolution spectra, 7.1 million spectra of 5.17 million stars) from "
        "http://www.lamost.org/dr8/v1.0/doc/vac "
        "yourself, put it at any place and set datasets.lamost_dr8_vac.path to it in the config, or put it at "
        "resources/raw/lamost_dr8_vac/lamost_dr8_vac.fits; then run again"
    )
    assert printed.splitlines().count(line) == 1
    assert "Traceback" not in printed
    assert not (tmp_path / "results").exists()


BROKEN: dict[str, Any] = {
    "run": {"samples": ["simulated_giant", "lamost_giants"]},
    "surveys": {"toy": {"stars": -5}},
    "datasets": {"toy_gaia": {"simulated": {"survey": "toi", "table": "gaia_sorce"}}},
    "samples": {
        "lamost_giants": {
            "releases": "edr3",
            "reference": {"kind": "distanse"},
            "cuts": [
                {"column": "rewe", "op": "<", "value": 1.4},
                {"column": "ruwe", "op": "=<", "value": 1.4},
                {"column": "parallax", "op": "between", "value": [2, 1]},
            ],
        }
    },
    "measure": {"map": {"nside": 33, "more_then": 5}, "trends": {"edges": {"colour": [1.5, 1.2]}}},
    "figures": {"dpi": "high", "colour_range_uas": [5, 5]},
}
LINES = [
    "run.samples: 'simulated_giant' is not one of samples; did you mean simulated_giants?",
    "surveys.toy.stars: -5 is less than the minimum of 1",
    "datasets.toy_gaia.simulated.survey: 'toi' is not one of surveys; did you mean toy?",
    "datasets.toy_gaia.simulated.table: 'gaia_sorce' is none of targets, gaia_source, tmass, distances, red_clump, "
    "truth; "
    "did you mean gaia_source?",
    "samples.lamost_giants.releases: not a known key; did you mean release?",
    "samples.lamost_giants.reference.kind: 'distanse' is none of distance, distance_modulus, absolute_magnitude, "
    "parallax, "
    "group_distance, constant; did you mean distance?",
    "samples.lamost_giants.cuts.0.column: 'rewe' is neither a standard column nor named in the sample's columns; "
    "did you mean ruwe?",
    "samples.lamost_giants.cuts.1.op: '=<' is none of <, <=, >, >=, ==, !=, between, in, not_null; did you mean <?",
    "samples.lamost_giants.cuts.2.value: [2, 1] should be [low, high] for op between",
    "measure.map.nside: 33 is not a power of two",
    "measure.map.more_then: not a known key; did you mean more_than?",
    "measure.trends.edges.colour: edges must increase, two or more",
    "figures.dpi: 'high' is not of type integer",
    "figures.colour_range_uas: 5 is not above 5",
]


def test_all_faults_are_printed_at_once(tmp_path: Path) -> None:
    printed = run_snakemake(tmp_path, "--dry-run", configfiles=[TOY], config=BROKEN, fails=True)
    assert "Traceback" not in printed
    lines = [line.strip() for line in printed.splitlines()]
    assert [line for line in LINES if lines.count(line) != 1] == []
    # Nothing else is complained about: what a sample inherits is not repeated.
    start = next(number for number, line in enumerate(lines) if "config has faults" in line) + 1
    assert sorted(line for line in lines[start:] if ": " in line and line.split(".")[0] in BROKEN) == sorted(LINES)


NOT_A_MAP = [None, [], "text", 3]


@pytest.mark.parametrize(
    ("where", "value"),
    [
        *((("samples",), value) for value in NOT_A_MAP),
        *((("surveys",), value) for value in NOT_A_MAP),
        *((("samples", "lamost_giants"), value) for value in NOT_A_MAP),
        *((("surveys", "standard"), value) for value in NOT_A_MAP),
        *((("samples", "simulated_giants", "like"), value) for value in ([], {}, 3)),
        *((("figures", "colour_range_uas"), value) for value in ([], [60], "wide", {"low": 1})),
        *((("measure", "trends", "edges", "colour"), value) for value in (None, [], "fine", [1, "x"], {"start": 1})),
        *((("samples", "lamost_giants", "cuts"), value) for value in ({}, [None], [[1]], [{"column": [1]}])),
        *((("run", "samples"), value) for value in (None, "lamost_giants", [None], [["lamost_giants"]])),
        *((("datasets",), value) for value in NOT_A_MAP),
        (("datasets", "toy_gaia"), None),
        (("releases", "edr3"), None),
        (("catalogues",), {"mine": None}),
    ],
    ids=str,
)
def test_a_value_of_the_wrong_shape_has_its_line_and_no_traceback(where: tuple[str, ...], value: Any) -> None:
    config = checks.merge(*(checks.load_yaml(ROOT / name) for name in ("workflow/settings.yaml", "config/config.yaml")))
    config = copy.deepcopy(checks.merge(config, yaml.safe_load(TOY.read_text())))
    inner = config
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    with pytest.raises(checks.ConfigError) as caught:
        checks.resolve(config, checks.load_yaml(ROOT / "workflow/schemas/config.schema.yaml"))
    lines = str(caught.value).splitlines()
    assert any(line.startswith(".".join(where)) for line in lines), lines
