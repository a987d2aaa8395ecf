"""The shipped samples: columns, identifiers, counts, derived columns, and medians that were measured independently."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gaia_offsets.columns import STANDARD

DATA = Path(__file__).resolve().parents[2] / "config/data"
SOLUTION = ["astrometric_params_solved", "nu_eff_used_in_astrometry", "pseudocolour"]
RADII = ["radius_miglio2021", "radius_sharma2016", "radius_li2023"]
COLUMNS = {
    "kepler_giants.csv.gz": [
        "kic",
        "ra",
        "dec",
        "parallax",
        "parallax_error",
        "phot_g_mean_mag",
        "bp_rp",
        *SOLUTION,
        "ecl_lat",
        "ruwe",
        "ks_m",
        "ks_msigcom",
        "teff",
        "m_h",
        "av",
        "distance",
        "distance_error",
        *RADII,
        "distance_sharma2016",
        "distance_error_sharma2016",
        "distance_li2023",
        "distance_error_li2023",
        "mks",
    ],
    "globular_cluster_members.csv.gz": [
        "source_id",
        "cluster",
        "ra",
        "dec",
        "l",
        "b",
        "ecl_lat",
        "parallax",
        "parallax_error",
        "phot_g_mean_mag",
        "bp_rp",
        "nu_eff_used_in_astrometry",
        "pseudocolour",
        "astrometric_params_solved",
        "ruwe",
    ],
    "globular_cluster_distances.csv": [
        "cluster",
        "distance_kpc",
        "distance_error_kpc",
        "distance_harris2010_kpc",
    ],
}
KEPLER, MEMBERS, DISTANCES = COLUMNS


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(DATA / name)


def five_parameters(rows: pd.DataFrame) -> pd.Series:
    return rows["astrometric_params_solved"] == 31


@pytest.mark.parametrize("name", COLUMNS)
def test_no_stray_columns_and_a_small_file(name: str):
    assert list(read(name).columns) == COLUMNS[name]
    assert (DATA / name).stat().st_size < 500 * 1024


def test_the_folder_holds_what_the_page_describes():
    page = (DATA / "README.md").read_text(encoding="utf-8")
    names = {path.name for path in DATA.iterdir() if path.is_file()}
    assert names == {*COLUMNS, "make_data.py", "README.md"}
    assert all(f"`{column}`" in page for columns in COLUMNS.values() for column in columns)


@pytest.mark.parametrize("name", [KEPLER, MEMBERS])
def test_gzip_header_holds_no_time_and_no_name(name: str):
    header = (DATA / name).read_bytes()[:10]
    assert header[3] == 0 and header[4:8] == bytes(4)


@pytest.mark.parametrize("name", [KEPLER, MEMBERS])
def test_values_keep_the_contracts_of_the_standard_columns(name: str):
    rows = read(name)
    for column in set(rows.columns) & set(STANDARD):
        contract = STANDARD[column]
        assert rows[column].dropna().between(contract.low, contract.high).all(), column


@pytest.mark.parametrize(("name", "n_5p", "n_6p"), [(KEPLER, 2287, 52), (MEMBERS, 2961, 1590)])
def test_row_counts_and_the_colour_that_each_solution_needs(name: str, n_5p: int, n_6p: int):
    rows = read(name)
    assert rows["astrometric_params_solved"].value_counts().to_dict() == {31: n_5p, 95: n_6p}
    assert (rows["nu_eff_used_in_astrometry"].notna() == five_parameters(rows)).all()
    assert (rows["pseudocolour"].notna() != five_parameters(rows)).all()


def test_kepler_identifiers_are_unique_sorted_integers():
    kic = read(KEPLER)["kic"]
    assert kic.dtype == np.int64
    assert kic.is_unique and kic.is_monotonic_increasing


def test_cluster_identifiers_are_rounded_but_stars_are_unique():
    rows = read(MEMBERS)
    assert rows["source_id"].dtype == np.int64
    assert (rows["source_id"] % 256 == 0).all()
    assert not rows.duplicated(["source_id", "ra", "dec"]).any()
    times = rows["source_id"].value_counts()
    assert times[times > 1].value_counts().to_dict() == {2: 224, 3: 17}


def test_every_cluster_has_one_distance():
    distances = read(DISTANCES)
    assert len(distances) == 12 and distances["cluster"].is_unique
    assert set(read(MEMBERS)["cluster"]) == set(distances["cluster"])


@pytest.mark.parametrize("paper", ["sharma2016", "li2023"])
def test_distances_scale_with_the_radius(paper: str):
    rows = read(KEPLER)
    scale = rows[f"radius_{paper}"] / rows["radius_miglio2021"]
    for quantity in ("distance", "distance_error"):
        np.testing.assert_allclose(rows[f"{quantity}_{paper}"], rows[quantity] * scale, rtol=0, atol=5.1e-8)


def test_mks_follows_from_radius_temperature_and_metallicity():
    rows = read(KEPLER)
    t, m_h = (rows["teff"] - 4800) / 500, rows["m_h"]
    surface = np.polynomial.polynomial.polyval2d(t, m_h, [[3.5175, -0.0329], [-0.1344, 0.0065], [0.0080, 0]])
    np.testing.assert_allclose(rows["mks"], surface - 5 * np.log10(rows["radius_miglio2021"]), rtol=0, atol=5.1e-6)


def test_mks_agrees_with_the_published_distances():
    rows = read(KEPLER)
    published = rows["ks_m"] - 0.114 * rows["av"] - 5 * np.log10(100 * rows["distance"])
    assert (rows["mks"] - published).median() == pytest.approx(0, abs=0.005)


@pytest.mark.parametrize(("column", "n", "median"), [("distance", 2287, -25.92), ("distance_sharma2016", 1651, 0.45)])
def test_median_raw_offset_of_5p_giants(column: str, n: int, median: float):
    rows = read(KEPLER)
    rows = rows[five_parameters(rows) & rows[column].notna()]
    assert len(rows) == n
    assert 1000 * (rows["parallax"] - 1 / rows[column]).median() == pytest.approx(median, abs=0.01)


def test_median_raw_offset_of_6p_giants():
    rows = read(KEPLER)
    rows = rows[~five_parameters(rows)]
    assert 1000 * (rows["parallax"] - 1 / rows["distance"]).median() == pytest.approx(-28.5, abs=0.05)


def test_median_raw_offset_of_5p_cluster_members():
    rows = read(MEMBERS).merge(read(DISTANCES), on="cluster")
    rows = rows[five_parameters(rows)]
    assert 1000 * (rows["parallax"] - 1 / rows["distance_kpc"]).median() == pytest.approx(-25.96, abs=0.01)
