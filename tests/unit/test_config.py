"""Every fault of a config is reported at once, on its own line, with its path and a suggestion."""

from pathlib import Path

import pytest
import yaml

from gaia_offsets import config as checks

ROOT = Path(__file__).parents[2]
BEFORE = {"demo.yaml": ["kepler_giants.yaml", "globular_clusters.yaml"]}  # overlays that an overlay comes after
NOT_OVERLAYS = {"config.yaml", "claims.yaml", "literature.yaml"}
OVERLAYS = sorted(path.name for path in (ROOT / "config").glob("*.yaml") if path.name not in NOT_OVERLAYS)


@pytest.fixture(scope="module")
def schema():
    return checks.load_yaml(ROOT / "workflow/schemas/config.schema.yaml")


@pytest.fixture
def base():
    files = [ROOT / "workflow/settings.yaml", ROOT / "config/config.yaml"]
    return checks.merge(*(checks.load_yaml(path) for path in files))


def faults(base, schema, overlay):
    with pytest.raises(checks.ConfigError) as caught:
        checks.resolve(checks.merge(base, yaml.safe_load(overlay)), schema)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("name", OVERLAYS)
def test_shipped_overlays_are_sound(base, schema, name):
    for overlay in [*BEFORE.get(name, []), name]:
        base = checks.merge(base, yaml.safe_load((ROOT / "config" / overlay).read_text()))
    resolved = checks.resolve(base, schema)
    assert set(resolved["run"]["samples"]) <= set(resolved["samples"])


@pytest.mark.parametrize(
    ("overlay", "line"),
    [
        ("measure: {map: {nsid: 3}}", "measure.map.nsid: not a known key; did you mean nside?"),
        ("measure: {map: {nside: 33}}", "measure.map.nside: 33 is not a power of two"),
        ("measure: {map: {nside: two}}", "measure.map.nside: 'two' is neither a whole number nor auto"),
        ("measure: {map: {more_than: 0}}", "measure.map.more_than: 0 is less than the minimum of 1"),
        (
            "run: {samples: [lamost_giant]}",
            "run.samples: 'lamost_giant' is not one of samples; did you mean lamost_giants?",
        ),
        ("run: {samples: []}", "run.samples: names no sample"),
        (
            "measure: {trends: {edges: {colour: [1.2, 1.1]}}}",
            "measure.trends.edges.colour: edges must increase, two or more",
        ),
        (
            "measure: {trends: {edges: {colour: {start: 2.0, stop: 1.0}}}}",
            "measure.trends.edges.colour: stop 1 is not above start 2",
        ),
        (
            "measure: {gaussian: {method: densty_power}}",
            "measure.gaussian.method: 'densty_power' is none of density_power, histogram; did you mean density_power?",
        ),
        (
            "samples: {lamost_giants: {cuts: [{column: rue, op: '<', value: 2}]}}",
            "samples.lamost_giants.cuts.0.column: 'rue' is neither a standard column nor named in the sample's "
            "columns; did you mean ruwe?",
        ),
        (
            "samples: {lamost_giants: {cuts: [{column: ruwe, op: between, value: 2}]}}",
            "samples.lamost_giants.cuts.0.value: 2 should be [low, high] for op between",
        ),
        (
            "samples: {lamost_giants: {cuts: [{column: ruwe, op: <, value: __import__('os')}]}}",
            "samples.lamost_giants.cuts.0.value: \"__import__('os')\" is text, op < compares numbers",
        ),
        (
            "samples: {lamost_giants: {reference: {kind: constant}}}",
            "samples.lamost_giants.reference.value_mas: missing; kind constant needs it",
        ),
        (
            "samples: {lamost_giants: {targets: {dataset: lamost_vac}}}",
            "samples.lamost_giants.targets.dataset: 'lamost_vac' is not one of datasets; did you mean lamost_dr8_vac?",
        ),
        (
            "samples: {lamost_giants: {release: edr4}}",
            "samples.lamost_giants.release: 'edr4' is not one of releases; did you mean edr3?",
        ),
        (
            "samples: {lamost_giants: {crossmatch: {backend: local}}}",
            "samples.lamost_giants.crossmatch.gaia: missing; backend local needs it",
        ),
        (
            "datasets: {x: {simulated: {survey: toi, table: targets}}}",
            "datasets.x.simulated.survey: 'toi' is not one of surveys",
        ),
        ("samples: {x: {like: lamost}}", "samples.x.like: 'lamost' is not one of samples; did you mean lamost_giants?"),
        ("samples: {x: {like: x}}", "samples.x.like: x -> x leads back to itself"),
        ("run: {samples: lamost_giants}", "run.samples: 'lamost_giants' is not of type array"),
        ("run: {samples: [lamost_giants, lamost_giants]}", "run.samples: 'lamost_giants' stands more than once"),
        ("figures: {dpi: .nan}", "figures.dpi: nan is not a finite number"),
        (
            "measure: {trends: {edges: {colour: {start: 1.1, stop: 1.9, step: 0.3}}}}",
            "measure.trends.edges.colour: 1.1 to 1.9 are 2.66667 steps; it takes 1 to 10000 whole ones",
        ),
        (
            "measure: {histogram_width_uas: 1.0e-7}",
            "measure.histogram_width_uas: 1e-07 makes more than 10000 bins; take a wider one",
        ),
        (
            "samples: {lamost_giants: {targets: {columns: {distnace: dist}}}}",
            "samples.lamost_giants.targets.columns.distnace: not a standard column; did you mean distance? "
            "(else choose another name)",
        ),
        (
            "samples: {lamost_giants: {targets: {columns: {mine: {column: m, unit: pc}}}}}",
            "samples.lamost_giants.targets.columns.mine.unit: only standard columns are converted",
        ),
        (
            "samples: {lamost_giants: {cuts: [{column: offset_raw, op: <, value: 2}]}}",
            "samples.lamost_giants.cuts.0.column: 'offset_raw' is computed after the cuts",
        ),
        (
            "samples: {lamost_giants: {crossmatch: {radius_arcsec: null}}}",
            "samples.lamost_giants.crossmatch.radius_arcsec: missing; backend archive needs it",
        ),
        (
            "{releases: {dr3: {epoch: 2016.0}}, samples: {lamost_giants: {release: dr3}}}",
            "samples.lamost_giants.release: releases.dr3 names no table gaia_source, which backend archive needs",
        ),
        (
            "datasets: {lamost_dr8_vac: {sha256: abc}}",
            "datasets.lamost_dr8_vac.sha256: 'abc' is not of the form that is expected here; Digest that the file must "
            "have.",
        ),
        ("figures: {colour_range_uas: [5, 5]}", "figures.colour_range_uas: 5 is not above 5"),
        ("samples: null", "samples: None is not of type object"),
    ],
)
def test_each_fault_has_its_line(base, schema, overlay, line):
    assert line in faults(base, schema, overlay)


