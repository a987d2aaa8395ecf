"""The toy survey end to end: the files are there, and the injected truth comes out again. No star in it is real."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import healpy
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from astropy.io import fits
from astropy.table import Table
from matplotlib.image import imread
from parsed_workflow import plan
from snakemake_run import ROOT, TOY
from unit.test_config import resolved

from gaia_offsets.core.columns import STANDARD
from gaia_offsets.tables.parquet import parquet_units

SAMPLE = Path("results/simulated_giants")
FRAMES = {"equatorial": ("ra", "dec"), "galactic": ("l", "b")}
PARALLAXES = ("raw", "corrected")

# What a user may rely on: columns of tracers.parquet in their order.
CONTRACT = """source_id ra dec l b ecl_lat phot_g_mean_mag bp_rp nu_eff_used_in_astrometry pseudocolour
astrometric_params_solved solution ruwe parallax parallax_error reference_parallax reference_parallax_error zero_point
parallax_corrected offset_raw offset_corrected"""
KINDS = {"source_id": "int64", "astrometric_params_solved": "int64", "solution": "string"}  # else double
STATISTICS = "n median median_error mean mean_error sd gaussian_mean gaussian_mean_error gaussian_sd"
STATISTICS += " weighted_mean weighted_mean_error"
TABLE1 = "hindex ra dec gl gb domega_corr e_domega_corr domega_noncorr e_domega_noncorr n"


def tracers_with_truth(run: Path) -> pd.DataFrame:
    """The tracers with the true offset of each, raw and corrected [uas]."""
    tracers = pd.read_parquet(run / SAMPLE / "tracers.parquet")
    truth = pd.read_parquet(run / "resources/simulated/toy/truth.parquet")
    joined = tracers.merge(truth, on="source_id", validate="one_to_one")
    assert len(joined) > 0.99 * len(tracers)  # the few others are neighbours that the cross-match took for the star
    return joined.assign(
        true_corrected=joined["residual_offset"], true_raw=joined["residual_offset"] + 1000 * joined["zero_point"]
    )


# ---------------------------------------------------------------- the run


def test_every_file_of_rule_all_is_there(toy: Path) -> None:
    files = {str(name) for name in plan(toy, [TOY], everything=True)["all"][0].input}
    figures = ("fig1_magnitudes", "fig2_training", "fig3_red_clump", "fig4_offsets", "fig5_trends", "fig6_maps")
    tables = ("cutflow", "global_offsets", "trends", "map_equatorial", "map_galactic")
    kinds = ("ecsv", "fits", "csv", "mrt", "vot", "parquet", "moc.fits")
    expected = {
        *(f"figures/{name}.{kind}" for name in (*figures, "counts", "cutflow") for kind in ("png", "pdf")),
        *(f"tables/{name}.csv" for name in tables),
        *(f"maps/{frame}_{parallax}.fits" for frame in FRAMES for parallax in PARALLAXES),
        *(f"dataset/{frame}.{kind}" for frame in FRAMES for kind in kinds),
        *(f"dataset/{frame}_extended.{kind}" for frame in FRAMES for kind in ("ecsv", "fits", "parquet")),
        *("README.md", "budget.html", "claims.html", "results.html", "explore.html"),
    }
    assert {f"{SAMPLE}/{name}" for name in expected} - files == set()
    assert [name for name in [*files, f"{SAMPLE}/tracers.parquet"] if not (toy / name).stat().st_size] == []


def test_figures_are_whole(toy: Path) -> None:
    """PNGs of a journal's width that are neither empty nor black; PDFs that are whole and have no date in them."""
    folder = toy / SAMPLE / "figures"
    pictures = sorted(folder.glob("*.png"))
    assert len(pictures) >= 10 and {path.stem for path in folder.glob("*.pdf")} <= {path.stem for path in pictures}
    for path in pictures:
        picture = imread(path)[..., :3]
        height, width = picture.shape[:2]
        assert 1000 < width < 2000 and 400 < height < 3000, path.name  # 7.1 inches at 200 dots per inch
        assert 0.01 < (picture.min(axis=-1) < 0.9).mean() < 0.7, path.name
        margins = (picture[0], picture[-1], picture[:, 0], picture[:, -1])
        assert all((margin > 0.99).all() for margin in margins), f"{path.name} is cut off"
    for path in folder.glob("*.pdf"):
        content = path.read_bytes()
        assert content.startswith(b"%PDF-") and content.rstrip().endswith(b"%%EOF"), path.name
        assert b"/CreationDate" not in content and 5_000 < len(content) < 2_000_000, path.name


