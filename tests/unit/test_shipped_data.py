"""The shipped samples: columns, identifiers, counts, derived columns, and medians that were measured independently."""

import numpy as np
import pandas as pd
import pytest
from unit.shared import ROOT

from gaia_offsets.core.columns import STANDARD

DATA = ROOT / "config/data"
KEPLER, MEMBERS, DISTANCES = "kepler_giants.csv.gz", "globular_cluster_members.csv.gz", "globular_cluster_distances.csv"
COLUMNS = {
    KEPLER: "kic ra dec parallax parallax_error phot_g_mean_mag bp_rp astrometric_params_solved "
    "nu_eff_used_in_astrometry pseudocolour ecl_lat ruwe ks_m ks_msigcom teff m_h av distance distance_error "
    "radius_miglio2021 radius_sharma2016 radius_li2023 distance_sharma2016 distance_error_sharma2016 distance_li2023 "
    "distance_error_li2023 mks",
    MEMBERS: "source_id cluster ra dec l b ecl_lat parallax parallax_error phot_g_mean_mag bp_rp "
    "nu_eff_used_in_astrometry pseudocolour astrometric_params_solved ruwe",
    DISTANCES: "cluster distance_kpc distance_error_kpc distance_harris2010_kpc",
}
TABLES = {name: pd.read_csv(DATA / name) for name in COLUMNS}


@pytest.mark.parametrize("name", COLUMNS)
def test_files_are_small_described_and_of_the_standard_ranges(name: str):
    rows, columns = TABLES[name], COLUMNS[name].split()
    assert list(rows.columns) == columns and (DATA / name).stat().st_size < 500 * 1024
    page = (DATA / "README.md").read_text(encoding="utf-8")
    assert all(f"`{column}`" in page for column in columns)
    for column in set(rows.columns) & set(STANDARD):
        contract = STANDARD[column]
        assert rows[column].dropna().between(contract.low, contract.high).all(), column
    if name.endswith(".gz"):
        header = (DATA / name).read_bytes()[:10]
        assert header[3] == 0 and header[4:8] == bytes(4)  # no name, no time
    assert {path.name for path in DATA.iterdir() if path.is_file()} == {*COLUMNS, "make_data.py", "README.md"}


@pytest.mark.parametrize(("name", "n_5p", "n_6p"), [(KEPLER, 2287, 52), (MEMBERS, 2961, 1590)])
def test_row_counts_and_the_colour_that_each_solution_needs(name: str, n_5p: int, n_6p: int):
    rows = TABLES[name]
    five = rows["astrometric_params_solved"] == 31
    assert rows["astrometric_params_solved"].value_counts().to_dict() == {31: n_5p, 95: n_6p}
    assert (rows["nu_eff_used_in_astrometry"].notna() == five).all() and (rows["pseudocolour"].notna() != five).all()


def test_identifiers_and_clusters():
    kic = TABLES[KEPLER]["kic"]
    assert kic.dtype == np.int64 and kic.is_unique and kic.is_monotonic_increasing
    rows, distances = TABLES[MEMBERS], TABLES[DISTANCES]
    assert rows["source_id"].dtype == np.int64 and (rows["source_id"] % 256 == 0).all()  # rounded by its publisher
    assert not rows.duplicated(["source_id", "ra", "dec"]).any()
    times = rows["source_id"].value_counts()
    assert times[times > 1].value_counts().to_dict() == {2: 224, 3: 17}
    assert len(distances) == 12 and distances["cluster"].is_unique and set(rows["cluster"]) == set(distances["cluster"])


def test_distances_and_magnitudes_follow_from_radius_temperature_and_metallicity():
    rows = TABLES[KEPLER]
    for paper in ("sharma2016", "li2023"):
        scale = rows[f"radius_{paper}"] / rows["radius_miglio2021"]
        for quantity in ("distance", "distance_error"):
            np.testing.assert_allclose(rows[f"{quantity}_{paper}"], rows[quantity] * scale, rtol=0, atol=5.1e-8)
    t, m_h = (rows["teff"] - 4800) / 500, rows["m_h"]
    surface = np.polynomial.polynomial.polyval2d(t, m_h, [[3.5175, -0.0329], [-0.1344, 0.0065], [0.0080, 0]])
    np.testing.assert_allclose(rows["mks"], surface - 5 * np.log10(rows["radius_miglio2021"]), rtol=0, atol=5.1e-6)
    published = rows["ks_m"] - 0.114 * rows["av"] - 5 * np.log10(100 * rows["distance"])
    assert (rows["mks"] - published).median() == pytest.approx(0, abs=0.005)


@pytest.mark.parametrize(
    ("name", "solved", "distance", "n", "median"),
    [
        (KEPLER, 31, "distance", 2287, -25.92),
        (KEPLER, 31, "distance_sharma2016", 1651, 0.45),
        (KEPLER, 95, "distance", 52, -28.5),
        (MEMBERS, 31, "distance_kpc", 2961, -25.96),
    ],
)
def test_median_raw_offset(name: str, solved: int, distance: str, n: int, median: float):
    rows = TABLES[name] if name == KEPLER else TABLES[name].merge(TABLES[DISTANCES], on="cluster")
    rows = rows[(rows["astrometric_params_solved"] == solved) & rows[distance].notna()]
    assert len(rows) == n
    offset = 1000 * (rows["parallax"] - 1 / rows[distance]).median()
    assert offset == pytest.approx(median, abs=0.05 if solved == 95 else 0.01)
