"""The parts of the archive room that need no server: queries, preselection, chunks, choice, merging, documents."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tap.release import DR4, RELEASE
from unit.shared import refuses

from gaia_offsets.archive import adql
from gaia_offsets.archive import candidates as archive
from gaia_offsets.archive.adql import Crossmatch
from gaia_offsets.archive.candidates import (
    PROVIDED,
    choose_counterparts,
    merge_chunks,
    nearest_in_bridge,
    preselect,
    targets_to_ask,
)
from gaia_offsets.archive.http import Passing, Patience
from gaia_offsets.archive.names import schema_query
from gaia_offsets.archive.tap import Archive, Overflow, check_accounted, read_result, upload_document
from gaia_offsets.sky.positions import pixel_index

ARCSEC = 1 / 3600
CUTS = [{"column": "snr", "op": ">=", "value": 50}, {"column": "logg", "op": "<=", "value": 3.8}]


def candidates(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows as the archive gives them, null where nothing is said."""
    frame = pd.DataFrame(rows).reindex(columns=["target_id", "angular_distance", *PROVIDED])
    return frame.astype({"target_id": "int64", "source_id": "Int64"})


def ask(release: dict[str, Any], by: str, **near: float) -> str:
    return adql.crossmatch_query(Crossmatch(release, by, **near))


# --- queries ---------------------------------------------------------------------------------------------------------


def test_names_are_quoted_where_they_must_be() -> None:
    for stays in ("gaiaedr3.gaia_source", '"external".gaiaedr3_distance', "TAP_SCHEMA.columns"):
        assert adql.quoted_table(stays) == stays
    for column in ("ra", "b_rgeo", '"date"'):
        assert adql.quoted(column) == column
    for name in ("I/350/gaiaedr3", "J/A+A/649/A1.dat", "BP-RP", "e_[Fe/H]"):
        assert adql.quoted_table(name) == adql.quoted(name) == f'"{name}"'
    for column in ("B_rgeo", "Sp.Type", "sp.type"):
        assert adql.quoted(column) == f'"{column}"'
    assert adql.quoted('a" FROM b') == adql.quoted_table('a" FROM b') == '"a"" FROM b"'


def test_an_independent_parser_reads_the_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    from queryparser.adql import ADQLQueryTranslator

    monkeypatch.setattr(adql, "FIELDS", 4)  # the parser takes seconds for all of them
    vizier = {"gaia_source": "I/350/gaiaedr3", "columns": {"bp_rp": "BP-RP", "source_id": "Source"}}
    near = {"radius_arcsec": 3.0, "epoch": 2000.0, "margin_arcsec": 60.0}
    dr4 = DR4 | {"bridged": DR4["bridged"] | {"distances": RELEASE["distances"]}}
    queries = [
        ask(RELEASE | vizier, "position", **near),
        ask(RELEASE, "dr2_source_id"),
        adql.count_query(ask(RELEASE, "source_id")),
        ask(dr4, "dr2_source_id"),
        ask(dr4 | {"astrometry": "all_source_astrometry"}, "position", **near),
        adql.sample_query(dr4, ["astrometric_params_solved", "phot_g_mean_mag"], 9),
        adql.sample_query(dr4 | {"astrometry": "all_source_astrometry"}, ["ruwe", "phot_g_mean_mag"], 1),
        schema_query(adql.needed_columns(RELEASE, "position")),
    ]
    for query in queries:
        assert ADQLQueryTranslator(query).to_postgresql()
    assert 'g."BP-RP" AS bp_rp' in queries[0] and 'b."Source" = g."Source"' in queries[0]


def test_the_draft_of_dr4() -> None:
    query = ask(DR4, "dr2_source_id")
    assert "g.astrometric_params AS astrometric_params_solved" in query
    assert "g.tentative_parallax_bias AS tentative_parallax_bias" in query
    assert "h ON h.dr3_source_id = n.dr3_source_id\n" in query and "g ON g.source_id = h.source_id" in query
    assert "h.magnitude_difference AS magnitude_difference_2" in query
    one = ask(DR4, "dr3_source_id")
    assert "h ON h.dr3_source_id = t.source_id\n" in one and "dr2_neighbourhood" not in one
    single = DR4 | {"astrometry": "all_source_astrometry"}
    query = ask(single, "source_id")
    for piece in ("a.parallax AS parallax", "a.tentative_parallax_bias AS", "g.ra AS ra", "g.pmra AS pmra"):
        assert piece in query
    assert "AS a ON a.source_id = g.source_id AND a.quality_flag = 0" in query
    needed = adql.needed_columns(single, "source_id")
    assert "parallax" not in needed["gaiadr4.gaia_source"] and "ra" in needed["gaiadr4.gaia_source"]
    assert {"parallax", "quality_flag", "tentative_parallax_bias"} <= set(needed["gaiadr4.all_source_astrometry"])
    # check-release looks at every table that the block names, and at those of its bridge.
    own = {table for key, table in DR4.items() if isinstance(table, str) and "." in table}
    earlier = {table for key, table in DR4["bridged"].items() if key != "columns"}
    assert set(adql.needed_columns(DR4)) == own | earlier and (len(own), len(earlier)) == (4, 5)


