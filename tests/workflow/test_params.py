"""Which rules use which key of the config: a changed value re-runs those and what depends on them, nothing else."""

from __future__ import annotations

import copy
import fnmatch
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import parsed_workflow as parsed
import pytest
import yaml
from snakemake_run import ROOT, TOY

from gaia_offsets.core.yamlfile import merge
from gaia_offsets.engine.config.shorthand import inherit

FIGURES = {"draw_figures"}
RECORD = {"tell_provenance"}  # keeps all settings that the run's samples rest on
OVERVIEW = {"compare_samples"}
PAGES = {"write_pages"}
# What takes the names of the targets' columns: the three back ends, of which a sample has one.
TARGETS = {"adopt_targets", "crossmatch_tables", "prepare_targets", "search_hats"}
REFERENCE = {"select_stars", "check_claims", "compare_catalogue"}
LEARNED = {"learn_magnitudes"}  # of a sample that learns
ONE_ROW = LEARNED | {"select_stars", "compare_catalogue"}
GAUSSIAN = {"measure_global", "measure_trends", "measure_map", "measure_errors", "cross_validate", "publish_dataset"}
GAUSSIAN |= {"compare_catalogue", "compare_red_clump", "compare_with_truth", "compare_corrections"}
# What has each of the sample's corrections.
CORRECTIONS = {"correct_parallaxes", "compare_corrections", "measure_map", "write_pages"}
# The published metadata hold a digest of everything behind the map.
MAP = {"publish_dataset", "publish_smooth"}
# What names the correction besides, by the paper that it cites.
NAMED = {"write_pages", "compare_samples", "draw_figures"}
TITLED = FIGURES | PAGES | MAP | OVERVIEW | {"publish_hats"}
ASKED = {"query_archive", "probe_identifiers"}
MATCHED = {"crossmatch_tables", "prepare_targets", "search_hats"} | ASKED
# What has the measured classes with their colours; the standard one alone; and it with its colour.
COLOURS = {"select_stars", "compare_catalogue", "learn_magnitudes", "measure_global", "measure_trends", "measure_map"}
COLOURS |= {"publish_dataset", "compare_corrections", "compare_with_truth", "draw_figures", "write_pages"}
OF_THE_STANDARD = {"compare_samples"}
STANDARD = {"select_stars", "compare_catalogue", "learn_magnitudes", "publish_dataset", "publish_smooth", "smooth_map"}
STANDARD |= {"check_claims", "cross_validate", "draw_figures", "write_pages", "summarise_validation"}
S = "samples.simulated_giants"
CUTS = [{"column": "ruwe", "op": "<", "value": 2}]
FLAT = {"start": 0.5, "stop": 5.5, "step": 1.0}

