"""Every fault of a config is reported at once, on its own line, with its path and a suggestion."""

import pytest
import yaml
from measure_trends import expand_edges
from unit.shared import ROOT, refuses

from gaia_offsets.core.yamlfile import merge
from gaia_offsets.engine.config.complete import resolve
from gaia_offsets.engine.config.fault import ConfigError
from gaia_offsets.engine.config.read import load_yaml, run_name

MAIZ = "maiz_apellaniz2022"
ON_MAIZ = {"kind": "map", "dataset": "a.ecsv", "on_top_of": MAIZ}
BEFORE = {"kepler_learned.yaml": ["real_stars.yaml"]}  # overlays that an overlay comes after

OVERLAYS = sorted(path.name for path in (ROOT / "config").glob("*.yaml") if path.name != "config.yaml")
SCHEMA = load_yaml(ROOT / "workflow/schemas/config.schema.yaml")
BASE = merge(*(load_yaml(ROOT / path) for path in ("workflow/settings.yaml", "config/config.yaml")))


def resolved(*overlays):
    """The config with overlays (YAML texts or maps), checked."""
    config = BASE
    for overlay in overlays:
        config = merge(config, yaml.safe_load(overlay) if isinstance(overlay, str) else overlay)
    return resolve(config, SCHEMA)


def faults(overlay):
    with pytest.raises(ConfigError) as caught:
        resolved(overlay)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("name", OVERLAYS)
def test_shipped_overlays_are_sound(name):
    config = resolved(*((ROOT / "config" / overlay).read_text() for overlay in [*BEFORE.get(name, []), name]))
    assert set(config["run"]["samples"]) <= set(config["samples"])


@pytest.mark.parametrize(
    ("sample", "more", "fault"),
    [
        ({"also": [MAIZ]}, {}, "samples.s.also: maiz_apellaniz2022 corrects edr3 and dr3, not dr4"),
        ({"official": "x"}, {"x": {"kind": "package"}}, "samples.s.official: x corrects edr3 and dr3, not dr4"),
        ({"also": ["x"]}, {"x": ON_MAIZ}, f"samples.s.also: x stands on {MAIZ}, which corrects edr3 and dr3, not dr4"),
    ],
)
def test_recipes_of_edr3_are_refused_on_dr4(sample, more, fault):
    """Each also behind others; what fits is named, the release's own column."""
    inflate = {"inflate": "el_badry2021"}
    sample = {"like": "lamost_giants", "release": "dr4", "official": "dr4_official"} | inflate | sample
    catalogue = inflate | {"path": "a.csv", "sample": "s", "frame": "galactic", "base": "raw"}
    catalogue["correction"] = "lindegren2021"
    overlay = {"samples": {"s": sample}, "corrections": more, "catalogues": {"c": catalogue}}
    fits = ": take none or dr4_official"
    of_catalogue = f"catalogues.c.correction: lindegren2021 corrects edr3 and dr3, not dr4{fits}"
    found = faults(yaml.safe_dump(overlay))
    assert [line for line in found if "corrects" in line] == [fault + fits, of_catalogue]
    inflated = "inflate: the error factors are those of edr3 and dr3, not of dr4: leave it out, or null"
    assert [line for line in found if "factors" in line] == [f"samples.s.{inflated}", f"catalogues.c.{inflated}"]


def test_all_faults_come_at_once_and_inherited_ones_once():
    lines = faults("""
    run: {samples: [nobody]}
    measure: {map: {nside: 33, order: ring}, gaussian: {beta: 7}}
    samples: {x: {like: lamost_giants, reference: {kind: distanse}, cuts: [{column: rue, op: "<", value: 2}]}}
    """)
    found = [line.partition(": ")[0] for line in lines]
    for path in ("run.samples", "measure.map.nside", "measure.map.order", "measure.gaussian.beta"):
        assert found.count(path) == 1
    assert {"samples.x.reference.kind", "samples.x.cuts.0.column"} <= set(found)
    lines = faults("samples: {lamost_giants: {reference: {kind: constant}}, x: {like: lamost_giants}}")
    path = "samples.lamost_giants.reference.value_mas"
    assert [line.partition(": ")[0] for line in lines if "value_mas" in line] == [path]
    assert len(faults("samples: {x: {like: lamost}}")) == 1
    lines = faults("samples: {2024: {like: lamost_giants}, x: {yes: 1}}")  # keys that are no text
    assert [line.partition(": ")[0] for line in lines] == ["samples.2024", "samples.x.True"]


