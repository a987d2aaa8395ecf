"""Each rule on hand-written tables against what a hand or a few independent lines make of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import healpy
import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from astropy.units import Unit, deg
from mocpy import MOC
from rules import golden
from scipy.optimize import minimize
from snakemake_run import run_snakemake

FRAMES = {"equatorial": ("ra", "dec"), "galactic": ("l", "b")}
ENDINGS = {"corr": "corrected", "noncorr": "raw"}


def parquet(path: Path) -> pd.DataFrame:
    """A table in which an integer may be null."""
    return pd.read_parquet(path, dtype_backend="numpy_nullable")


# ---------------------------------------------------------------- retrieve, simulate


def test_retrieve(run: Path) -> None:
    given = (run / "given/spectra.csv").read_bytes()
    assert (run / "resources/raw/spectra/spectra.csv").read_bytes() == given
    manifest = json.loads((run / "resources/raw/spectra/spectra.csv.manifest.json").read_text())
    assert (manifest["bytes"], manifest["sha256"]) == (len(given), hashlib.sha256(given).hexdigest())


def test_retrieve_says_in_one_line_what_is_wrong(tmp_path: Path) -> None:
    source, wrong = tmp_path / "table.csv", "0" * 64
    source.write_text("a,b\n1,2\n")
    right = hashlib.sha256(source.read_bytes()).hexdigest()
    datasets = {
        "bad": {"file": "bad.csv", "path": str(source), "sha256": wrong},
        "nowhere": {"file": "n.csv", "description": "A table", "page": "https://example.org/tables"},
    }
    expected = {
        "bad": (source.as_uri(), f"wrong sha256: expected {wrong}, got {right}"),
        "nowhere": ("no address is known", "n.csv (A table) from https://example.org/tables", "datasets.nowhere.path"),
    }
    folder = tmp_path / "run"
    files = {name: f"resources/raw/{name}/{entry['file']}" for name, entry in datasets.items()}
    printed = run_snakemake(folder, "--keep-going", config={"datasets": datasets}, targets=files.values(), fails=True)
    for name, words in expected.items():
        log = (folder / f"logs/retrieve/{name}/{datasets[name]['file']}.log").read_text()
        line = log.splitlines()[-1].removeprefix("ERROR: ")
        assert (
            "Traceback" not in log and line.startswith(f"datasets.{name}: ") and all(word in line for word in words)
        ), line
        assert line in printed and not (folder / files[name]).exists()
    assert "Traceback" not in printed


def test_simulate(run: Path) -> None:
    folder = run / "resources/simulated/tiny"
    targets = Table.read(folder / "targets.fits").to_pandas()
    gaia, truth, tmass, distances = (
        pd.read_parquet(folder / f"{name}.parquet") for name in ("gaia_source", "truth", "tmass", "distances")
    )
    assert len(truth) == len(tmass) == 4000
    assert len(targets) == pytest.approx(4000 * 1.373, abs=4 * np.sqrt(4000 * 0.373))  # 1 + Poisson(0.373) a star
    assert targets["snr"].min() > 10 and targets["obsid"].is_unique
    assert gaia["source_id"].is_monotonic_increasing and gaia["source_id"].is_unique
    solved = gaia["astrometric_params_solved"]
    assert (gaia["parallax"].isna() == (solved == 3)).all()
    assert (gaia["nu_eff_used_in_astrometry"].notna() == (solved == 31)).all()
    assert (gaia["pseudocolour"].notna() == (solved == 95)).all()
    assert set(distances["source_id"]) == set(gaia["source_id"][solved != 3])
    # Gaia's parallax is the true one, the official zero point, the injected offset, and noise of the stated size.
    stars = truth.merge(gaia[(solved == 31) & (gaia["ruwe"] < 1.4)], on="source_id")
    from zero_point import zpt

    zpt.load_tables()
    names = ("phot_g_mean_mag", "nu_eff_used_in_astrometry", "pseudocolour", "ecl_lat", "astrometric_params_solved")
    official = zpt.get_zpt(*(stars[name].to_numpy(dtype=float) for name in names), _warnings=False)
    assert np.isfinite(official).mean() > 0.99
    noise = stars["parallax"] - stars["parallax_true"] - official - stars["residual_offset"] / 1000
    pull = (noise / stars["parallax_error"]).dropna()
    assert abs(pull.mean()) < 4 / np.sqrt(len(pull))
    assert pull.std() == pytest.approx(1, abs=4 / np.sqrt(2 * len(pull)))


# ---------------------------------------------------------------- crossmatch, select, correct


def test_crossmatch_tables(run: Path) -> None:
    matched = parquet(run / "resources/golden/crossmatch.local.parquet")
    names = [name for name, _ in golden.SPECTRA]
    assert matched["obsid"].tolist() == list(range(1001, 1024))
    expected = [pd.NA if name == "no counterpart" else golden.SOURCE_ID[name] for name in names]
    assert matched["source_id"].astype("Int64").equals(pd.Series(expected, dtype="Int64"))
    by_name = matched.assign(name=names).drop_duplicates("name").set_index("name")
    neighbours = {name: 1 for name in names} | {"no counterpart": 0, "close neighbour": 2, "moving": 2}
    assert by_name["match_neighbours"].to_dict() == neighbours
    separation = by_name["match_separation"].drop("no counterpart")
    assert separation["close neighbour"] == pytest.approx(0.2, abs=1e-6)
    assert (separation.drop("close neighbour") < 1e-6).all()  # the moving star too, once carried back to 2000
    assert by_name.loc["moving", "parallax"] == pytest.approx(0.95, rel=1e-12)  # the file had it in uas
    assert set(by_name.index[by_name["ks_m"].isna()]) == {"no counterpart", "no 2MASS"}
    assert by_name.loc["repeated", "ks_m"] == pytest.approx(-1.6 + 0.03 + 5 * np.log10(200), rel=1e-12)
    assert by_name["r_med_geo"].dropna().to_dict() == {"repeated": 2050.0, "moving": 990.0}  # kpc in the file


def test_adopt_targets(run: Path) -> None:
    matched = pd.read_parquet(run / "resources/clusters/crossmatch.none.parquet")
    given = pd.read_parquet(run / "given/members.parquet")
    pd.testing.assert_frame_equal(matched[given.columns], given, check_dtype=False)


def test_prepare_targets(run: Path) -> None:
    targets = pd.read_parquet(run / "resources/golden_archive/archive/targets.parquet")
    assert targets["target_id"].tolist() == list(range(23))
    # Cuts on the catalogue's own columns remove two stars; the poor spectrum stays, for another of its star passes.
    left_out = {name for (name, _), asked in zip(golden.SPECTRA, targets["preselected"], strict=True) if not asked}
    assert left_out == {"snr", "logg"}
    wanted = pd.read_parquet(run / "resources/golden_archive/archive/asked.parquet")
    assert sorted(wanted["target_id"]) == targets["target_id"][targets["preselected"]].tolist()
    hours = pd.read_csv(run / "given/spectra.csv", sep="|")["hours"]
    assert targets["target_ra"].to_numpy() == pytest.approx(15 * hours.to_numpy(), rel=1e-14)


def test_merge_archive(run: Path) -> None:
    """Chunks as the archive would have answered, put in by hand; the odd one knows nothing of its first target."""
    folder = run / "resources/golden_archive/archive"
    targets = pd.read_parquet(folder / "targets.parquet")
    local = parquet(run / "resources/golden/crossmatch.local.parquet")
    answers = local.drop(columns=[name for name in targets.columns if name in local.columns])
    answers = answers.assign(target_id=targets["target_id"])[targets["preselected"]]
    for chunk, rows in enumerate((answers[1::2], answers[0::2])):
        rows.to_parquet(folder / f"chunk_{chunk}.parquet", index=False)
    tracers = "results/golden_archive/tracers.parquet"
    run_snakemake(run, config=golden.config(run / "given"), targets=[tracers])
    merged = parquet(run / "resources/golden_archive/crossmatch.archive.parquet")
    asked = merged["preselected"].astype(bool)
    assert merged["obsid"].tolist() == list(range(1001, 1024))
    assert merged["source_id"][asked].astype("Int64").equals(local["source_id"][asked].astype("Int64"))
    assert merged["source_id"][~asked].isna().all()
    # Both ways to the same stars, and the flow says who was not asked for.
    assert (run / tracers).read_bytes() == (run / "results/golden/tracers.parquet").read_bytes()
    flow = pd.read_csv(run / "results/golden_archive/tables/cutflow.csv")
    assert flow.loc[1, ["kept", "removed"]].tolist() == [21, 2]
    assert flow["kept"].iloc[-1] == 6


def test_select_stars(run: Path) -> None:
    flow = pd.read_csv(run / "results/golden/tables/cutflow.csv")
    assert flow.columns.tolist() == ["step", "criterion", "kept", "removed", "kept_5p", "kept_6p"]
    assert [tuple(row) for row in flow.drop(columns="criterion").to_numpy()] == golden.CUTFLOW
    stars = pd.read_parquet(run / "resources/golden/stars.parquet")
    chosen = dict(zip(stars["source_id"], stars["obsid"], strict=True))
    assert set(chosen) == {golden.SOURCE_ID[name] for name in golden.TRACERS}
    assert chosen[golden.SOURCE_ID["repeated"]] == 1002


def test_select_stars_with_distances_of_groups(run: Path) -> None:
    tracers = pd.read_parquet(run / "results/clusters/tracers.parquet")
    # near: 5 +- 0.1 kpc; far: 10 +- 0.5 kpc; d(1/x) = dx / x^2
    assert tracers["source_id"].tolist() == [128, 256, 384, 640]  # 512 is of a cluster without a distance
    last = pd.read_csv(run / "results/clusters/tables/cutflow.csv").iloc[-1]
    assert (last["kept"], last["removed"]) == (4, 1)
    assert tracers["reference_parallax"].to_numpy() == pytest.approx([0.2, 0.1, 0.2, 0.1], rel=1e-12)
    assert tracers["reference_parallax_error"].to_numpy() == pytest.approx([0.004, 0.005, 0.004, 0.005], rel=1e-12)
    assert tracers["offset_raw"].to_numpy() == pytest.approx([10.0, 20.0, -10.0, -30.0], abs=1e-9)
    assert tracers[["zero_point", "parallax_corrected", "offset_corrected"]].isna().all(axis=None)  # official: none
    place = SkyCoord(l=[101, 103, 102, 100], b=[0, 89, 45, -10], unit="deg", frame="galactic").icrs
    assert tracers["ra"].to_numpy() == pytest.approx(place.ra.deg, abs=1e-9)
    assert tracers["dec"].to_numpy() == pytest.approx(place.dec.deg, abs=1e-9)
    assert tracers["ecl_lat"].to_numpy() == pytest.approx(place.barycentricmeanecliptic.lat.deg, abs=1e-5)


def test_correct_parallaxes(run: Path) -> None:
    tracers = pd.read_parquet(run / "results/golden/tracers.parquet").set_index("source_id")
    assert tracers.index.is_monotonic_increasing
    for name, (reference, zero_point, raw, corrected) in golden.TRACERS.items():
        star = tracers.loc[golden.SOURCE_ID[name]]
        assert star["reference_parallax"] == pytest.approx(reference, rel=1e-12), name
        assert star["reference_parallax_error"] == pytest.approx(0.085 * reference, rel=1e-12), name
        assert star["zero_point"] == pytest.approx(zero_point, abs=2e-6, nan_ok=True), name  # rounded to 1e-6
        assert star["offset_raw"] == pytest.approx(raw, abs=1e-9), name
        assert star["offset_corrected"] == pytest.approx(corrected, abs=2e-3, nan_ok=True), name
    places = SkyCoord(tracers["ra"], tracers["dec"], unit="deg")
    assert tracers["l"].to_numpy() == pytest.approx(places.galactic.l.deg, abs=1e-9)
    assert tracers["b"].to_numpy() == pytest.approx(places.galactic.b.deg, abs=1e-9)
    bright = golden.SOURCE_ID["too bright"]  # its ecliptic latitude was missing
    latitude = places.barycentricmeanecliptic.lat.deg[tracers.index.get_loc(bright)]
    assert tracers.loc[bright, "ecl_lat"] == pytest.approx(latitude, abs=1e-5)


# ---------------------------------------------------------------- measure


def plain_statistics(values: pd.Series) -> pd.Series:
    """The statistics by numpy and, for the Gaussian core, by minimising the density power divergence itself."""
    x = np.sort(values.dropna().to_numpy())
    n = len(x)
    ranks = (n - 1) / 2 + np.array([-1, 1]) * np.sqrt(n) / 2
    low, high = np.interp(ranks, np.arange(n), x)
    beta = golden.BETA

    def divergence(p: np.ndarray) -> float:
        weight = np.exp(-0.5 * beta * ((x - p[0]) / np.exp(p[1])) ** 2)
        return np.exp(-beta * p[1]) * ((1 + beta) ** -0.5 - (1 + 1 / beta) * weight.mean())

    start = [np.median(x), np.log(x.std())]
    core = minimize(divergence, start, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-12, "maxiter": 4000}).x
    sd = np.exp(core[1])
    found = {"n": n, "median": np.median(x), "median_error": (high - low) / 2, "mean": x.mean(), "sd": x.std(ddof=1)}
    found |= {"mean_error": found["sd"] / np.sqrt(n), "gaussian_mean": core[0]}
    return pd.Series(found | {"gaussian_mean_error": sd / np.sqrt(n), "gaussian_sd": sd})


def assert_statistics(row: pd.Series, values: pd.Series) -> None:
    expected = plain_statistics(values)
    for name in ("n", "median", "median_error", "mean", "mean_error", "sd"):
        assert row[name] == pytest.approx(expected[name], rel=1e-9, abs=1e-9), name
    # The workflow frees sd from a bias of the order of 1 / n, which also moves the weights of the mean a little.
    assert row["gaussian_mean"] == pytest.approx(expected["gaussian_mean"], abs=0.05 * expected["gaussian_mean_error"])
    for name in ("gaussian_sd", "gaussian_mean_error"):
        assert expected[name] < row[name] == pytest.approx(expected[name], rel=1.5 / row["n"]), name


def by_kind(tracers: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """Stars of each solution and parallax with the column `offset`, those without it left out."""
    columns = {"raw": "offset_raw", "corrected": "offset_corrected"}
    return {
        (solution, parallax): stars.assign(offset=stars[column]).dropna(subset="offset")
        for solution, stars in tracers.groupby("solution")
        for parallax, column in columns.items()
    }


def test_measure_global(run: Path) -> None:
    table = pd.read_csv(run / "results/measured/tables/global_offsets.csv").set_index(["solution", "parallax"])
    stars = by_kind(golden.measured_tracers())
    assert set(table.index) == set(stars)
    for kind, part in stars.items():
        assert_statistics(table.loc[kind], part["offset"])
    counts = pd.read_csv(run / "results/measured/tables/histograms.csv")
    assert (counts["bin_high"] - counts["bin_low"] == 25.0).all()
    for kind, part in stars.items():
        bins = counts[(counts["solution"] == kind[0]) & (counts["parallax"] == kind[1])].set_index("bin_low")["count"]
        place = 25.0 * np.floor((part["offset"] + 12.5) / 25.0) - 12.5
        expected = place.value_counts().reindex(bins.index, fill_value=0)
        assert (bins == expected).all() and bins.sum() == len(part)


def test_measure_trends(run: Path) -> None:
    tracers = golden.measured_tracers()
    tracers["colour"] = tracers["nu_eff_used_in_astrometry"].fillna(tracers["pseudocolour"])
    tracers["sin_ecl_lat"] = np.sin(np.radians(tracers["ecl_lat"]))
    table = pd.read_csv(run / "results/measured/tables/trends.csv")
    expected = 0
    for (solution, parallax), part in by_kind(tracers).items():
        for variable, bounds in golden.EDGES.items():
            groups = part.groupby(pd.cut(part[variable], bounds, right=False), observed=True)
            for interval, group in groups:
                if len(group) < 40:
                    continue
                expected += 1
                where = table["solution"].eq(solution) & table["parallax"].eq(parallax) & table["variable"].eq(variable)
                row = table[where & np.isclose(table["bin_low"], interval.left)].squeeze()
                assert row["bin_high"] == pytest.approx(interval.right)
                assert row["x_mean"] == pytest.approx(group[variable].mean(), rel=1e-12)
                assert_statistics(row, group["offset"])
    assert len(table) == expected > 20


@pytest.mark.parametrize("frame", FRAMES)
def test_measure_map(run: Path, frame: str) -> None:
    tracers = golden.measured_tracers()
    longitude, latitude = (tracers[name] for name in FRAMES[frame])
    tracers["hindex"] = healpy.ang2pix(32, longitude, latitude, nest=True, lonlat=True)
    table = pd.read_csv(run / f"results/measured/tables/map_{frame}.csv").set_index(["solution", "parallax", "hindex"])
    found = 0
    for kind, part in by_kind(tracers).items():
        for pixel, group in part.groupby("hindex"):
            if len(group) < 2:
                assert (*kind, pixel) not in table.index
                continue
            found += 1
            row = table.loc[(*kind, pixel)]
            assert row["n"] == len(group)
            assert row["median"] == pytest.approx(group["offset"].median(), rel=1e-9)
            if len(group) > 60:
                assert_statistics(row, group["offset"])
    assert found == len(table)


# ---------------------------------------------------------------- publish


def published(run: Path, frame: str) -> pd.DataFrame:
    """Table 1 by hand from the measured map: more than 60 stars, and a corrected offset where as many have one."""
    table = pd.read_csv(run / f"results/measured/tables/map_{frame}.csv")
    table = table[table["solution"] == "5p"].set_index("hindex")
    raw, corrected = (table[table["parallax"] == name] for name in ("raw", "corrected"))
    raw = raw[raw["n"] > 60].sort_index()
    corrected = corrected[corrected["n"] > 60].reindex(raw.index)
    longitude, latitude = healpy.pix2ang(32, raw.index.to_numpy(), nest=True, lonlat=True)
    centre = SkyCoord(longitude, latitude, unit="deg", frame="icrs" if frame == "equatorial" else "galactic")
    table = pd.DataFrame({"hindex": raw.index, "ra": centre.icrs.ra.deg, "dec": centre.icrs.dec.deg}, index=raw.index)
    table = table.assign(gl=centre.galactic.l.deg, gb=centre.galactic.b.deg)
    for ending, part in (("corr", corrected), ("noncorr", raw)):
        table[f"domega_{ending}"], table[f"e_domega_{ending}"] = part["gaussian_mean"], part["gaussian_mean_error"]
    return table.assign(n=raw["n"]).reset_index(drop=True)


def read(path: Path) -> tuple[pd.DataFrame, dict[str, Unit | None]]:
    """A table and its units, by the readers that users have."""
    forms = {".mrt": "ascii.mrt", ".vot": "votable", ".ecsv": "ascii.ecsv", ".csv": "ascii.csv", ".parquet": "parquet"}
    table = Table.read(path, format=forms.get(path.suffix), **({"hdu": 1} if path.suffix == ".fits" else {}))
    return table.to_pandas(), {name: table[name].unit for name in table.colnames}


@pytest.mark.parametrize("frame", FRAMES)
def test_publish_dataset(run: Path, frame: str) -> None:
    expected = published(run, frame)
    assert len(expected) >= 4
    for ending in ("ecsv", "fits", "csv", "mrt", "vot", "parquet"):
        table, units = read(run / f"results/measured/dataset/{frame}.{ending}")
        assert table.columns.tolist() == expected.columns.tolist(), ending
        for name in expected.columns:
            limit = 0 if name in ("hindex", "n") else 6e-7 if name in ("ra", "dec", "gl", "gb") else 6e-4
            found = table[name].to_numpy(dtype=float, na_value=np.nan)
            assert found == pytest.approx(expected[name].to_numpy(), rel=0, abs=limit, nan_ok=True), (ending, name)
        if ending != "csv":
            assert units["domega_corr"].to("uas") == pytest.approx(1, rel=1e-12) and units["ra"] == "deg", ending
    ordering = fits.getheader(run / f"results/measured/dataset/{frame}.fits", 1)
    assert (ordering["ORDERING"], ordering["NSIDE"]) == ("NESTED", 32)
    assert Table.read(run / f"results/measured/dataset/{frame}.ecsv").meta["simulated"] is False
    area = MOC.from_fits(run / f"results/measured/dataset/{frame}.moc.fits")
    # A Galactic pixel is covered by finer cells, true to its area within a few per cent.
    assert area.sky_fraction * 12288 == pytest.approx(len(expected), rel=1e-9 if frame == "equatorial" else 0.05)
    assert area.contains_lonlat(*(expected[name].to_numpy() * deg for name in ("ra", "dec"))).all()


@pytest.mark.parametrize("frame", FRAMES)
def test_publish_dataset_as_maps(run: Path, frame: str) -> None:
    for kind, parallax in ENDINGS.items():
        expected = published(run, frame).dropna(subset=f"domega_{kind}")
        path = run / f"results/measured/maps/{frame}_{parallax}.fits"
        offset, error, n = healpy.read_map(path, field=(0, 1, 2), nest=True, partial=False)
        seen = np.flatnonzero(offset != healpy.UNSEEN)
        assert seen.tolist() == expected["hindex"].tolist()
        assert offset[seen] == pytest.approx(expected[f"domega_{kind}"], abs=6e-4)
        assert error[seen] == pytest.approx(expected[f"e_domega_{kind}"], abs=6e-4)
        assert n[seen].tolist() == expected["n"].tolist()
        header = fits.getheader(path, 1)
        assert header["COORDSYS"] == {"equatorial": "C", "galactic": "G"}[frame]
        assert header["TUNIT2"] == "10**-6 arcsec"


def test_errors_and_cross_validation(run: Path) -> None:
    tracers = golden.measured_tracers()
    errors = pd.read_csv(run / "results/measured/tables/errors.csv")
    assert len(errors) == 16  # two solutions, two parallaxes, four estimators
    for (solution, parallax), rows in errors.groupby(["solution", "parallax"]):
        offset = tracers.loc[tracers["solution"] == solution, f"offset_{parallax}"].dropna()
        row = rows.set_index("estimator").loc["mean"]
        assert row["value"] == pytest.approx(offset.mean(), abs=1e-6) and row["n"] == len(offset)
        assert row["bootstrap_error"] == pytest.approx(offset.std() / np.sqrt(len(offset)), rel=0.2)
    table = pd.read_csv(run / "results/measured/tables/cross_validation.csv")
    assert table["split"].tolist() == ["star"] * 5 + ["block"] * 5
    known = tracers[tracers["solution"] == "5p"]["offset_corrected"].notna().sum()
    assert (table["n"] + table["left_out"] == known).all() and table["log_predictive_density"].notna().all()


@pytest.mark.parametrize("frame", FRAMES)
def test_publish_dataset_extended(run: Path, frame: str) -> None:
    tracers = golden.measured_tracers()
    tracers["hindex"] = healpy.ang2pix(32, *(tracers[name] for name in FRAMES[frame]), nest=True, lonlat=True)
    five, six = (tracers[tracers["solution"] == solution] for solution in ("5p", "6p"))
    short = published(run, frame).set_index("hindex")
    for ending in ("ecsv", "fits", "parquet"):
        table = read(run / f"results/measured/dataset/{frame}_extended.{ending}")[0].set_index("hindex")
        assert table.index.tolist() == short.index.tolist()
        assert table["n"].tolist() == short["n"].tolist()
        for pixel, row in table.iterrows():
            stars = five[five["hindex"] == pixel]
            assert row["n_6p"] == (six["hindex"] == pixel).sum()
            assert row["g_mean"] == pytest.approx(stars["phot_g_mean_mag"].mean(), abs=6e-5)
            assert row["bp_rp_mean"] == pytest.approx(stars["bp_rp"].mean(), abs=6e-5)
            for kind, parallax in ENDINGS.items():
                assert row[f"median_{kind}"] == pytest.approx(stars[f"offset_{parallax}"].median(), abs=6e-4)
                assert row[f"sd_{kind}"] == pytest.approx(stars[f"offset_{parallax}"].std(), abs=6e-4)
        # 200 replicates know an error to 5 %; the stated error of a core fit is a little small with outliers about.
        ratio = table["e_boot_corr"] / table["e_domega_corr"]
        assert 0.9 < ratio.median() < 1.3


def test_correct_catalogue(run: Path) -> None:
    table = pd.read_csv(run / "results/measured/corrected/mine.csv").set_index("name")
    short = published(run, "equatorial").set_index("hindex")
    pixel = short.loc[healpy.ang2pix(32, 33.0, 24.0, nest=True, lonlat=True)]
    assert table.loc["in", "parallax_map_corrected"] == pytest.approx(0.5 - pixel["domega_noncorr"] / 1000, abs=2e-6)
    assert table.loc["in", "map_error_statistical"] == pytest.approx(pixel["e_domega_noncorr"], abs=6e-4)
    assert np.isnan(table.loc["out", "parallax_map_corrected"])
    assert table["map_flag"].to_dict() == {"in": 0, "out": 1, "none": 2}
    assert table[["plx", "ra"]].equals(pd.read_csv(run / "given/mine.csv", index_col="name")[["plx", "ra"]])


def test_publish_dataset_readme(run: Path) -> None:
    text = (run / "results/measured/README.md").read_text()
    for frame in FRAMES:
        table = published(run, frame)
        assert f"- {frame}: {len(table)} pixels with {table['n'].sum()} stars" in text
    assert "Golden tracers" in text and "simulated stars" not in text