# ---------------------------------------------------------------- contracts


def test_tracers_keep_their_contract(toy: Path) -> None:
    schema = pq.read_schema(toy / SAMPLE / "tracers.parquet")
    kinds = [str(kind).replace("large_string", "string") for kind in schema.types]
    assert schema.names == CONTRACT.split() and kinds == [KINDS.get(name, "double") for name in schema.names]
    units = {name: STANDARD[name].unit for name in schema.names if STANDARD[name].unit}
    assert parquet_units(schema) == units and units["offset_raw"] == "uas" and units["parallax"] == "mas"
    tracers = pd.read_parquet(toy / SAMPLE / "tracers.parquet")
    assert tracers["source_id"].is_monotonic_increasing and tracers["source_id"].is_unique
    assert np.isfinite(tracers["offset_raw"]).all()
    assert (tracers["offset_corrected"].isna() == tracers["zero_point"].isna()).all()
    assert (tracers["solution"] == tracers["astrometric_params_solved"].map({31: "5p", 95: "6p"})).all()
    for offset, parallax in (("offset_raw", "parallax"), ("offset_corrected", "parallax_corrected")):
        expected = 1000 * (tracers[parallax] - tracers["reference_parallax"])
        assert tracers[offset].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-9)


def test_the_cut_flow_adds_up(toy: Path) -> None:
    flow = pd.read_csv(toy / SAMPLE / "tables/cutflow.csv")
    tracers = pd.read_parquet(toy / SAMPLE / "tracers.parquet")
    assert flow.columns.tolist() == ["step", "criterion", "kept", "removed", "kept_5p", "kept_6p"]
    assert flow["step"].tolist() == list(range(len(flow)))
    targets = Table.read(toy / "resources/simulated/toy/targets.fits")
    assert (flow["kept"].iloc[0], flow["removed"].iloc[0]) == (len(targets), 0)
    assert (flow["kept"].shift() - flow["removed"])[1:].equals(flow["kept"][1:].astype(float))
    solved = flow["criterion"].tolist().index("has a 5p or 6p solution")
    assert (flow["kept_5p"] + flow["kept_6p"] == flow["kept"])[solved:].all()
    assert flow[["kept", "kept_5p", "kept_6p"]].apply(lambda column: column.is_monotonic_decreasing).all()
    last = flow.iloc[-1]
    assert (last["kept_5p"], last["kept_6p"]) == tuple((tracers["solution"] == name).sum() for name in ("5p", "6p"))
    cuts = resolved()["samples"]["lamost_giants"]["cuts"]
    first = flow["criterion"].tolist().index("snr >= 50")
    steps = flow["criterion"].tolist()[first : first + len(cuts)]
    assert [cut["column"] in step for cut, step in zip(cuts, steps, strict=True)] == [True] * len(cuts)


def test_tables_have_their_columns(toy: Path) -> None:
    keys = {"global_offsets": "solution parallax", "trends": "solution parallax variable bin_low bin_high x_mean"}
    for name, columns in keys.items():
        table = pd.read_csv(toy / SAMPLE / f"tables/{name}.csv")
        assert table.columns.tolist() == f"{columns} {STATISTICS}".split()
        assert table["n"].min() >= 100
        assert table.notna().all(axis=None)
    for frame in FRAMES:
        table = Table.read(toy / SAMPLE / f"dataset/{frame}.ecsv")
        assert table.colnames == TABLE1.split()
        assert (table.meta["ordering"], table.meta["nside"], min(table["n"]) > 50) == ("nested", 32, True)


# ---------------------------------------------------------------- truth


@pytest.mark.parametrize("solution", ["5p", "6p"])
@pytest.mark.parametrize("parallax", PARALLAXES)
def test_the_global_offset_is_the_injected_one(toy: Path, solution: str, parallax: str) -> None:
    stars = tracers_with_truth(toy)
    truth = stars.loc[stars["solution"] == solution, f"true_{parallax}"].dropna()
    table = pd.read_csv(toy / SAMPLE / "tables/global_offsets.csv").set_index(["solution", "parallax"])
    row = table.loc[(solution, parallax)]
    # The median: distance errors are skewed and pull the Gaussian mean by -0.4 uas.
    assert abs(row["median"] - truth.mean()) < 3 * row["median_error"]
    assert abs(row["gaussian_mean"] - truth.mean()) < 3 * row["gaussian_mean_error"] + 0.4
    # The error is what it should be: that of a median, 1.25 sigma / sqrt(n), to the accuracy of an order statistic.
    assert row["median_error"] == pytest.approx(1.25 * row["gaussian_mean_error"], rel=0.35)


