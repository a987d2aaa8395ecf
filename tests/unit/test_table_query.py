"""ADQL of datasets that come from a query: written, parsed by another, cut into parts; dry runs ask nobody."""

import socket
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from parsed_workflow import plan
from unit.shared import refuses
from unit.test_config import resolved

from gaia_offsets.archive import adql
from gaia_offsets.archive.adql import QueryError, condition, count_query
from gaia_offsets.archive.table_query import complete_rows, needed_columns, part_cuts, parts, rows_query
from gaia_offsets.engine.config.fault import ConfigError
from gaia_offsets.tables.cuts import cut_mask

ROOT = Path(__file__).parents[2]
OVERLAYS = {"quasars": "quasars", "lamost_red_clump": "lamost_dr7_giants"}
WHERE = [{"column": "feh", "op": "between", "value": [-0.6, 0.4]}, {"column": "class", "op": "==", "value": "K'1"}]
VIZIER = {"url": "https://tap.example", "table": "V/156/dr7slrs", "where": WHERE}
VIZIER["columns"] = {"obsid": "ObsID", "feh": "[Fe/H]", "distance": '"date"', "class": "SubClass"}


def overlay(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())


def test_names_of_vizier() -> None:
    assert rows_query(VIZIER) == (
        'SELECT t."ObsID" AS "obsid", t."[Fe/H]" AS "feh", t."date" AS "distance", t."SubClass" AS "class"\n'
        'FROM "V/156/dr7slrs" AS t\n'
        """WHERE t."[Fe/H]" BETWEEN -0.6 AND 0.4\n AND t."SubClass" = 'K''1'"""
    )
    counted = 'SELECT COUNT(*) AS n\nFROM "V/156/dr7slrs" AS t\nWHERE t."[Fe/H]"'
    assert count_query(rows_query(VIZIER)).startswith(counted)
    assert needed_columns(VIZIER) == {"V/156/dr7slrs": ["ObsID", "[Fe/H]", "date", "SubClass"]}


def resolved_quasars(release: str, **changes: Any) -> dict[str, Any]:
    """The query of the shipped quasars on a release."""
    mine = {"samples": {"quasars": {"release": release}}, "releases": {release: changes}}
    return resolved(overlay("quasars"), mine)["datasets"]["quasars"]["query"]


def test_the_quasars_of_another_release_take_one_word() -> None:
    edr3, dr3 = rows_query(resolved_quasars("edr3")), rows_query(resolved_quasars("dr3"))
    assert dr3 == edr3.replace("gaiaedr3.", "gaiadr3.") != edr3
    text = rows_query(resolved_quasars("edr3"), 0)  # columns and cuts are those of the first table
    assert text.startswith('SELECT t.source_id AS "source_id", t.ra AS "ra",')
    assert "FROM gaiaedr3.gaia_source AS t\nJOIN gaiaedr3.agn_cross_id AS j ON j.source_id = t.source_id\n" in text
    assert "WHERE t.parallax IS NOT NULL\n AND t.source_id < 288230376151711744" in text
    assert needed_columns(resolved_quasars("edr3"))["gaiaedr3.agn_cross_id"] == ["source_id"]
    new = {"agn_cross_id": "gaiadr4.agn", "columns": {"source_id": "id"}}
    text = rows_query(resolved_quasars("dr4", **new), 0)
    assert 't.id AS "source_id"' in text and 't.astrometric_params AS "astrometric_params_solved"' in text
    assert 't.tentative_parallax_bias AS "tentative_parallax_bias"' in text
    assert "FROM gaiadr4.gaia_source AS t\nJOIN gaiadr4.agn AS j ON j.id = t.id\n" in text
    assert "WHERE t.parallax IS NOT NULL\n AND t.id < 288230376151711744" in text
    with pytest.raises(ConfigError, match=r"datasets.quasars.query: releases.dr4 names no table agn_cross_id"):
        resolved_quasars("dr4", bridge=None)


def test_the_quasars_of_a_release_that_has_none_are_those_of_its_bridge() -> None:
    query = resolved_quasars("dr4", columns={"source_id": "id"})
    text = rows_query(query)
    assert (
        "FROM gaiadr4.gaia_source AS t\nJOIN gaiadr4.dr3_neighbourhood AS h ON h.id = t.id\n"
        "JOIN gaiadr3.agn_cross_id AS j ON j.source_id = h.dr3_source_id\nWHERE"
    ) in text
    hop = ["dr3_source_id", "angular_distance", "magnitude_difference", "probable_match"]
    assert all(f'h.{name} AS "{name}"' in text for name in hop)
    needed = needed_columns(query)
    assert len(needed) == 3 and needed["gaiadr3.agn_cross_id"] == ["source_id"]
    assert needed["gaiadr4.dr3_neighbourhood"] == ["id", *hop]
    rows = pd.DataFrame({name: [1] for name in [*query["columns"], *hop]})
    assert complete_rows(rows, query).columns.tolist() == [*query["columns"], *hop]


