"""Identifiers of an unknown release: the draw, the shares, the choice, and who is asked for by position after all."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from prepare_targets import prepare_targets
from probe_identifiers import DRAWN, draw, probe_identifiers
from query_archive import query_archive
from tap.release import DR4, RELEASE
from unit.shared import refused, refuses

from gaia_offsets.archive.adql import Crossmatch, needed_columns
from gaia_offsets.archive.candidates import (
    PROVIDED,
    choose_counterparts,
    identified,
    merge_chunks,
    possible_kinds,
    preselect,
    targets_to_ask,
)
from gaia_offsets.sky.match import match_nearest

ARCSEC = 1 / 3600
NEAR = {"epoch": 2016.0, "radius_arcsec": 3.0}
STARS = 3000


class Pretended:
    """Answers like the archive, from arrays: every source has a DR2 identifier one below its own, every tenth none."""

    def __init__(self, source_id: np.ndarray, ra: np.ndarray, dec: np.ndarray) -> None:
        self.sources = pd.DataFrame({"source_id": pd.array(source_id, dtype="Int64"), "ra": ra, "dec": dec})
        self.asked: list[tuple[str, int]] = []
        self.url = "http://archive"

    def look_up(self, query: str, *, what: str) -> pd.DataFrame:
        assert "TAP_SCHEMA.columns" in query and what
        names = [(table, column) for table, columns in needed_columns(RELEASE).items() for column in columns]
        return pd.DataFrame(names, columns=["table_name", "column_name"])

    def ask(self, query: str, targets: dict[str, np.ndarray], *, what: str) -> pd.DataFrame:
        assert what
        sources = self.sources.assign(pmra=0.0, pmdec=0.0, angular_distance_1=1.0, magnitude_difference_1=0.0)
        frame = pd.DataFrame(targets)
        if "CONTAINS" in query:
            self.asked.append(("position", len(frame)))
            index, _, _ = match_nearest(frame["ra"], frame["dec"], self.sources["ra"], self.sources["dec"], 3.0)
            found = sources.reindex(np.where(index < 0, len(sources), index)).reset_index(drop=True)
        else:
            second = "n.dr2_source_id = t.source_id" in query
            self.asked.append(("dr2_source_id" if second else "source_id", len(frame)))
            known = sources["source_id"] - 1 if second else sources["source_id"]
            known = known.mask(np.arange(len(known)) % 10 == 0) if second else known
            known = known.to_numpy(dtype="int64", na_value=-1) - np.where(known.isna(), np.arange(len(known)), 0)
            place = pd.Index(known).get_indexer(frame["source_id"])
            found = sources.reindex(np.where(place < 0, len(sources), place)).reset_index(drop=True)
        answer = pd.concat([frame[["target_id"]], found], axis=1)
        return answer.reindex(columns=list(dict.fromkeys([*answer.columns, *PROVIDED])))


@pytest.fixture
def sky() -> tuple[Pretended, pd.DataFrame]:
    """An archive and targets on its sources, with their identifiers."""
    rng = np.random.default_rng(2)
    ids = np.sort(rng.choice(2**40, STARS, replace=False)) * 2**22 + 11
    ra, dec = rng.uniform(0, 360, STARS), rng.uniform(-60, 60, STARS)
    targets = pd.DataFrame({"target_ra": ra, "target_dec": dec + ARCSEC})
    targets = targets.assign(gaia_source_id=pd.array(ids, dtype="Int64"))
    return Pretended(ids, ra, dec), targets.assign(snr=np.where(np.arange(STARS) % 3 == 0, 20.0, 80.0))


CUT = [{"column": "snr", "op": ">=", "value": 50}]


def prepared(targets: pd.DataFrame) -> pd.DataFrame:
    return targets_to_ask(prepare_targets(targets, cuts=CUT, by="identifier", radius_arcsec=3.0)[0], by="identifier")


def probe(sky: tuple[Pretended, pd.DataFrame], release: dict[str, Any] = RELEASE) -> dict[str, Any]:
    return probe_identifiers(prepared(sky[1]), sky[0], release=release, **NEAR)


def test_the_release_is_found_by_the_share_that_agrees(sky: Any, capsys: pytest.CaptureFixture[str]) -> None:
    found = probe(sky)
    assert found["by"] == "source_id" and found["drawn"] == 2000  # all that pass the cut
    assert found["shares"] == {"source_id": {"exist": 1, "agree": 1}, "dr2_source_id": {"exist": 0, "agree": 0}}
    assert {number for _, number in sky[0].asked} == {2000}
    sky[1]["gaia_source_id"] -= 1
    found = probe(sky)
    assert found["by"] == "dr2_source_id" and found["shares"]["source_id"]["exist"] == 0
    assert found["shares"]["dr2_source_id"]["agree"] == pytest.approx(0.9, abs=0.02)
    said = capsys.readouterr().err
    assert "as source_id 0.0% exist, 0.0% agree, dr2_source_id 9" in said and "taken as dr2_source_id" in said


def test_identifiers_that_lie_elsewhere_are_not_believed_and_lost_digits_are_named(sky: Any) -> None:
    ids = sky[1]["gaia_source_id"].to_numpy()
    sky[1]["gaia_source_id"] = pd.array(np.random.default_rng(1).permutation(ids), dtype="Int64")
    with refused(
        "gaia_source_id leads to no known release: of 2000 drawn, as source_id 100.0% exist, 0.[01]% agree, "
        "dr2_source_id 0.0% exist, 0.0% agree within 3 arcsec, 50% are needed; look at .*crossmatch.by: position"
    ):
        probe(sky)
    sky[1]["gaia_source_id"] = pd.array(ids.astype(float).astype("int64"), dtype="Int64")
    refuses(r"gaia_source_id \(all are multiples of 256, as after a passage through float64\) leads to no", probe, sky)


def test_targets_without_any_identifier(sky: Any) -> None:
    for none in (0, -9999, pd.NA):
        sky[1]["gaia_source_id"] = pd.array([none] * STARS, dtype="Int64")
        refuses("no gaia_source_id above 0 among the 2000 to ask for; look at .* crossmatch.by: position", probe, sky)
    with refused("no column 'gaia_source_id', which crossmatch.by: identifier needs"):
        prepared(sky[1].drop(columns="gaia_source_id"))


def test_the_draw_is_the_same_each_time_and_holds_no_star_twice(sky: Any) -> None:
    targets = pd.concat([sky[1]] * 4, ignore_index=True)
    targets.loc[::7, "gaia_source_id"] = -9999
    whole = prepared(targets)
    first = draw(whole)
    assert len(first) == DRAWN and first["gaia_source_id"].is_unique and (first["gaia_source_id"] > 0).all()
    pd.testing.assert_frame_equal(first, draw(whole))
    few = prepared(targets.head(300))
    assert len(draw(few)) == int((few["gaia_source_id"] > 0).sum()) > 100


def test_what_a_release_has_tables_for_and_identified_keeps_every_digit() -> None:
    assert possible_kinds(RELEASE) == ["source_id", "dr2_source_id"]
    assert possible_kinds(RELEASE | {"dr2_neighbourhood": None}) == ["source_id"]
    assert possible_kinds(DR4) == ["source_id", "dr2_source_id", "dr3_source_id"]
    targets = pd.DataFrame({"gaia_source_id": pd.array([2**62 + 1, 0, -9999, None], dtype="Int64")})
    assert identified(targets, "dr2_source_id")["gaia_dr2_source_id"].tolist() == [2**62 + 1]


@pytest.mark.parametrize("chunks", [1, 5])
@pytest.mark.parametrize(("kind", "step"), [("source_id", 0), ("dr2_source_id", 1)])
def test_who_has_no_good_identifier_is_asked_for_by_position(kind, step, chunks, sky: Any, capsys: Any) -> None:
    archive, targets = sky
    right = targets["gaia_source_id"].copy()
    ids = right - step
    ids[5::10] = pd.array([0, -9999, None] * 100, dtype="Int64")
    ids[7::10] = np.roll(right[7::10], 1) - step  # another star's
    ids[8::10] = 2**62 + 2**61 + np.arange(300)  # nobody's
    targets["gaia_source_id"] = ids
    targets.loc[9::10, "target_dec"] += 1.0  # where there is nothing
    whole = targets.assign(target_id=np.arange(len(targets)), preselected=True)
    asked = targets_to_ask(whole, by="identifier")
    match = Crossmatch(RELEASE, "identifier", margin_arcsec=30.0, **NEAR)
    parts = [query_archive(asked, archive, match, chunk=c, chunks=chunks, kind=kind) for c in range(chunks)]
    got = merge_chunks(whole, parts)
    lost = np.arange(STARS) % 10 == 9
    assert got.loc[~lost, "source_id"].tolist() == right[~lost].tolist() and got.loc[lost, "source_id"].isna().all()
    assert got["gaia_source_id"].tolist() == ids.tolist()  # the targets' own column stays
    assert got.loc[~lost, "match_separation"].to_numpy() == pytest.approx(1.0, abs=1e-3)
    if chunks == 1:
        by_id = 1500 if step else 1800  # every tenth source, and no other, has no DR2 identifier
        assert archive.asked == [(kind, 2700), ("position", STARS - by_id)]
        said = [line for line in capsys.readouterr().err.splitlines() if "targets;" in line]
        assert said == [
            f"chunk 1 of 1: 3000 targets; {by_id} found by {kind}, {2700 - by_id} by position (of 300 without an "
            f"identifier and {2700 - by_id} whose identifier leads to no source within 3 arcsec), 300 not found"
        ]


def test_of_several_sources_of_an_old_identifier_the_best_that_agrees_is_taken() -> None:
    rows = [
        {"source_id": 5, "ra": 10.0, "magnitude_difference_1": 0.9, "angular_distance_1": 1.0},
        {"source_id": 6, "ra": 10.0 + ARCSEC, "magnitude_difference_1": -0.1, "angular_distance_1": 200.0},
        {"source_id": 7, "ra": 10.0 + 9 * ARCSEC, "magnitude_difference_1": 0.0, "angular_distance_1": 0.0},
    ]
    found = pd.DataFrame([{"target_id": 4, "dec": 0.0, "pmra": np.nan, "pmdec": np.nan} | row for row in rows])
    found = found.reindex(columns=list(dict.fromkeys([*found.columns, *PROVIDED]))).astype({"source_id": "Int64"})
    targets = pd.DataFrame({"target_id": [4], "target_ra": [10.0], "target_dec": [0.0]})
    match = Crossmatch(RELEASE, "dr2_source_id", **NEAR)
    [row] = choose_counterparts(found, targets, replace(match, agree=True)).to_dict("records")
    assert row["source_id"] == 6 and row["match_neighbours"] == 2 and row["match_separation"] == pytest.approx(1.0)
    [row] = choose_counterparts(found, targets, match).to_dict("records")
    assert row["source_id"] == 7 and row["match_separation"] == 0.0 and row["match_neighbours"] == 3


def test_spectra_of_a_star_are_kept_together_with_and_without_an_identifier() -> None:
    ids = pd.array([7, None, 7, 7], dtype="Int64")
    places = {"target_ra": [10.0, 10.0 + 5 * ARCSEC, 10.0, 50.0], "target_dec": np.zeros(4)}
    targets = pd.DataFrame({**places, "gaia_source_id": ids, "snr": [80.0, 20, 20, 20]})
    # The last one's identifier cannot be believed: both would have to lie within the radius of one source.
    passed, lines = preselect(targets, CUT, by="identifier", radius_arcsec=3.0)
    assert passed.tolist() == [True, True, True, False] and lines[0] == "4 targets, 4 with target_ra and target_dec"