# Key (with wildcards), another value that is right, and the rules whose params change.
TABLE: list[tuple[str, Any, set[str]]] = [
    ("run.name", "another", set()),
    ("datasets.plain.url", "https://example.org/other.csv", {"retrieve"}),
    ("datasets.plain.description", "Another file", {"retrieve"}),
    ("datasets.asked.query.url", "https://example.org/other", {"query_catalogue", "merge_catalogue"}),
    ("datasets.asked.query.table", "other", {"query_catalogue", "merge_catalogue"}),
    ("datasets.asked.query.columns", ["a", "b"], {"query_catalogue", "merge_catalogue"}),
    (f"{S}.title", "Simulated others", TITLED),
    (f"{S}.official", "none", CORRECTIONS | LEARNED | MAP | NAMED),
    (f"{S}.also", ["maiz_apellaniz2022"], CORRECTIONS),  # beside the map
    ("corrections.lindegren2021.kind", "none", CORRECTIONS | LEARNED | MAP | NAMED),
    ("corrections.maiz_apellaniz2022.six_parameter", None, set()),  # the sample does not name it
    ("corrections.lindegren2021.citation", "Others", NAMED),
    ("corrections.*.citation", "Others", set()),
    ("corrections.*.experimental", "for a reason", set()),
    ("corrections.ding2024.max_abs_b_deg", 10, set()),
    ("corrections.dr4_official.column", "other", set()),
    ("corrections.*.releases", ["edr3"], set()),
    (f"{S}.targets.columns.*.unit", "rad", TARGETS | MAP),
    (f"{S}.targets.columns.*", "other", TARGETS | MAP),
    (f"{S}.crossmatch.epoch", 2001.0, {"crossmatch_tables", "compare_red_clump"} | ASKED | MAP),
    (f"{S}.crossmatch.radius_arcsec", 2.0, MATCHED | MAP),
    (f"{S}.crossmatch.tmass_radius_arcsec", 2.0, {"crossmatch_tables"} | MAP),
    (f"{S}.one_row_per.columns", ["source_id", "obsid"], ONE_ROW | MAP),
    (f"{S}.one_row_per.prefer", "teff", ONE_ROW | MAP),
    (f"{S}.one_row_per.ties", "source_id", ONE_ROW | MAP),
    (f"{S}.reference.absolute_magnitude", "h_m", REFERENCE | MAP),
    (f"{S}.reference.apparent_magnitude", "h_m", REFERENCE | LEARNED | MAP),
    (f"{S}.reference.extinction.column", "snr", REFERENCE | LEARNED | MAP),
    (f"{S}.reference.extinction.coefficient", 0.31, REFERENCE | LEARNED | MAP),
    (f"{S}.reference.fractional_error", 0.09, REFERENCE | MAP),
    ("cut_lists.*", CUTS, {"select_stars", "compare_catalogue"} | LEARNED | MAP),
    (f"{S}.cuts", CUTS, {"select_stars", "compare_catalogue", "prepare_targets"} | LEARNED | MAP),
    (f"{S}.comparison.min_snr", 60, {"compare_catalogue"}),
    (f"{S}.comparison.max_logg", 3.0, {"compare_catalogue"}),
    (f"{S}.comparison.max_ebv_training", 0.03, {"compare_catalogue", "draw_figures"}),
    (f"{S}.comparison.red_clump_*", 0.5, {"compare_red_clump"}),
    (f"{S}.comparison.abscissa", "mean", {"draw_figures"}),
    (f"{S}.red_clump.columns.distance.column", "d", {"compare_red_clump"}),
    (f"{S}.red_clump.columns.distance.unit", "pc", {"compare_red_clump"}),
    (f"{S}.measure.trends.join", 2, {"measure_trends"}),
    (f"{S}.measure.map.nside", 16, {"measure_map"} | MAP),
    ("*measure.smooth.more_nsides", [8], set()),  # further files
    (f"{S}.measure.smooth.splines", 3, {"smooth_map", "cross_validate", "publish_smooth"}),
    ("measure.smooth.reach_deg", 2, {"smooth_map", "cross_validate", "publish_smooth"}),
    ("measure.smooth.splines", 2, set()),  # the sample insists on its own
    (f"{S}.solutions", ["5p", "2p"], {"select_stars"} | MAP),
    (f"{S}.max_offset_mas", 5.0, {"select_stars"} | MAP),
    ("releases.edr3.epoch", 2015.5, {"crossmatch_tables", "adopt_targets", "compare_red_clump"} | ASKED),
    ("releases.edr3.columns", {"ruwe": "RUWE"}, ASKED),
    ("releases.edr3.agn_cross_id", "other.table", set()),  # of quasars alone
    ("releases.edr3.official", "none", set()),  # the sample names its own
    ("releases.edr3.solution.column", "other", ASKED),
    ("releases.edr3.solution.codes.*", 27, {"select_stars", "compare_catalogue"} | LEARNED),  # nothing is fetched again
    ("releases.edr3.solution.standard", "6p", STANDARD | OF_THE_STANDARD),
    ("releases.edr3.solution.colours.5p", "pseudocolour", COLOURS | OF_THE_STANDARD | {"cross_validate", "smooth_map"}),
    ("releases.edr3.solution.colours.6p", "nu_eff_used_in_astrometry", COLOURS),
    ("releases.edr3.*", "other.table", ASKED),
    ("releases.dr3.like", "dr4", set()),
    ("releases.dr4.epoch", 2017.0, set()),  # what the sample's release has not
    ("releases.dr4.astrometry", "all_source_astrometry", set()),
    ("releases.dr4.astrometry_cuts", [], set()),
    ("releases.dr4.columns", {"ruwe": "RUWE"}, set()),
    ("releases.dr4.more_columns", [], set()),
    ("releases.dr4.bridge", "edr3", set()),
    ("releases.dr4.official", "none", set()),
    ("releases.dr4.solution.column", "other", set()),
    ("releases.dr4.solution.codes.*", 1, set()),
    ("releases.dr4.solution.colours.*", "pseudocolour", set()),
    ("releases.dr4.solution.standard", "single", set()),  # its only class that is measured
    ("releases.dr4.solution.bits.*", 1, set()),
    ("releases.dr*", "other.table", set()),
    ("archive.url", "https://example.org/tap", ASKED),
    ("archive.chunks", 30, {"query_archive"}),
    ("archive.pm_margin_arcsec", 20.0, {"query_archive", "search_hats"}),
    ("archive.*", 7, set()),  # patience with the service: what has been fetched stays valid
    ("downloads.*", 7, set()),
    ("surveys.toy.*", 0.07, {"simulate"} | MAP),
    ("measure.gaussian.method", "histogram", GAUSSIAN),
    ("measure.gaussian.beta", 0.5, GAUSSIAN),
    ("measure.gaussian.histogram_bins", 12, GAUSSIAN),
    ("measure.histogram_width_uas", 20, {"measure_global"}),
    ("measure.trends.min_stars", 50, {"measure_trends", "draw_figures", "compare_red_clump"}),
    ("measure.trends.join", 4, set()),  # the sample insists on its own
    ("measure.trends.edges.*", FLAT, {"measure_trends"}),
    ("measure.map.nside", 8, set()),
    ("measure.map.ordering", "ring", {"measure_map"} | MAP),
    ("measure.map.more_than", 20, {"measure_map"} | MAP),
    ("publish.authors", "Surname A.", MAP),
    ("publish.systematic_uas", 9.0, MAP | {"check_claims"}),
    ("measure.cross_validation.*", 3, {"cross_validate"}),
    ("publish.bootstrap.*", 50, {"publish_dataset", "measure_errors"}),
    ("figures.colour_range_uas", [-50, 50], {"draw_figures", "write_pages"}),
    ("figures.titles", False, FIGURES),
    ("figures.dpi", 150, FIGURES | OVERVIEW | {"summarise_validation"}),
    ("validation.sample", "lamost_giants", set()),  # what it changes belongs to surveys and samples of its own
    ("validation.survey.like", "standard", set()),
    ("validation.skies.mine.sample", "lamost_giants", set()),
    ("validation.skies.mine.survey.stars", 800, set()),
    ("validation.skies.mine.seeds", [2], {"summarise_validation"}),
    ("catalogues.mine.base", "official", {"correct_catalogue"}),
    ("catalogues.mine.correction", "lindegren2021", {"correct_catalogue"}),
    ("catalogues.mine.inflate", True, {"correct_catalogue"}),
]
# Keys that say which files there are: Snakemake sees them in the inputs and outputs of rules.
FILES = ["run.samples", *(f"catalogues.mine.{key}" for key in ("frame", "smooth", "sample")), f"{S}.publish_hats"]
FILES += ["datasets.lamost*", "datasets.red_clump*"]
FILES += "*.survey *.dataset *.file *.simulated.* *.path *.backend *.by *.claims *.release *.kind".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return parsed.parse(tmp_path_factory.mktemp("base"))