@pytest.mark.parametrize(
    ("cut", "written"),
    [
        ({"op": "==", "value": 3}, "t.x = 3"),
        ({"op": "!=", "value": "a"}, "t.x <> 'a'"),
        ({"op": ">=", "value": -1e-7}, "t.x >= -1e-07"),
        ({"op": "in", "value": ["G'", 2.5]}, "t.x IN ('G''', 2.5)"),
        ({"op": "not_null"}, "t.x IS NOT NULL"),
    ],
)
def test_conditions(cut: dict[str, Any], written: str) -> None:
    assert condition("t.x", {"column": "x", **cut}) == written
    for value in (True, None, float("nan"), float("inf"), [1], {"a": 1}):
        refuses("neither text nor a number", adql.literal, value, error=QueryError)
    nothing = {"column": "x", "op": "in", "value": []}
    refuses(r"cut on x: .* empty", condition, "t.x", nothing, error=QueryError)


PARTITIONS = [{"parts": 7}, {"parts": 3, "low": -10.0, "high": 70.0}, {"parts": 4, "low": 0, "high": 3}, {"parts": 1}]


@pytest.mark.parametrize("partition", PARTITIONS)
def test_every_value_is_in_one_part(partition: dict[str, Any]) -> None:
    query = {**VIZIER, "partition": {"column": "x", **partition}}
    low, high = partition.get("low", 0), partition.get("high", adql.SOURCE_ID_END)
    edges = [cut["value"] for part in range(parts(query)) for cut in part_cuts(query, part)]
    values = [low - 1, low, high, high + 1, *edges, *(edge - 1 for edge in edges)]
    frame = pd.DataFrame({"x": values}, dtype="Int64" if all(isinstance(v, int) for v in values) else "float64")
    hits = 0
    for part in range(parts(query)):
        inside = pd.Series(True, index=frame.index)
        for cut in part_cuts(query, part):
            inside &= cut_mask(frame, cut)
        hits = hits + inside.astype(int)
        assert inside.any()
    assert (hits == 1).all()
    # Part k of 12 is base pixel k of HEALPix: no digit of an identifier is lost.
    query = {"partition": {"column": "source_id", "parts": 12}}
    assert [part_cuts(query, part)[0]["value"] for part in range(1, 12)] == [part * 2**59 for part in range(1, 12)]


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_independent_parser_reads_the_queries_of(name: str) -> None:
    from queryparser.adql import ADQLQueryTranslator

    query = overlay(name)["datasets"][OVERLAYS[name]]["query"]
    for text in (rows_query(query), count_query(rows_query(query, 1))):  # the parser takes seconds
        translated = ADQLQueryTranslator(text).to_postgresql()
        assert query["table"] in translated.replace('"', "")


def test_rows_in_any_order_become_the_same_table() -> None:
    query = {"url": "u", "table": "t", "columns": ["b", "a"]}
    frame = pd.DataFrame({"a": [2.0, 1.0, None], "b": [1, 1, 0], "more": 0})
    wanted = pd.DataFrame({"b": [0, 1, 1], "a": [None, 1.0, 2.0]})
    for rows in (frame, frame.iloc[::-1]):
        pd.testing.assert_frame_equal(complete_rows(rows, query), wanted)
    refuses("t: column a did not come back; there are b", complete_rows, frame[["b"]], query, error=QueryError)


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_dry_run_asks_nobody(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("the dry run asks the network")

    for place, function in ((socket.socket, "connect"), (socket.socket, "connect_ex"), (socket, "getaddrinfo")):
        monkeypatch.setattr(place, function, refuse)
    refuses("the dry run", socket.create_connection, ("127.0.0.1", 9), error=RuntimeError)
    jobs = plan(tmp_path, [ROOT / f"config/{name}.yaml"])
    [merged] = jobs["merge_catalogue"]
    assert jobs["query_catalogue"] and str(merged.output[0]).startswith(f"resources/raw/{OVERLAYS[name]}/")
