"""Targets with identifiers of an unknown release, some of them wrong: the counterparts that positions would give."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from prepare_targets import prepare_targets
from probe_identifiers import probe_identifiers
from query_archive import query_archive
from tap.proxy import FaultyProxy
from tap.release import RELEASE
from tap.test_archive_crossmatch import ARCHIVE, CUTS, NEAR
from unit.shared import refused

from gaia_offsets.archive.adql import Crossmatch
from gaia_offsets.archive.candidates import merge_chunks, targets_to_ask
from gaia_offsets.archive.tap import Archive

pytestmark = pytest.mark.slow
PLACE = {"epoch": NEAR["epoch"], "radius_arcsec": NEAR["radius_arcsec"]}


@pytest.mark.parametrize(("kind", "step"), [("source_id", 0), ("dr2_source_id", 1)])
def test_identifiers_of_either_release(
    kind: str, step: int, proxy: FaultyProxy, sky: dict[str, pd.DataFrame], local: pd.DataFrame
) -> None:
    ids = local["source_id"] + step
    ids[3::20] = pd.array(np.resize([0, -9999], len(ids[3::20])), dtype="Int64")
    ids[5::20] = pd.NA
    ids[7::20] = np.roll(ids[7::20], 1)  # another star's
    ids[9::20] = 2**62 + 5  # nobody's
    targets = sky["targets"].assign(gaia_source_id=ids)
    prepared, _ = prepare_targets(targets, cuts=CUTS, by="identifier", radius_arcsec=NEAR["radius_arcsec"])
    archive = Archive.of(proxy.url, ARCHIVE | {"poll_s": 0.1})
    asked = targets_to_ask(prepared, by="identifier")
    found = probe_identifiers(asked, archive, release=RELEASE, **PLACE)
    assert found["by"] == kind and found["shares"][kind]["agree"] > 0.9
    other = {"source_id": "dr2_source_id", "dr2_source_id": "source_id"}[kind]
    assert found["shares"][other] == {"exist": 0.0, "agree": 0.0}
    match = Crossmatch(RELEASE, "identifier", **NEAR)
    parts = [query_archive(asked, archive, match, chunk=c, chunks=2, kind=kind) for c in range(2)]
    got = merge_chunks(prepared, parts)
    passed = got["preselected"].to_numpy()
    pd.testing.assert_series_equal(got["preselected"], by_position(sky)["preselected"])
    columns = [name for name in local.columns if name not in ("preselected", "match_neighbours")]
    pd.testing.assert_frame_equal(
        got.loc[passed, columns], local.loc[passed, columns], check_dtype=False, check_exact=True
    )
    # What was found by an identifier has its number of sources, else that within the radius.
    there = passed & local["source_id"].notna().to_numpy()
    assert got.loc[passed & ~there, "source_id"].isna().all() and (passed & ~there).sum() > 30
    good = there & (np.arange(len(ids)) % 20 % 2 == 0)
    # The second source of a DR2 identifier lies elsewhere on the sky here, and is none.
    assert set(got.loc[good, "match_neighbours"]) == {1}
    poor = there & np.isin(np.arange(len(ids)) % 20, [3, 5, 9])
    assert got.loc[poor, "match_neighbours"].tolist() == local.loc[poor, "match_neighbours"].tolist()
    assert (local.loc[poor, "match_neighbours"] > 1).sum() > 5


def by_position(sky: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return prepare_targets(sky["targets"], cuts=CUTS, by="position", radius_arcsec=NEAR["radius_arcsec"])[0]


def test_identifiers_that_are_none(proxy: FaultyProxy, sky: dict[str, pd.DataFrame]) -> None:
    wrong = sky["targets"].assign(gaia_source_id=pd.array(sky["targets"]["obsid"], dtype="Int64"))
    prepared, _ = prepare_targets(wrong, cuts=CUTS, by="identifier", radius_arcsec=NEAR["radius_arcsec"])
    asked = targets_to_ask(prepared, by="identifier")
    with refused("leads to no known release: of 2000 drawn, as source_id 0.0% exist, 0.0% agree, dr2_source_id"):
        probe_identifiers(asked, Archive.of(proxy.url, ARCHIVE | {"poll_s": 0.1}), release=RELEASE, **PLACE)