@pytest.mark.parametrize("by", ["position", "source_id", "dr3_source_id", "dr2_source_id"])
def test_2mass_and_distances_of_an_earlier_release(by: str) -> None:
    """DR4's neighbourhood gives the identifier by which DR3's tables are joined; by DR3's own it is there already."""
    query = ask(DR4 | {"columns": {"source_id": "id"}}, by)
    assert query.count("gaiadr4.dr3_neighbourhood") == 1
    assert "b ON b.source_id = h.dr3_source_id\n" in query and "d ON d.source_id = h.dr3_source_id" in query
    assert "m ON m.designation = j.original_psc_source_id\n" in query and "m.ks_m AS ks_m" in query
    bridged = by in ("position", "source_id")
    assert ("h ON h.id = g.id\n" in query) == bridged == ("h.probable_match AS probable_match_bridge" in query)
    assert "probable_match_1" not in query or by == "dr3_source_id"  # DR2's neighbourhood has no such column
    needed = adql.needed_columns(DR4, by)
    assert "probable_match" in needed["gaiadr4.dr3_neighbourhood"] and "gaiadr3.agn_cross_id" not in needed
    without = DR4 | {"columns": {"probable_match": None}}
    assert "probable_match" not in ask(without, by) and "probable_match" not in str(adql.needed_columns(without, by))
    own = ask(DR4 | {"distances": "gaiadr4.distances"}, by)
    assert "d ON d.source_id = g.source_id" in own and "b ON b.source_id = h.dr3_source_id" in own


def test_what_a_release_lacks_and_what_its_own_epoch_does_without() -> None:
    query = ask(RELEASE, "position", radius_arcsec=3.6, epoch=2016.0, margin_arcsec=60.0)
    assert "t.dec, 0.001000000))" in query and "pmra IS NULL" not in query
    bare = RELEASE | {"tmass": None, "distances": None}
    query = ask(bare, "source_id")
    assert "ks_m" not in query and "r_med_geo" not in query and "2mass" not in query
    assert list(adql.needed_columns(bare, "source_id")) == ["gaiaedr3.gaia_source"]
    alone = {"epoch": 2016.0, "gaia_source": "gaiadr4.gaia_source"}
    refuses("no table dr2_neighbourhood", ask, alone, "dr2_source_id", error=ValueError)
    refuses("no table dr3_neighbourhood", ask, RELEASE, "dr3_source_id", error=ValueError)


def test_nothing_but_written_adql_stands_in_the_query() -> None:
    """Names of the config come quoted, and what nobody wrote as ADQL is refused."""
    evil = 'x" FROM secrets; --'
    query = ask(RELEASE | {"gaia_source": evil, "columns": {"ra": evil}, "more_columns": ["b c"]}, "position")
    assert query.count("secrets") == query.count('"x"" FROM secrets; --"') > 2 and 'g."b c" AS "b c"' in query
    cut = {"column": "ruwe", "op": "==", "value": "a' OR 'a"}
    single = DR4 | {"astrometry": "all_source_astrometry", "astrometry_cuts": [cut]}
    assert " AND a.ruwe = 'a'' OR ''a'\n" in ask(single, "source_id")
    bare = adql._template().environment.from_string("{{ name }}")
    refuses("'x' was not written as ADQL", bare.render, name="x", error=adql.QueryError)


# --- preselection ----------------------------------------------------------------------------------------------------