def test_all_faults_come_at_once(base, schema):
    overlay = """
    run: {samples: [nobody]}
    measure: {map: {nside: 33, order: ring}, gaussian: {beta: 7}}
    samples: {x: {like: lamost_giants, reference: {kind: distanse}, cuts: [{column: rue, op: "<", value: 2}]}}
    """
    lines = faults(base, schema, overlay)
    for path in ("run.samples", "measure.map.nside", "measure.map.order", "measure.gaussian.beta"):
        assert sum(line.startswith(path + ":") for line in lines) == 1
    assert any(line.startswith("samples.x.reference.kind") for line in lines)
    assert any(line.startswith("samples.x.cuts.0.column") for line in lines)


def test_an_inherited_fault_is_told_once(base, schema):
    overlay = "samples: {lamost_giants: {reference: {kind: constant}}, x: {like: lamost_giants}}"
    lines = faults(base, schema, overlay)
    assert [line for line in lines if "value_mas" in line] == [
        "samples.lamost_giants.reference.value_mas: missing; kind constant needs it"
    ]


def test_like_merges_maps_and_replaces_lists(base, schema):
    overlay = yaml.safe_load("samples: {x: {like: lamost_giants, title: X, cuts: [], crossmatch: {radius_arcsec: 1}}}")
    resolved = checks.resolve(checks.merge(base, overlay), schema)["samples"]["x"]
    assert resolved["title"] == "X" and resolved["cuts"] == []
    assert resolved["crossmatch"]["radius_arcsec"] == 1 and resolved["crossmatch"]["epoch"] == 2000.0
    assert "like" not in resolved


def test_merge_leaves_its_input_alone(base):
    before = yaml.safe_dump(base)
    checks.merge(base, {"measure": {"map": {"nside": 8}}})["samples"]["lamost_giants"]["cuts"].clear()
    assert yaml.safe_dump(base) == before


def test_edges_of_a_range_include_both_ends():
    assert checks.expand_edges({"start": 8.0, "stop": 9.0, "step": 0.25}) == [8.0, 8.25, 8.5, 8.75, 9.0]
    assert checks.expand_edges([1, 2]) == [1.0, 2.0]


def test_every_key_of_the_schema_is_described(schema):
    def walk(node, path):
        for key, entry in node.get("properties", {}).items():
            target = schema["$defs"][entry["$ref"].split("/")[-1]] if "$ref" in entry else entry
            assert entry.get("description") or target.get("description"), f"{path}.{key}"
            walk(target, f"{path}.{key}")

    walk(schema, "")
    for name, entry in schema["$defs"].items():
        walk(entry, name)


def test_the_config_page_is_in_sync_with_the_schema(schema):
    import importlib.util

    spec = importlib.util.spec_from_file_location("make_config_page", ROOT / "docs/make_config_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs/config.md").read_text() == module.page(schema), "run `make docs`"