def test_every_key_of_the_schema_is_described():
    def walk(node, path):
        for key, entry in node.get("properties", {}).items():
            target = SCHEMA["$defs"][entry["$ref"].split("/")[-1]] if "$ref" in entry else entry
            assert entry.get("description") or target.get("description"), f"{path}.{key}"
            walk(target, f"{path}.{key}")

    for name, entry in ({"": SCHEMA} | SCHEMA["$defs"]).items():
        walk(entry, name)


def test_numbers_that_come_as_text_or_whole_floats_are_numbers():
    # Snakemake hands on `--config 'surveys={toy: {stars: 3000}}'` with '3000'
    text = "surveys: {standard: {stars: '3000', giant_fraction: '0.5'}}"
    config = resolved(text, "measure: {map: {nside: '16'}, trends: {join: auto}}")
    assert config["surveys"]["standard"]["stars"] == 3000 and config["surveys"]["standard"]["giant_fraction"] == 0.5
    assert (config["measure"]["map"]["nside"], config["measure"]["trends"]["join"]) == (16, "auto")
    assert repr(resolved("measure: {map: {nside: 32.0}}")["measure"]["map"]["nside"]) == "32"
    assert expand_edges({"start": 8.0, "stop": 9.0, "step": 0.25}) == [8.0, 8.25, 8.5, 8.75, 9.0]
    assert expand_edges([1, 2]) == [1.0, 2.0]


@pytest.mark.parametrize("name", ["..", ".", "a/b", "demo\n", "", "-x"])
def test_a_run_needs_a_name_that_makes_a_folder(name):
    if name:  # an empty one counts as none
        refuses("makes no folder", resolved, {"run": {"name": name}}, error=ConfigError)
    refuses("makes no folder", run_name, {"run": {"name": None}}, ["{x}.yaml"], "config/config.yaml", error=ConfigError)


def test_a_run_is_named_by_its_key_or_its_last_config(tmp_path):
    own = tmp_path / "config.yaml"
    named = {"paper": [], "config": ["a/config.yaml"], "b.c": ["a.yaml", "b.c.yaml"], "a": ["a.yaml", own]}
    assert {run_name({"run": {"name": None}}, files, own): files for files in named.values()} == named
    assert run_name({"run": {"name": None}}, [own], own) == "paper"
    assert run_name({"run": {"name": "mine"}}, ["a.yaml"], own) == "mine"


def test_a_sample_measures_as_all_do_but_for_what_it_says():
    samples = resolved("""
    measure: {map: {more_than: 20}, trends: {min_stars: 30}}
    samples:
      twin: {like: lamost_giants, title: Twin}
      other: {like: lamost_giants, title: Other, measure: {map: {nside: 8}, trends: {min_stars: 40}}}
    """)["samples"]
    maps = {name: sample["measure"]["map"] for name, sample in samples.items()}
    found = {name: (grid["nside"], grid["more_than"]) for name, grid in maps.items()}
    assert found == {"lamost_giants": (32, 20), "twin": (32, 20), "other": (8, 20)}
    assert [samples[name]["measure"]["trends"]["min_stars"] for name in ("twin", "other")] == [30, 40]
    of_all, own = "measure: {map: {nside: 33}}", "samples: {lamost_giants: {measure: {map: {ordering: rng}}}}"
    sample = "samples: {x: {like: lamost_giants, title: X, cuts: [], crossmatch: {radius_arcsec: 1}}}"
    sample = resolved(sample)["samples"]["x"]  # maps are merged, lists replaced
    assert sample["title"] == "X" and sample["cuts"] == [] and "like" not in sample
    assert sample["crossmatch"]["radius_arcsec"] == 1 and sample["crossmatch"]["epoch"] == 2000.0
    wrong = sorted(line.partition(": ")[0] for line in faults(f"{{{of_all}, {own}}}"))
    assert wrong == ["measure.map.nside", "samples.lamost_giants.measure.map.ordering"]


@pytest.mark.parametrize("simulated", ["targets", "gaia", "distances"])
def test_one_simulated_table_makes_a_sample_simulated(simulated):
    datasets = {name: {"file": f"{name}.csv"} for name in ("targets", "gaia", "distances")}
    datasets[simulated] = {"simulated": {"survey": "standard", "table": "targets"}}
    match = {"backend": "local", "gaia": {"dataset": "gaia"}, "distances": {"dataset": "distances"}}
    sample = {"like": "lamost_giants", "title": "My stars", "targets": {"dataset": "targets"}, "crossmatch": match}
    samples = resolved({"datasets": datasets, "samples": {"mine": sample}})["samples"]
    assert samples["mine"]["simulated"] is True and samples["mine"]["title"] == "My stars (simulated)"
    assert samples["lamost_giants"]["simulated"] is False
