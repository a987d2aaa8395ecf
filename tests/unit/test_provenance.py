"""What a run tells of itself: settings without paths of a machine, citations of all it rests on, none lost."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from unit.shared import ROOT, refuses
from unit.test_samples import complete

from gaia_offsets.archive.rawfile import DownloadError
from gaia_offsets.engine.about import describe, run_settings
from gaia_offsets.report import provenance as tell

KNOWN = yaml.safe_load((ROOT / "workflow/resources/citations.yaml").read_text(encoding="utf-8"))
BIBLIOGRAPHY = tell.read_bibliography(ROOT / "workflow/resources/references.bib")
CONFIGS = {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ROOT / "config").glob("*.yaml")}
CONFIGS = {name: config for name, config in CONFIGS.items() if isinstance(config, dict)}


def settings_of(*overlays: str | dict[str, Any]) -> dict[str, Any]:
    names = [overlay for overlay in overlays if isinstance(overlay, str)]
    config = complete(*names, more=next((overlay for overlay in overlays if isinstance(overlay, dict)), None))
    settings = run_settings(config, config["run"]["samples"])
    assert settings["digests"] == {name: describe(config, name)["config_digest"] for name in config["run"]["samples"]}
    return settings


def of_mine(**dataset: str) -> dict[str, Any]:
    """An overlay with a sample of one dataset of the user's own."""
    sample = {"title": "Mine", "targets": {"dataset": "mine"}, "reference": {"kind": "distance"}}
    return {"run": {"samples": ["mine"]}, "datasets": {"mine": dataset}, "samples": {"mine": sample}}


DEMO = settings_of("real_stars.yaml")


# ---------------------------------------------------------------- settings and inputs


def test_settings_hold_what_the_samples_rest_on_and_no_path() -> None:
    settings = settings_of(of_mine(path="/a/folder/of/mine.csv", file="mine.csv"))
    assert "/a/folder" not in json.dumps(settings) and settings["datasets"]["mine"]["file"] == "mine.csv"
    assert set(settings["samples"]) == {"mine"} and settings["samples"]["mine"]["measure"]["gaussian"]
    assert set(settings["corrections"]) == {"lindegren2021"} and "archive" not in settings
    paper = settings_of()
    assert set(paper["datasets"]) == {"lamost_dr8_vac", "red_clump_catalogue"} and paper["archive"]["url"]
    assert set(settings_of("toy.yaml")["surveys"]) == {"toy"}


def test_a_manifest_without_date_and_path_and_digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # of FIPS 180-2
    assert tell.digests(["a.csv", tmp_path / "a.csv"]) == {"a.csv": known}  # by path below the run
    path = tmp_path / "a.csv.manifest.json"
    record = {"dataset": "a", "file": "a.csv", "bytes": 3, "sha256": "0" * 64, "rows": None, "path": "/mine/a.csv"}
    path.write_text(json.dumps({**record, "retrieved": "2026-11-27T00:00:00Z", "licence": "CC0"}))
    assert tell.manifest(path) == {"dataset": "a", "file": "a.csv", "bytes": 3, "sha256": "0" * 64, "licence": "CC0"}
    path.write_text('{"dataset": "a"')
    refuses(r"a\.csv\.manifest\.json: damaged; delete it", tell.manifest, path, error=DownloadError)


# ---------------------------------------------------------------- citations


def references(settings: dict[str, Any]) -> list[dict[str, Any]]:
    return tell.references(tell.cited(settings, KNOWN), BIBLIOGRAPHY)


def test_what_the_bibliography_does_not_know_is_a_note() -> None:
    rows = [("LAMOST & 50 % of it", "dataset mine", None), ("LAMOST & 50 % of it", "dataset other", "10.1/x_y")]
    [entry] = tell.references([*rows, rows[0]], BIBLIOGRAPHY)
    note = "@misc{dataset_mine,\n  note = {LAMOST \\& 50 \\% of it},\n  doi = {10.1/x_y},\n}"
    assert entry["bibtex"] == note and entry["key"] == "dataset_mine"
    assert entry["why"] == ["dataset mine", "dataset other"] and entry["doi"] == "10.1/x_y"