def test_a_poor_spectrum_of_a_star_that_passes_is_kept() -> None:
    targets = pd.DataFrame({"target_ra": [10.0, 10 + 5 * ARCSEC, 10 + 30 * ARCSEC, 359.9999, 0.0001, np.nan, 50.0]})
    targets = targets.assign(target_dec=0.0, snr=[80.0, 20, 20, 80, 20, 80, 80], logg=[2.0, 2, 2, 2, 4.5, 2, np.nan])
    # 5 arcsec is within twice the radius, 30 is not; 0.72 arcsec lie across RA 0; no position; unknown logg.
    passed, lines = preselect(targets, CUTS, by="position", radius_arcsec=3.0)
    assert passed.tolist() == [True, True, False, True, True, False, False]
    assert lines[0] == "7 targets, 6 with target_ra and target_dec"
    assert lines[-1] == "2 more belong to stars that pass with another spectrum; 4 to ask for"
    ids = pd.array([7, 7, 8, None], dtype="Int64")
    targets = pd.DataFrame({"gaia_dr2_source_id": ids, "snr": [80.0, 20, 20, 80]})
    passed, _ = preselect(targets, CUTS[:1], by="dr2_source_id", radius_arcsec=3.0)
    assert passed.tolist() == [True, True, False, False]


def test_cuts_that_need_gaia_are_left_for_later() -> None:
    targets = pd.DataFrame({"target_ra": [1.0, 2.0], "target_dec": [0.0, 0.0], "snr": [80.0, 20.0]})
    later = [{"column": "ruwe", "op": "<=", "value": 1.4}, {"column": "reference_parallax", "op": "<", "value": 1.5}]
    later.insert(1, {"column": "snr", "op": ">=", "value": 90, "solution": "6p"})
    assert preselect(targets, later, by="position", radius_arcsec=3.0)[0].all()
    assert preselect(targets, [*later, CUTS[0]], by="position", radius_arcsec=3.0)[0].tolist() == [True, False]


@pytest.mark.parametrize(
    ("columns", "by", "line"),
    [
        (["target_ra"], "position", "no column 'target_dec'"),
        (["obsid"], "source_id", "no column 'source_id'"),
        (["target_ra", "target_dec", "parallax"], "position", "columns parallax would be overwritten"),
        (["target_ra", "target_dec", "source_id"], "position", "columns source_id would be overwritten"),
    ],
)
def test_targets_that_cannot_be_matched(columns: list[str], by: str, line: str) -> None:
    refuses(line, preselect, pd.DataFrame({name: [1.0] for name in columns}), [], by=by, radius_arcsec=3.0)


# --- chunks ----------------------------------------------------------------------------------------------------------


def test_the_preselected_targets_go_along_the_sky_or_by_identifier() -> None:
    rng = np.random.default_rng(1)
    targets = pd.DataFrame({"target_ra": rng.uniform(0, 360, 30), "target_dec": rng.uniform(-90, 90, 30)})
    targets = targets.assign(target_id=np.arange(30), teff=5000.0, preselected=np.arange(30) % 3 > 0)
    asked = targets_to_ask(targets, by="position")
    assert asked.columns.tolist() == ["target_id", "target_ra", "target_dec"]
    assert sorted(asked["target_id"]) == np.flatnonzero(targets["preselected"]).tolist()
    pixels = pixel_index(asked["target_ra"], asked["target_dec"], nside=4096, ordering="nested")
    assert (np.diff(pixels) > 0).all()
    by_identifier = pd.DataFrame({"source_id": pd.array([30, 10, 20, 40], dtype="Int64"), "preselected": True})
    asked = targets_to_ask(by_identifier.assign(target_id=range(4)), by="source_id")
    assert asked["target_id"].tolist() == [1, 2, 0, 3]


# --- choice of the counterpart ---------------------------------------------------------------------------------------


def test_the_nearest_at_the_targets_epoch_wins() -> None:
    """A source 4 arcsec away in 2016 stood on the target in 2000; another stands 1 arcsec away and does not move."""
    targets = pd.DataFrame({"target_id": [5, 6], "target_ra": [10.0, 20.0], "target_dec": [0.0, 0.0]})
    names = ["target_id", "source_id", "ra", "dec", "pmra", "pmdec"]
    rows = [(5, 2**60 + 1, 10 + 4 * ARCSEC, 0.0, 250.0, 0.0), (5, 2, 10.0, ARCSEC, None, None)]
    rows += [(5, 3, 10.0, 0.0, 0.0, 1000.0), (6, 3, 20.0, 3.001 * ARCSEC, None, None)]
    found = candidates([dict(zip(names, row, strict=True)) for row in rows])
    chosen = choose_counterparts(found, targets, Crossmatch(RELEASE, "position", 3.0, epoch=2000.0))
    assert chosen["target_id"].tolist() == [5, 6]
    assert chosen["source_id"].iloc[0] == 2**60 + 1 and chosen["source_id"].isna().tolist() == [False, True]
    assert chosen["match_separation"].iloc[0] == pytest.approx(0.0, abs=1e-6)
    assert chosen["match_neighbours"].tolist() == [2, 0]