@pytest.mark.parametrize("frame", FRAMES)
def test_the_map_is_the_injected_one(toy: Path, frame: str) -> None:
    stars = tracers_with_truth(toy).query("solution == '5p'")
    stars["hindex"] = healpy.ang2pix(32, *(stars[name] for name in FRAMES[frame]), nest=True, lonlat=True)
    truth = stars.groupby("hindex")[["true_raw", "true_corrected"]].mean()
    table = Table.read(toy / SAMPLE / f"dataset/{frame}.ecsv").to_pandas().set_index("hindex")
    truth = truth.loc[table.index]
    for ending, parallax in (("corr", "corrected"), ("noncorr", "raw")):
        measured, error = table[f"domega_{ending}"], table[f"e_domega_{ending}"]
        true = truth[f"true_{parallax}"]
        pixels = len(table)
        assert pixels > 80
        # Measured = true + noise of the stated size: the correlation follows from the two variances, and Fisher's z
        # of a sample of pixels scatters about it by 1 / sqrt(pixels - 3).
        signal, noise = true.var(), (error**2).mean()
        expected = np.sqrt(signal / (signal + noise))
        found = np.corrcoef(measured, true)[0, 1]
        assert abs(np.arctanh(found) - np.arctanh(expected)) < 3 / np.sqrt(pixels - 3), (found, expected)
        pull = (measured - true) / error
        spread = 3 / np.sqrt(2 * pixels)
        # The estimator scatters by 4 % more than its stated error sigma / sqrt(n).
        assert 1.0 - spread < pull.std() < 1.04 + spread
        assert abs(pull.mean()) < 3 / np.sqrt(pixels) + 0.4 / error.mean()


def test_the_map_before_and_after_correction_differ_by_the_zero_point(toy: Path) -> None:
    stars = pd.read_parquet(toy / SAMPLE / "tracers.parquet").query("solution == '5p'")
    stars["hindex"] = healpy.ang2pix(32, stars["ra"], stars["dec"], nest=True, lonlat=True)
    zero_point = 1000 * stars.groupby("hindex")["zero_point"].mean()
    raw, corrected = (healpy.read_map(toy / SAMPLE / f"maps/equatorial_{name}.fits", nest=True) for name in PARALLAXES)
    seen = np.flatnonzero(raw != healpy.UNSEEN)
    difference = raw[seen] - corrected[seen]
    # The zero point varies by some 8 uas from star to star, which moves the weights of the fit.
    assert difference == pytest.approx(zero_point.loc[seen].to_numpy(), abs=5)
    assert np.mean(difference - zero_point.loc[seen].to_numpy()) == pytest.approx(0, abs=0.7)


@pytest.mark.parametrize("frame", FRAMES)
def test_aladin_reads_the_maps(toy: Path, frame: str, tmp_path: Path) -> None:
    """Its own reader of HEALPix turns a map into a HiPS, whose tiles must hold the values of their pixels."""
    if shutil.which("aladin") is None:
        if os.environ.get("GAIA_OFFSETS_REQUIRE_TAP") == "1":
            pytest.fail("aladin is not on the PATH, and GAIA_OFFSETS_REQUIRE_TAP=1 asks for Debian's packages")
        pytest.skip("aladin is not on the PATH")
    path = toy / SAMPLE / f"maps/{frame}_corrected.fits"
    words = ["-hipsgen", f"in={path}", f"out={tmp_path / 'hips'}", "id=AUX/P/toy", "MAPTILES"]
    headless = {**os.environ, "JAVA_TOOL_OPTIONS": "-Djava.awt.headless=true"}
    done = subprocess.run(["aladin", *words], env=headless, capture_output=True, text=True, timeout=120, check=False)
    said = done.stdout + done.stderr
    table = Table.read(path)
    nside = table.meta["NSIDE"]
    assert f"HEALPix FITS map  PARTIAL nside={nside} ordering=NESTED frame={frame}" in said, said
    deepest = max((tmp_path / "hips").glob("Norder*"), key=lambda folder: int(folder.name.removeprefix("Norder")))
    inside = (nside >> int(deepest.name.removeprefix("Norder"))) ** 2  # pixels of the map in a tile
    found = 0
    for tile in deepest.rglob("Npix*.fits"):
        values = fits.getdata(tile)
        mine = np.asarray(table["PIXEL"]) // inside == int(tile.stem.removeprefix("Npix"))
        assert sorted(values[np.isfinite(values)]) == sorted(table["OFFSET"][mine])
        found += mine.sum()
    assert found == len(table) > 50


