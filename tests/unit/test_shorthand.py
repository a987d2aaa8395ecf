"""What a config says in short, written out."""

from unit.shared import ROOT

from gaia_offsets.engine.config.read import choose_samples, load_yaml
from gaia_offsets.engine.config.shorthand import write_out

OWN = ROOT / "config/config.yaml"


def written(**sections):
    config = {"datasets": {}, "surveys": {"toy": {}}, **sections}
    return config, list(write_out(config))


def test_a_survey_is_its_tables_and_their_match():
    config, faults = written(samples={"s": {"survey": "toy", "crossmatch": {"epoch": 2000.0}, "title": "Mine"}})
    local = {name: {"dataset": f"toy_{name}"} for name in ("gaia", "tmass", "distances")}
    expected = {"targets": {"dataset": "toy_targets"}, "red_clump": {"dataset": "toy_red_clump"}, "title": "Mine"}
    expected["crossmatch"] = {"backend": "local", "epoch": 2000.0, **local}
    assert not faults and config["samples"]["s"] == expected
    assert config["datasets"]["toy_gaia"] == {"simulated": {"survey": "toy", "table": "gaia_source"}}
    assert len(config["datasets"]) == 5


def test_a_path_of_targets_is_a_dataset_of_the_samples_name():
    config, faults = written(samples={"s": {"targets": {"path": "a.csv", "columns": {"snr": "x"}}}})
    assert not faults and config["datasets"] == {"s": {"path": "a.csv"}}
    assert config["samples"]["s"]["targets"] == {"dataset": "s", "columns": {"snr": "x"}}


def test_a_list_of_cuts_stands_in_the_place_of_its_name_and_may_hold_lists_above_it():
    one, two, three = ({"column": name, "op": "not_null"} for name in ("a", "b", "c"))
    lists = {"first": [one], "both": ["first", two]}
    learn = {"learn": {"cuts": ["first"]}}
    config, faults = written(cut_lists=lists, samples={"s": {"cuts": [three, "both"], "reference": learn}})
    sample = config["samples"]["s"]
    assert not faults and sample["cuts"] == [three, one, two] and sample["reference"]["learn"]["cuts"] == [one]
    assert sample["cuts"][1] is not config["cut_lists"]["first"][0]  # a class that is named in one changes no other


def test_the_samples_of_a_run_are_those_of_the_last_file_that_has_some(tmp_path):
    files = [tmp_path / f"{name}.yaml" for name in "abc"]
    files[0].write_text("samples: {x: {}, y: {}}")
    files[1].write_text("figures: {dpi: 100}")
    files[2].write_text("run: {samples: [y]}")

    def chosen(samples, *names):
        config = {"run": {"samples": samples}}
        choose_samples(config, [OWN, *names], OWN)
        return config["run"]["samples"]

    own = load_yaml(OWN)["run"]["samples"]
    assert chosen(own) == own and chosen(own, files[1]) == own and chosen(own, *files[:2]) == ["x", "y"]
    assert chosen(["y"], *files) == ["y"]  # named in a file
    assert chosen(["x"], *files[:2]) == ["x"]  # named by --config