def test_two_2mass_entries_are_one_neighbour() -> None:
    targets = pd.DataFrame({"target_id": [0], "target_ra": [10.0], "target_dec": [0.0]})
    row = {"target_id": 0, "source_id": 2, "ra": 10.0, "dec": 0.0}
    found = candidates([row | {"ks_m": 12.0, "ks_msigcom": 0.3}, row | {"ks_m": 11.0, "ks_msigcom": 0.02}])
    chosen = choose_counterparts(found, targets, Crossmatch(RELEASE, "position", 3.0, epoch=2000.0))
    assert chosen[["ks_m", "match_neighbours"]].iloc[0].tolist() == [11.0, 1]


def test_equal_dr2_distances_go_to_the_lower_identifier() -> None:
    targets = pd.DataFrame({"target_id": [0], "gaia_dr2_source_id": [9]})
    found = candidates([{"target_id": 0, "source_id": s} for s in (8, 7)])
    found = found.assign(angular_distance_1=12.0, magnitude_difference_1=np.nan)
    chosen = choose_counterparts(found, targets, Crossmatch(RELEASE, "dr2_source_id"))
    assert chosen[["source_id", "match_separation", "match_neighbours"]].iloc[0].tolist() == [7, 0.012, 2]


def test_the_best_over_two_hops_has_the_smallest_difference_in_g_then_distance() -> None:
    rows = [  # target, source, distance [mas] and difference in G [mag] of each hop
        (0, 11, 1.0, 0.30, 1.0, 0.00),
        (0, 12, 40.0, -0.05, 60.0, 0.05),  # signs do not cancel
        (1, 13, 50.0, 0.10, 0.0, 0.0),
        (1, 14, 20.0, 0.10, 10.0, 0.0),  # equal in G: the nearer
        (2, 15, 1.0, None, 1.0, 0.0),  # not known on one hop
        (2, 16, 90.0, 1.0, 1.0, 0.0),
        (3, 17, 9.0, 0.2, 1.0, 0.0),  # one source on two ways is one
        (3, 17, 8.0, 0.1, 1.0, 0.0),
    ]
    names = [f"{name}_{hop}" for hop in (1, 2) for name in ("angular_distance", "magnitude_difference")]
    frame = pd.DataFrame(rows, columns=["target_id", "source_id", *names])
    found = frame.reindex(columns=["target_id", *PROVIDED, *names]).astype({"source_id": "Int64"})
    targets = pd.DataFrame({"target_id": range(5), "gaia_dr2_source_id": range(5)})
    chosen = choose_counterparts(found, targets, Crossmatch(RELEASE, "dr2_source_id"))
    assert chosen["source_id"].tolist() == [12, 14, 16, 17, pd.NA]
    assert chosen["match_separation"].tolist()[:4] == pytest.approx([0.1, 0.03, 0.091, 0.009])
    assert chosen["match_neighbours"].tolist() == [2, 2, 2, 1, 0]
    assert archive.ambiguous(chosen, "dr2_source_id").startswith("3 targets are ambiguous")
    # What the archive calls probable comes before any difference in G; null is not probable.
    for yes, no in ((True, False), ("true", "false"), (1, 0), ("T", None)):
        said = found.assign(probable_match_2=[no, no, yes, no, yes, None, no, no])
        chosen = choose_counterparts(said, targets, Crossmatch(RELEASE, "dr2_source_id"))
        assert chosen["source_id"].tolist() == [12, 13, 15, 17, pd.NA]


