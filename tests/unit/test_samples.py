"""What a sample has and what is made of it, as data: without Snakemake."""

from typing import Any

import pytest
import yaml
from unit.shared import ROOT

from gaia_offsets.core.yamlfile import merge
from gaia_offsets.engine.config.complete import resolve
from gaia_offsets.engine.config.read import choose_samples, load_yaml
from gaia_offsets.engine.products import alike
from gaia_offsets.engine.samples import Sample, dataset_facts, dataset_file, run_files, run_manifests, run_samples


def complete(*overlays: str, more: dict[str, Any] | None = None) -> dict[str, Any]:
    paths = [ROOT / "workflow/settings.yaml", ROOT / "config/config.yaml", *(ROOT / f"config/{o}" for o in overlays)]
    config = merge(load_yaml(*paths), more or {})
    choose_samples(config, paths[2:], paths[1])
    return resolve(config, load_yaml(ROOT / "workflow/schemas/config.schema.yaml"))


@pytest.fixture(scope="module")
def paper() -> Sample:
    return Sample(complete(), "lamost_giants")


@pytest.fixture(scope="module")
def toy() -> Sample:
    return Sample(complete("toy.yaml"), "simulated_giants")


def test_products_of_the_toy(toy: Sample) -> None:
    found = [path.removeprefix("<results>/simulated_giants/") for path in toy.products]
    assert len(found) == len(set(found)) == 86
    assert {path.split("/")[0] for path in found if "/" in path} == {"figures", "tables", "maps", "dataset"}
    pages = {f"{page}.html" for page in ("results", "explore", "corrections", "claims", "budget")}
    assert {path for path in found if "/" not in path} == {*pages, "README.md"}
    assert {"figures/fig3_red_clump.pdf", "dataset/galactic_smooth.moc.fits", "maps/equatorial_raw.fits"} <= {*found}
    assert not [path for path in found if "learned" in path or "nside" in path]


def test_products_that_a_sample_asks_for() -> None:
    more = {"publish_hats": True, "measure": {"smooth": {"more_nsides": [8]}}}
    config = complete("toy.yaml", more={"samples": {"simulated_giants": more}})
    with_more, without = (Sample(c, "simulated_giants").products for c in (config, complete("toy.yaml")))
    added = {*with_more} - {*without}
    files = ["hats", *(f"dataset/{f}_smooth_nside8.{k}" for f in ("equatorial", "galactic") for k in ("ecsv", "fits"))]
    files += ["dataset/equatorial_smooth_nside8.parquet", "dataset/galactic_smooth_nside8.parquet"]
    assert added == {f"<results>/simulated_giants/{file}" for file in files}


def test_real_stars_have_no_figures_of_the_paper_alone() -> None:
    config = complete("real_stars.yaml")
    samples = run_samples(config)
    assert [sample.name for sample in samples] == config["run"]["samples"]
    for sample in samples:
        assert not {"fig1_magnitudes", "fig3_red_clump", "learned"} & {*sample.figures}
        assert sample.pages == ("results", "explore", "corrections") and sample.claims is None
    assert list(alike(samples, lambda sample: sample.pages).values()) == [config["run"]["samples"]]


def test_what_the_paper_reads(paper: Sample) -> None:
    assert paper.matched == "<resources>/lamost_giants/crossmatch.archive.parquet"
    assert paper.targets == dataset_file(paper.config, paper.block["targets"]["dataset"])
    assert paper.groups == paper.learned == paper.identifiers == []
    assert list(paper.solutions) == ["5p", "6p"] and paper.standard == "5p"
    assert paper.release["epoch"] == paper.epoch == 2016.0 and "column" not in paper.coding
    assert {cut["column"] for cut in paper.catalogue_cuts} < {cut["column"] for cut in paper.block["cuts"]}
    assert "ruwe" not in {cut["column"] for cut in paper.catalogue_cuts}
    files = [f"{dataset_file(paper.config, name)}.manifest.json" for name in paper.raw_datasets]
    assert run_manifests(paper.config) == files and len(files) > 1 and paper.matched in run_files(paper.config)


def test_tables_of_a_cross_match_by_role(toy: Sample) -> None:
    assert list(toy.match_tables) == ["targets", "gaia", "tmass", "distances"]
    assert toy.match_tables["gaia"] == "<resources>/simulated/toy/gaia_source.parquet"
    assert toy.match_tables["targets"] == toy.targets == "<resources>/simulated/toy/targets.fits"
    assert toy.raw_datasets == [] and run_manifests(toy.config) == []
    assert toy.target_columns == toy.match_columns["targets"]


def test_what_is_ours_counts_by_content(toy: Sample) -> None:
    """No path of the workflow's folder stands in what rules compare."""
    config = complete("real_stars.yaml")
    entry = next(entry for entry in config["datasets"].values() if entry.get("shipped"))
    facts = [dataset_facts(entry), toy.claims, *(sample.corrections for sample in run_samples(config))]
    assert str(ROOT) not in yaml.safe_dump(facts) and len(facts[0]["content"]) == len(facts[1]["sha256"]) == 64
    blocks = [block for blocks in facts[2:] for block in blocks.values() if block["kind"] == "coefficients"]
    assert blocks and all(len(block["sha256"]) == 64 for block in blocks)
    assert "content" not in dataset_facts(entry | {"path": "mine.csv"})


def test_a_correction_is_told_by_the_paper_that_it_alone_cites():
    known = {"none": {}, "a": {"kind": "package", "citation": "X 2020, A&A 1"}, "b_1": {"citation": "Y 2021, ApJ 2"}}
    known |= {"b_2": known["b_1"], "c_d": {"experimental": "why"}}
    block = {"official": "a", "also": ["b_1", "b_2", "c_d"]}
    sample = Sample({"corrections": known, "samples": {"s": block}}, "s")
    assert [*sample.words.values()] == ["none", "X 2020", "b 1", "b 2", "c d (experimental)"]
    assert sample.correction == "X 2020" and sample.experimental == {"c d (experimental)": "why"}