def test_the_numbers_of_the_readme_are_those_of_the_run(toy: Path) -> None:
    text = " ".join((ROOT / "README.md").read_text().split())
    row = pd.read_csv(toy / SAMPLE / "tables/global_offsets.csv").set_index(["solution", "parallax"]).loc["5p"]
    stars = tracers_with_truth(toy).query("solution == '5p'")
    raw, corrected = (f"{row.loc[p, 'median']:+.1f} ± {row.loc[p, 'median_error']:.1f}" for p in ("raw", "corrected"))
    assert f"{row.loc['raw', 'n']:,} simulated 5p giants" in text
    assert f"{raw} μas raw and {corrected} μas corrected" in text
    assert f"{stars['true_raw'].mean():+.1f} and {stars['true_corrected'].mean():+.1f}" in text


# ---------------------------------------------------------------- called simulated


def test_simulated_stars_are_called_so_wherever_their_numbers_are(toy: Path) -> None:
    assert "stars are simulated" in (toy / SAMPLE / "README.md").read_text()
    for frame in FRAMES:
        meta = Table.read(toy / SAMPLE / f"dataset/{frame}.ecsv").meta
        assert meta["simulated"] is True and "SIMULATED" in meta["title"]
        assert "SIMULATED" in (toy / SAMPLE / f"dataset/{frame}.mrt").read_text()
    title = yaml.safe_load(TOY.read_text())["samples"]["simulated_giants"]["title"]
    assert "imulated" in title  # it stands above every figure


def test_the_report_holds_every_figure_and_caption(toy: Path, report: Path) -> None:
    page = report.read_text(encoding="utf-8")
    figures = {path.name for path in (toy / SAMPLE / "figures").glob("*.png")}
    assert {name for name in figures if name not in page} == set()
    for number in (4, 5, 6):
        assert f"Figure {number}, Simulated giants" in page
    # Once with each figure.
    assert page.count("The stars are simulated:") >= len(figures)
    assert "toggle" in page  # labels with two values
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=\"https?:", page)  # opens without a network


# ---------------------------------------------------------------- provenance


def test_the_run_tells_what_it_is_made_of(toy: Path) -> None:
    folder = toy / "results/runs/toy"
    text = (folder / "provenance.json").read_text(encoding="utf-8")
    record = json.loads(text)
    assert record["run"] == "toy" and record["inputs"] == [] and set(record["settings"]["surveys"]) == {"toy"}
    assert {f"{SAMPLE}/{name}" for name in ("tracers.parquet", "dataset/galactic_smooth.ecsv")} <= set(record["files"])
    for path, digest in record["files"].items():
        assert hashlib.sha256((toy / path).read_bytes()).hexdigest() == digest, path
    # What the metadata of a map say of settings and software stands there, too.
    meta = Table.read(toy / SAMPLE / "dataset/equatorial.ecsv").meta
    assert meta["config_digest"] == record["settings"]["digests"]["simulated_giants"]
    workflow, *packages = meta["versions"].split(", ")
    assert set(packages) <= {f"{name} {version}" for name, version in record["software"]["packages"].items()}
    # Not whole: an edit or a commit while the toy ran would tell the one and not the other.
    assert workflow.split(" (")[0] == record["software"]["workflow"].split(" (")[0]
    assert meta["inputs"] == "simulated survey toy"
    # Neither a path of this machine nor a date.
    for path in (str(toy), str(ROOT), str(Path.home())):
        assert f'"{path}' not in text
    assert not re.search(r"20\d\d-\d\d-\d\dT|\d\d:\d\d:\d\d", text)
    told = (folder / "acknowledgements.md").read_text(encoding="utf-8")
    assert (
        "Simulated stars, of which no number says anything about the real sky: Simulated giants (toy survey)." in told
    )
    assert "mission Gaia" not in told and "`wang2022`" in told
    assert "@article{lindegren2021b," in (folder / "references.bib").read_text(encoding="utf-8")