def test_the_best_way_to_the_bridge() -> None:
    """A source comes once for each of its identifiers in DR3, with the Ks of each."""
    rows = [  # target, source, distance [mas], difference in G, probable, Ks
        (0, 11, 1.0, 0.0, "false", 15.0),
        (0, 11, 90.0, 0.3, "true", 12.0),
        (1, 12, 5.0, 2.0, "false", 14.0),
        (1, 12, 9.0, 0.1, "false", 11.0),
        (2, 13, np.nan, np.nan, "", np.nan),
    ]
    names = [f"{name}_bridge" for name in ("angular_distance", "magnitude_difference", "probable_match")]
    frame = pd.DataFrame(rows, columns=["target_id", "source_id", *names, "ks_m"])
    found = frame.reindex(columns=[*frame, *(name for name in PROVIDED if name not in frame)])
    found = found.astype({"source_id": "Int64"}).assign(ra=10.0, dec=0.0)
    targets = pd.DataFrame({"target_id": range(3), "target_ra": 10.0, "target_dec": 0.0})
    for by in ("position", "source_id"):
        chosen = choose_counterparts(found, targets, Crossmatch(RELEASE, by, 1.0))
        assert chosen["ks_m"].tolist()[:2] == [12.0, 11.0] and chosen["ks_m"].isna().tolist() == [False, False, True]
        assert chosen["match_neighbours"].tolist() == [1, 1, 1]
    line = "3 Gaia sources came back, 2 with an identifier in the bridge, 2 with several"
    assert archive.bridge_line(found).startswith(line) and archive.bridge_line(found.drop(columns=names)) is None


def test_a_quasar_of_the_bridge_is_one_source() -> None:
    """A star beside a quasar shares its identifier in DR3, and one source may have two."""
    rows = pd.DataFrame({"source_id": [1, 2, 3, 3], "parallax": 0.1, "dr3_source_id": [7, 7, 8, 9]})
    rows = rows.assign(angular_distance=[0.1, 40.0, 1.0, 2.0], magnitude_difference=[3.0, 0.1, 0.2, 0.2])
    assert nearest_in_bridge(rows)["source_id"].tolist() == [2, 3]
    said = rows.assign(probable_match=[True, False, True, True])
    assert nearest_in_bridge(said)["source_id"].tolist() == [1, 3]
    assert nearest_in_bridge(said).columns.tolist() == ["source_id", "parallax"]


def test_further_columns_of_a_release_come_along_as_numbers() -> None:
    targets = pd.DataFrame({"target_id": [0, 1], "plate": ["a", "b"], "preselected": True})
    found = candidates([{"target_id": 0, "source_id": 8}]).assign(bias=-0.02)
    for rows, values in ((found, [-0.02, np.nan]), (found.iloc[:0].astype({"bias": object}), [np.nan, np.nan])):
        chosen = choose_counterparts(rows, targets, Crossmatch(RELEASE | {"more_columns": ["bias"]}, "source_id"))
        assert chosen["bias"].dtype == float and chosen["bias"].tolist() == pytest.approx(values, nan_ok=True)
        assert merge_chunks(targets, [chosen])["bias"].tolist() == pytest.approx(values, nan_ok=True)
    refuses("columns bias come from the archive too", merge_chunks, targets.assign(bias=1.0), [chosen])


def test_a_chunk_without_targets_is_an_empty_table() -> None:
    targets = pd.DataFrame({"target_id": [], "target_ra": [], "target_dec": []})
    chosen = choose_counterparts(candidates([]), targets, Crossmatch(RELEASE, "position", 3.0, epoch=2000.0))
    assert len(chosen) == 0 and chosen["source_id"].dtype == "Int64" and chosen["ra"].dtype == float


def test_a_value_out_of_range_is_refused() -> None:
    targets = pd.DataFrame({"target_id": [0]})
    found = candidates([{"target_id": 0, "source_id": 8, "ruwe": -5.0}])
    match, line = Crossmatch(RELEASE, "source_id"), "answer of the archive: column 'ruwe': 1 of 1 rows outside"
    refuses(line, choose_counterparts, found, targets, match)


# --- merging ---------------------------------------------------------------------------------------------------------