def test_numbers_that_come_as_text_are_numbers(base, schema):
    # Snakemake hands on `--config 'surveys={toy: {stars: 3000}}'` with '3000'
    overlay = {"surveys": {"standard": {"stars": "3000", "giant_fraction": "0.5"}}, "measure": {"map": {"nside": "8"}}}
    resolved = checks.resolve(checks.merge(base, overlay), schema)
    assert resolved["surveys"]["standard"]["stars"] == 3000 and resolved["surveys"]["standard"]["giant_fraction"] == 0.5
    assert resolved["measure"]["map"]["nside"] == 8
    assert faults(base, schema, "figures: {dpi: '2x'}") == ["figures.dpi: '2x' is not of type integer"]


def test_a_whole_float_is_an_integer_where_one_is_wanted(base, schema):
    resolved = checks.resolve(checks.merge(base, {"measure": {"map": {"nside": 32.0}}}), schema)
    assert repr(resolved["measure"]["map"]["nside"]) == "32"
    assert faults(base, schema, "measure: {map: {nside: 33.0}}") == ["measure.map.nside: 33 is not a power of two"]


def test_keys_that_are_no_text_are_named(base, schema):
    lines = faults(base, schema, "samples: {2024: {like: lamost_giants}, x: {yes: 1}}")
    assert [line.partition(": ")[0] for line in lines] == ["samples.2024", "samples.x.True"]


@pytest.mark.parametrize("name", ["..", ".", "a/b", "demo\n", "", "-x"])
def test_a_run_needs_a_name_that_makes_a_folder(base, schema, name):
    if name:  # an empty one counts as none
        with pytest.raises(checks.ConfigError, match="makes no folder"):
            checks.resolve(checks.merge(base, {"run": {"name": name}}), schema)
    with pytest.raises(checks.ConfigError, match="makes no folder"):
        checks.run_name({"run": {"name": None}}, ["{x}.yaml"], "config/config.yaml")


def test_a_run_is_named_by_its_key_or_its_last_config(tmp_path):
    own = tmp_path / "config.yaml"
    for files, name in (
        ([], "paper"),
        ([own], "paper"),
        (["a/config.yaml"], "config"),
        (["a.yaml", "b.c.yaml"], "b.c"),
    ):
        assert checks.run_name({"run": {"name": None}}, files, own) == name
    assert checks.run_name({"run": {"name": "mine"}}, ["a.yaml"], own) == "mine"


def test_text_that_may_be_auto_is_a_number_where_it_is_one(base, schema):
    measure = {"measure": {"map": {"nside": "16"}, "trends": {"join": "auto"}}}
    resolved = checks.resolve(checks.merge(base, measure), schema)
    assert (resolved["measure"]["map"]["nside"], resolved["measure"]["trends"]["join"]) == (16, "auto")


def test_a_sample_measures_as_all_do_but_for_what_it_says(base, schema):
    overlay = """
    measure: {map: {more_than: 20}, trends: {min_stars: 30}}
    samples:
      twin: {like: lamost_giants, title: Twin}
      other: {like: lamost_giants, title: Other, measure: {map: {nside: 8}, trends: {min_stars: 40}}}
    """
    samples = checks.resolve(checks.merge(base, yaml.safe_load(overlay)), schema)["samples"]
    maps = {
        name: (sample["measure"]["map"]["nside"], sample["measure"]["map"]["more_than"])
        for name, sample in samples.items()
    }
    assert maps == {"lamost_giants": (32, 20), "twin": (32, 20), "other": (8, 20)}
    assert [samples[name]["measure"]["trends"]["min_stars"] for name in ("twin", "other")] == [30, 40]
    wrong = faults(
        base,
        schema,
        "{measure: {map: {nside: 33, more: 1}}, samples: {lamost_giants: {measure: {map: {ordering: rng}}}}}",
    )
    assert sorted(wrong) == [
        "measure.map.more: not a known key; did you mean more_than?",
        "measure.map.nside: 33 is not a power of two",
        "samples.lamost_giants.measure.map.ordering: 'rng' is none of nested, ring; did you mean ring?",
    ]


@pytest.mark.parametrize("simulated", ["targets", "gaia", "distances"])
def test_one_simulated_table_makes_a_sample_simulated(base, schema, simulated):
    datasets = {name: {"file": f"{name}.csv"} for name in ("targets", "gaia", "distances")}
    datasets[simulated] = {"simulated": {"survey": "standard", "table": "targets"}}
    match = {"backend": "local", "gaia": {"dataset": "gaia"}, "distances": {"dataset": "distances"}}
    sample = {"like": "lamost_giants", "title": "My stars", "targets": {"dataset": "targets"}, "crossmatch": match}
    resolved = checks.resolve(checks.merge(base, {"datasets": datasets, "samples": {"mine": sample}}), schema)
    assert resolved["samples"]["mine"]["simulated"] is True
    assert resolved["samples"]["mine"]["title"] == "My stars (simulated)"
    assert resolved["samples"]["lamost_giants"]["simulated"] is False


def test_a_like_that_leads_nowhere_is_told_alone(base, schema):
    line = "samples.x.like: 'lamost' is not one of samples; did you mean lamost_giants?"
    assert faults(base, schema, "samples: {x: {like: lamost}}") == [line]