def leaves(value: Any, path: str = "") -> Iterator[str]:
    """Dotted paths of all values below maps."""
    if isinstance(value, dict) and value:
        for key, entry in value.items():
            yield from leaves(entry, f"{path}.{key}" if path else key)
    else:
        yield path


def every_key() -> list[str]:
    """All keys of the paper's config, the toy's and those that the toy lacks, of the toy's own sample and survey."""
    config: dict[str, Any] = {}
    for part in (ROOT / "workflow/settings.yaml", ROOT / "config/config.yaml", TOY):
        config = merge(config, yaml.safe_load(part.read_text(encoding="utf-8")))
    config = merge(config, parsed.MORE)
    for section, name in (("samples", "simulated_giants"), ("surveys", "toy")):
        inherit(config, section)
        config[section] = {name: config[section][name]}
    return list(leaves(config))


def overlay(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


KEYS = every_key()
CASES = []
for key in KEYS:
    row = next((row for row in TABLE if fnmatch.fnmatchcase(key, row[0]) or key.startswith(f"{row[0]}.")), None)
    if row is not None:
        # A whole map is changed once, by its first key.
        whole = row[0] if key.startswith(f"{row[0]}.") else key
        whole = ".".join(key.split(".")[: row[0].count(".") + 1]) if "edges" in key else whole
        if (whole, row[1]) not in [(case.values[0], case.values[1]) for case in CASES]:
            CASES.append(pytest.param(whole, row[1], row[2], id=whole))


def test_every_key_has_its_line() -> None:
    known = [*(row[0] for row in TABLE), *FILES]
    lost = [key for key in KEYS if not any(fnmatch.fnmatchcase(key, k) or key.startswith(f"{k}.") for k in known)]
    assert [key for key in lost if not key.startswith("measure.trends.edges.")] == []
    assert len(CASES) > 90


def test_keys_that_change_nothing(base: dict, tmp_path: Path) -> None:
    """All at once, each with a value of its own."""
    cases = [case.values for case in CASES if not case.values[2]]
    values = {
        key: value + place if ".solution." in key and value == 1 else value
        for place, (key, value, _) in enumerate(cases)
    }
    overlays = [overlay(key, copy.deepcopy(value)) for key, value in values.items()]
    changed = parsed.parse(tmp_path, functools.reduce(merge, overlays))
    assert len(overlays) > 40 and {rule for rule in base if changed[rule] != base[rule]} - RECORD == set()


@pytest.mark.parametrize(("key", "value", "rules"), [case for case in CASES if case.values[2]])
def test_a_changed_key(key: str, value: Any, rules: set[str], base: dict, tmp_path: Path) -> None:
    if isinstance(value, float) and key.removeprefix("surveys.toy.") in ("seed", "stars", "plates", "snr_median"):
        value = 40
    window = {"bright": 11.0, "faint": 15.0, "edge": 0.3, "plate_scatter": 0.5, "feh_gradient": [0, 0]}
    others = {"spectra_per_star": 1.1, "labels": "physical", "catalogue_mks": False, "magnitude_window": window}
    value = others.get(key.removeprefix("surveys.toy."), value)
    changed = parsed.parse(tmp_path, overlay(key, copy.deepcopy(value)))
    due = {rule for rule in base if changed[rule] != base[rule]}
    assert due - RECORD == rules
    assert due >= RECORD or not rules & MAP  # what the metadata of a map tell stands in the record of the run