def chunked() -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Three targets of which two were asked for, in two chunks."""
    targets = pd.DataFrame({"obsid": [1, 2, 3], "plate": ["a", "b", "c"], "target_id": range(3)})
    targets["preselected"] = [True, False, True]
    asked = [candidates([{"target_id": i, "source_id": 2**60 + i, "ra": 1.0, "dec": 1.0}]) for i in (2, 0)]
    rows = [targets.iloc[[2]], targets.iloc[[0]]]
    match = Crossmatch(RELEASE, "source_id")
    return targets, [choose_counterparts(a, r, match) for a, r in zip(asked, rows, strict=True)]


def test_all_targets_come_back_in_their_order_also_from_a_file(tmp_path: Path) -> None:
    merged = merge_chunks(*chunked())
    archive.write_whole(merged, tmp_path / "t.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]
    for table in (merged, archive.read_whole(tmp_path / "t.parquet")):
        assert table["target_id"].tolist() == [0, 1, 2] and table["plate"].tolist() == ["a", "b", "c"]
        assert table["source_id"].tolist() == [2**60, pd.NA, 2**60 + 2]
        assert table["source_id"].dtype == "Int64" and table["match_neighbours"].tolist() == [1, 0, 1]


def test_chunks_that_do_not_add_up() -> None:
    targets, chunks = chunked()
    refuses("1 of 2 targets missing, 0 twice, 0 not asked for", merge_chunks, targets, chunks[:1])
    refuses("0 of 2 targets missing, 1 twice, 0 not asked for", merge_chunks, targets, [*chunks, chunks[0]])
    targets = targets.assign(preselected=[True, False, False])
    refuses("0 of 1 targets missing, 0 twice, 1 not asked for", merge_chunks, targets, chunks)


def test_patience_from_the_config() -> None:
    settings = {"maxrec": 10, "timeout_s": 60.0, "stall_s": 2.5, "poll_s": 0.1, "attempts": 3, "max_wait_s": 5.0}
    mirrors = ["https://a.example/tap", "https://b.example/tap"]
    service = Archive.of(["https://tap.example/tap/", *mirrors], settings | {"chunks": 4})
    patience = Patience(attempts=3, timeout=2.5, first_pause=0.1, longest_wait=5.0)
    assert service == Archive("https://tap.example/tap", mirrors, 10, 60.0, patience)
    assert Archive.of("https://a.example/tap", settings).mirrors == []


# --- documents -------------------------------------------------------------------------------------------------------


def test_uploads_keep_every_digit() -> None:
    sent = {"target_id": [0, 1], "source_id": [2**63 - 1, 2**53 + 1], "ra": [1 / 3, 360 / 7]}
    back = read_result(upload_document({name: np.array(values) for name, values in sent.items()}))
    assert back["source_id"].tolist() == [2**63 - 1, 2**53 + 1] and back["ra"].tolist() == [1 / 3, 360 / 7]


def document(status: str = "OK", text: str = "") -> bytes:
    """A TAP result of two rows, the second all nulls."""
    return (
        '<?xml version="1.0"?><VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
        '<RESOURCE type="results"><INFO name="QUERY_STATUS" value="OK"/><TABLE>'
        '<FIELD name="SOURCE_ID" datatype="long"/><FIELD name="ruwe" datatype="float"/>'
        "<DATA><TABLEDATA><TR><TD>1152921504606846977</TD><TD>1.5</TD></TR><TR><TD/><TD/></TR></TABLEDATA></DATA></TABLE>"
        f'<INFO name="QUERY_STATUS" value="{status}">{text}</INFO></RESOURCE></VOTABLE>\n'
    ).encode()


def test_results_keep_identifiers_and_nulls_and_an_overflow_after_the_rows_is_seen() -> None:
    for content in (document(), gzip.compress(document())):
        frame = read_result(content)
        assert frame["source_id"].tolist() == [2**60 + 1, pd.NA] and frame["source_id"].dtype == "Int64"
        assert frame["ruwe"].iloc[0] == 1.5 and np.isnan(frame["ruwe"].iloc[1])
    refuses("cut the result at 2 rows", read_result, document("OVERFLOW"), error=Overflow)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (document("ERROR", "the disk is\n full"), "no result: the disk is full"),
        (document()[:-40], "no complete VOTable"),
        (b"<html>log in first</html>", "no complete VOTable .25 bytes, begins '<html>log in first"),
        (b"", "no complete VOTable .0 bytes"),
    ],
)
def test_documents_that_are_no_results(content: bytes, line: str) -> None:
    refuses(line, read_result, content, error=Passing)


def test_every_target_is_accounted_for() -> None:
    frame = pd.DataFrame({"target_id": pd.array([3, 3, 5], dtype="Int64")})
    check_accounted(frame, np.array([3, 5]))
    line = "1 of 3 targets did not come back, the first target_id 9"
    refuses(line, check_accounted, frame, np.array([3, 5, 9]), error=Passing)
    line = "1 target_ids came back that were not sent, the first 5"
    refuses(line, check_accounted, frame, np.array([3]), error=Passing)