def test_the_demo_cites_all_that_it_rests_on() -> None:
    found = {entry["citation"]: entry for entry in references(DEMO)}
    for citation, why in (
        ("Wang, Yuan & Huang 2022, AJ 163, 149", ["the method"]),
        ("Gaia Collaboration, Brown et al. 2021, A&A 649, A1", ["Gaia EDR3"]),
        ("Lindegren et al. 2021b, A&A 649, A4", ["correction lindegren2021"]),
        ("Maiz Apellaniz 2022, A&A 657, A130", ["correction maiz_apellaniz2022"]),
        ("Miglio et al. 2021, A&A 645, A85", ["dataset kepler_giants"]),
        ("Sharma et al. 2016, ApJ 822, 15", ["sample kepler_giants_sharma2016"]),
        ("Flynn et al. 2022, MNRAS 509, 4276", ["dataset globular_cluster_members"]),
    ):
        assert found[citation]["why"] == why
    assert found["Lindegren et al. 2021b, A&A 649, A4"]["doi"] == "10.1051/0004-6361/202039653"
    text = tell.bibtex(references(DEMO))  # balanced
    assert text.count("{") == text.count("}") and not re.search(r"(?<!\\)[&%#]", text)
    assert len(re.findall(r"^@(article|misc)\{(\w+),$", text, re.MULTILINE)) == text.count("@")
    texts = tell.acknowledged(DEMO, KNOWN)
    assert [text.partition(" ")[0] for text in texts] == ["This", "This"]
    assert "mission Gaia" in texts[0] and "Two Micron All Sky Survey" in texts[1]


def test_the_paper_thanks_lamost_and_cites_distances_and_2mass() -> None:
    texts, cites = tell.acknowledged(settings_of(), KNOWN), {row[0] for row in tell.cited(settings_of(), KNOWN)}
    assert any("LAMOST" in text for text in texts) and any("Two Micron" in text for text in texts)
    assert {"Bailer-Jones et al. 2021, AJ 161, 147", "Skrutskie et al. 2006, AJ 131, 1163"} <= cites
    toy = settings_of("toy.yaml")  # simulated stars owe nothing to a survey
    assert tell.acknowledged(toy, KNOWN) == []
    assert {what for _, what, _ in tell.cited(toy, KNOWN)} == {"the method", "correction lindegren2021", "software"}
    asked = tell.acknowledged(settings_of("lamost_k_giants.yaml"), KNOWN)
    assert any("VizieR" in text for text in asked) and not any("VizieR" in text for text in texts)


def test_a_dataset_without_citation_is_told() -> None:
    mine = of_mine(path="mine.csv")
    assert [what for citation, what, _ in tell.cited(settings_of(mine), KNOWN) if not citation] == ["dataset mine"]
    mine["datasets"]["mine"] |= {"citation": "Surname\n  2024, A&A 680, A105", "doi": "10.1000/1"}
    assert ("Surname 2024, A&A 680, A105", "dataset mine", "10.1000/1") in tell.cited(settings_of(mine), KNOWN)


def test_what_the_file_of_citations_names_exists() -> None:
    configs = [config for config in CONFIGS.values() if config is not KNOWN]
    names = {name for config in configs for part in ("datasets", "samples") for name in config.get(part) or {}}
    assert set(KNOWN["names"]) <= names and set(KNOWN["releases"]) == set(CONFIGS["config.yaml"]["releases"])
    entries = [entry for part in ("releases", "crossmatch", "services", "names") for entry in KNOWN[part].values()]
    assert {text for entry in entries for text in entry.get("acknowledge", ())} == set(KNOWN["acknowledgements"])
    cited = {*KNOWN["method"], *KNOWN["software"], *(text for entry in entries for text in entry.get("cite", ()))}
    parts = [config.get(part) or {} for config in configs for part in ("datasets", "corrections")]
    blocks = [entry for part in parts for entry in part.values()]
    cited |= {entry["citation"] for entry in blocks if entry and entry.get("citation")}
    assert set(BIBLIOGRAPHY) == {" ".join(citation.split()) for citation in cited}
    keys = [re.match(r"@(article|misc){([a-z0-9_]+),\n", entry)[2] for entry in BIBLIOGRAPHY.values()]
    assert len(set(keys)) == len(keys)
    for citation, entry in BIBLIOGRAPHY.items():  # a slip of the hand: another year or page than that of the citation
        values = re.findall(r"^  (?:year|journal|volume|pages|note) = {(.+)},$", entry, re.MULTILINE)
        assert values and all(value.replace("\\", "") in citation for value in values)
