"""Settings of the simulated survey: what each does, and that those of simulated_paper.yaml give the paper's sample."""

import numpy as np
import pandas as pd
import pytest
from crossmatch_tables import open_tables
from frames import match_catalogues
from select_stars import add_reference
from snakemake_run import ROOT
from unit.shared import refuses
from unit.test_config import resolved
from unit.test_simulate import written

from gaia_offsets.core.faults import Fault
from gaia_offsets.paper.comparison import observed_stars
from gaia_offsets.paper.red_clump import red_clump_pairs
from gaia_offsets.paper.training_set import training_groups
from gaia_offsets.paper.verdicts import read_claims
from gaia_offsets.sample.selection import select_stars
from gaia_offsets.simulate.field import MAP_NSIDE
from gaia_offsets.simulate.galaxy import MODULI, draw_moduli, line_of_sight
from gaia_offsets.simulate.labels import bolometric_magnitude, label_errors, surface_gravity, true_labels
from gaia_offsets.simulate.survey import survey_chunks
from gaia_offsets.sky.match import match_nearest
from gaia_offsets.tables.read import read_table

CONFIG = resolved((ROOT / "config/simulated_paper.yaml").read_text())  # of the run at the paper's scale
STANDARD, PAPER = (CONFIG["surveys"][name] for name in ("standard", "paper"))
GIANTS = {**STANDARD, "stars": 20_000, "plates": 30, "giant_fraction": 1.0, "spectra_per_star": 1.0}


# Sums over the spectra of 1,000 stars of seed 1, of the version before the keys `labels` and `catalogue_mks` came.
BEFORE = {"teff": 4911694.789935293, "logg": 2698.3114168224347, "feh": -223.17313007365826}
BEFORE |= {"mks": -925.5914352267681, "ebv": 122.21405017542543}


def tables(**settings) -> dict[str, dict[str, np.ndarray]]:
    """One chunk of simulated giants, one spectrum each, under a sky without offsets."""
    return next(survey_chunks({**GIANTS, **settings}, np.zeros(12 * MAP_NSIDE**2)))


def of_each(targets: dict, gaia: dict, values: np.ndarray) -> np.ndarray:
    """Values of the Gaia source of each target."""
    index, _, _ = match_nearest(targets["ra"], targets["dec"], gaia["ra"], gaia["dec"], 3.0)
    return values[index]


@pytest.mark.parametrize("median", [30.0, 50.0])
def test_signal_to_noise_has_its_median(median):
    assert np.median(tables(snr_median=median)["targets"]["snr"]) == pytest.approx(median, rel=0.02)


def test_a_catalogue_that_is_not_complete_lacks_stars_and_changes_nothing_else():
    full, part = (tables(red_clump_completeness=share) for share in (1.0, 0.4))
    total, found = (len(chunk["red_clump"]["ra"]) for chunk in (full, part))
    assert abs(found - 0.4 * total) < 5 * np.sqrt(0.24 * total)
    assert np.isin(part["red_clump"]["distance"], full["red_clump"]["distance"]).all()
    for table in full.keys() - {"red_clump"}:
        for name, values in full[table].items():
            np.testing.assert_array_equal(values, part[table][name])


@pytest.mark.parametrize("reach", [0.0, 0.5, 1.0])
def test_luminous_giants_are_seen_farther(reach):
    sky = tables(luminosity_reach=reach, giant_parallax_mas=0.3, snr_median=1000.0, neighbour_fraction=0.0)
    true = pd.Series(sky["truth"]["parallax_true"], sky["truth"]["source_id"])[sky["gaia_source"]["source_id"]]
    parallax = of_each(sky["targets"], sky["gaia_source"], true.to_numpy())
    mks = sky["targets"]["mks"]
    usual = np.abs(mks + 1.0) < 2.0  # the others come to the survey's limits, which hold them back
    slope, _ = np.polyfit(mks[usual], 5.0 * np.log10(parallax[usual]), 1)
    assert slope == pytest.approx(reach, abs=0.08)
    assert np.median(parallax[np.abs(mks + 1.61) < 0.3]) == pytest.approx(0.3, rel=0.03)


def test_a_survey_keeps_giants_of_the_galaxy_by_their_brightness():
    window = {"bright": 11.0, "faint": 15.0, "edge": 0.2, "plate_scatter": 0.0, "feh_gradient": [0.0, -0.3]}
    sky = tables(magnitude_window=window, labels="physical", neighbour_fraction=0.0, snr_median=1000.0)
    g, truth = sky["gaia_source"]["phot_g_mean_mag"], sky["truth"]
    assert np.mean((g > 11.0) & (g < 15.0)) > 0.9
    assert np.mean((g > 10.0) & (g < 16.0)) > 0.995
    index = np.argsort(truth["source_id"])[np.argsort(np.argsort(sky["gaia_source"]["source_id"]))]
    true = of_each(sky["targets"], sky["gaia_source"], truth["parallax_true"][index])
    height = np.abs(np.sin(np.radians(of_each(sky["targets"], sky["gaia_source"], sky["gaia_source"]["b"])))) / true
    assert np.polyfit(np.minimum(height, 5.0), sky["targets"]["feh"], 1)[0] == pytest.approx(-0.3, abs=0.03)
    # Luminous giants are seen farther, and 3 mag make more than a factor of two.
    mks = sky["targets"]["mks"]
    assert np.median(true[mks > -0.5]) > 2.0 * np.median(true[mks < -3.5])


def test_a_window_with_no_giant_in_it_is_refused():
    window = {"bright": 3.0, "faint": 3.1, "edge": 0.1, "plate_scatter": 0.0, "feh_gradient": [0.0, 0.0]}
    refuses("found no place in it; widen it", tables, magnitude_window=window, stars=100, error=Fault)


def test_stars_thin_out_as_the_discs_and_the_halo_do():
    """Towards the pole the thin disc's scale height near by, the halo's power law far out; moduli drawn from that."""
    lines = line_of_sight(np.zeros(2), np.array([90.0, 30.0]))
    per_volume = np.log(lines[0]) - 0.6 * np.log(10.0) * MODULI
    height = 10.0 ** (0.2 * MODULI - 2.0)
    near, far = (height > 0.1) & (height < 0.4), height > 60.0
    assert -1.0 / np.polyfit(height[near], per_volume[near], 1)[0] == pytest.approx(0.32, abs=0.02)
    assert np.polyfit(np.log(height[far]), per_volume[far], 1)[0] == pytest.approx(-2.7, abs=0.05)
    direction = np.repeat([0, 1], 100_000)
    moduli = draw_moduli(np.random.default_rng(1), lines, direction)
    for number in (0, 1):
        mean = np.average(MODULI, weights=lines[number])
        assert moduli[direction == number].mean() == pytest.approx(mean, abs=0.02)


def test_near_stars_have_little_of_the_dust_in_front_of_them():
    """Dwarfs, with the same random numbers for both: the ratio of their mean extinctions is the model's."""
    behind, within = (tables(dust_kpc=scale, giant_fraction=0.0, stars=100_000) for scale in (0.0, 0.5))
    parallax = of_each(behind["targets"], behind["gaia_source"], behind["gaia_source"]["parallax"])
    before, after, mks = behind["targets"]["ebv"], within["targets"]["ebv"], behind["targets"]["mks"]
    for low, high in ((1.0, 1.1), (2.0, 2.2), (4.0, 4.4)):
        some = (parallax > low) & (parallax < high) & (np.abs(mks - 4.0) < 1.0)  # few of them at the survey's limits
        expected = -np.expm1(-2.0 / np.mean(parallax[some]))
        assert after[some].mean() / before[some].mean() == pytest.approx(expected, abs=0.02)


def test_the_sun_and_a_red_clump_star_close_with_stefan_and_boltzmann():
    """log g from the radius, which the luminosity and the temperature give, in place of the formula's logarithms."""
    assert surface_gravity(3.28, 5772.0, 1.0) == pytest.approx(4.44, abs=0.01)
    mks = -1.61
    luminosity = 10.0 ** (0.4 * (4.74 - bolometric_magnitude(mks, 4800.0)))
    radius = np.sqrt(luminosity) * (5772.0 / 4800.0) ** 2
    assert surface_gravity(mks, 4800.0, 1.0) == pytest.approx(4.438 - 2.0 * np.log10(radius), abs=1e-9)
    assert luminosity == pytest.approx(55.0, rel=0.03)  # M_bol = 0.39, as of field clump stars
    assert surface_gravity(mks, 4800.0, 2.0) - surface_gravity(mks, 4800.0, 1.0) == pytest.approx(np.log10(2.0))


def test_physical_labels_hide_the_mass_of_giants_and_keep_dwarfs_apart():
    count = 100_000
    rng = np.random.default_rng(1)
    giant, clump = np.arange(count) % 2 == 0, np.arange(count) % 4 == 0
    mks = np.where(giant, np.where(clump, -1.61, rng.uniform(-6.0, 1.8, count)), rng.uniform(1.5, 6.0, count))
    feh = rng.normal(-0.2, 0.3, count)
    teff, logg = true_labels("physical", rng, mks=mks, feh=feh, giant=giant, clump=clump)
    ln_mass = (logg - surface_gravity(mks, teff, 1.0)) * np.log(10.0)
    assert np.median(np.exp(ln_mass[giant])) == pytest.approx(1.2, rel=0.01)
    assert ln_mass[giant].std() == pytest.approx(0.2, rel=0.02)
    assert np.corrcoef(ln_mass[clump], mks[clump] + feh[clump])[0, 1] == pytest.approx(0.0, abs=0.03)
    assert (logg[~giant] > 4.0).all() and np.median(logg[~giant]) > 4.4
    dwarfs = tables(labels="physical", giant_fraction=0.0)["targets"]
    assert np.mean(dwarfs["logg"][dwarfs["snr"] >= 50.0] <= 3.8) < 0.001  # the paper's cut leaves them out
    assert np.median(logg[clump]) == pytest.approx(2.46, abs=0.02)
    branch = giant & ~clump & (np.abs(mks + 1.61) < 0.2) & (np.abs(feh + 0.2) < 0.1)
    assert np.median(teff[clump]) - np.median(teff[branch]) == pytest.approx(200.0, abs=15.0)


@pytest.mark.parametrize(
    ("snr", "shares"), [(25.0, (2.0, 2.0)), (50.0, (1.0, 1.0)), (60.0, (1.0, 5 / 6)), (200.0, (1.0, 0.8))]
)
def test_label_errors_at_a_signal_to_noise_ratio(snr, shares):
    for (kind, teff), share in zip((("straight_lines", 60.0), ("physical", 80.0)), shares, strict=True):
        sds = {"teff": teff, "logg": 0.12, "feh": 0.08}
        expected = {name: pytest.approx(share * sd) for name, sd in sds.items()}
        assert label_errors(kind, np.array([snr])) == expected


def test_observed_physical_labels_scatter_as_stated():
    """Pairs of spectra of one star differ by the errors of both; the same position tells that it is one star."""
    targets = pd.DataFrame(tables(labels="physical", spectra_per_star=2.0)["targets"])
    pairs = targets.groupby(["ra", "dec"]).filter(lambda spectra: len(spectra) == 2)
    first, second = pairs.iloc[::2].reset_index(), pairs.iloc[1::2].reset_index()
    of_first, of_second = (label_errors("physical", half["snr"].to_numpy()) for half in (first, second))
    assert len(first) > 5000
    for name in ("teff", "logg", "feh"):
        pull = (first[name] - second[name]) / np.hypot(of_first[name], of_second[name])
        assert pull.std() == pytest.approx(1.0, abs=4.0 / np.sqrt(2 * len(pull)))
        assert pull.mean() == pytest.approx(0.0, abs=4.0 / np.sqrt(len(pull)))


def test_physical_labels_give_distances_to_12_to_16_percent():
    """A cubic in observed Teff, log g and [Fe/H], fitted to half of the giants with SNR >= 50, of the others' M_Ks."""
    found = tables(labels="physical", distance_error=0.0, stars=60_000)["targets"]
    good = (found["snr"] >= 50.0) & (found["logg"] <= 3.8)
    mks = found["mks"][good]
    scaled = ((found["teff"] - 4800.0) / 400.0, (found["logg"] - 2.6) / 0.6, (found["feh"] + 0.2) / 0.3)
    x, y, z = (label[good] for label in scaled)
    terms = [x**i * y**j * z**k for i in range(4) for j in range(4 - i) for k in range(4 - i - j)]
    design, fitted = np.column_stack(terms), np.arange(len(mks)) % 2 == 0
    cubic, *_ = np.linalg.lstsq(design[fitted], mks[fitted])
    left = (mks - design @ cubic)[~fitted]
    assert 0.12 < np.log(10.0) / 5.0 * left.std() < 0.16


def test_a_catalogue_without_absolute_magnitudes_is_otherwise_the_same(tmp_path):
    full, without = (tables(labels="physical", catalogue_mks=told) for told in (True, False))
    assert set(full["targets"]) - set(without["targets"]) == {"mks"}
    for table, columns in without.items():
        for name, values in columns.items():
            np.testing.assert_array_equal(values, full[table][name])
    paths, _ = written(tmp_path, {**GIANTS, "stars": 500, "catalogue_mks": False})
    file = read_table(paths["targets"])
    assert "mks" not in file and {"obsid", "snr", "teff", "logg", "feh", "ebv"} <= set(file)


def test_straight_lines_give_the_stars_that_they_gave():
    targets = tables(seed=1, stars=1000)["targets"]
    assert {name: targets[name].sum() for name in BEFORE} == pytest.approx(BEFORE, rel=1e-12)


def test_claims_name_settings_of_the_survey():
    claims = read_claims(ROOT / "workflow/resources/claims.yaml")
    told = [claim["simulated"] for claim in claims if "simulated" in claim]
    named = [words[len("set by ") : -len(" of the survey")] for words in told if words.endswith(" of the survey")]
    assert len(named) == 10 and {key for names in named for key in names.split(" and ")} <= set(PAPER)


def test_the_survey_at_the_papers_scale_has_the_papers_sample(tmp_path):
    """A thirtieth of its stars: counts within 5 standard deviations of their share of the paper's."""
    share = 150_000 / PAPER["stars"]
    paths, rows = written(tmp_path, {**PAPER, "stars": 150_000})
    sample = CONFIG["samples"]["simulated_lamost"]
    match, comparison = sample["crossmatch"], sample["comparison"]
    columns = {"targets": sample["targets"]["columns"], "gaia": None, "tmass": None, "distances": None}
    opened = open_tables({**paths, "gaia": paths["gaia_source"]}, columns)
    how = {"target_epoch": match["epoch"], "gaia_epoch": 2016.0, "radius_arcsec": match["radius_arcsec"]}
    how["tmass_radius_arcsec"] = match["tmass_radius_arcsec"]
    matched = match_catalogues(**{role: table.read() for role, table in opened.items()}, **how)
    rule = {"one_row_per": sample["one_row_per"], "cuts": sample["cuts"]}
    stars, cutflow, *_ = select_stars(add_reference(matched, sample["reference"], None), **rule)
    clump = read_table(paths["red_clump"], sample["red_clump"]["columns"], required=("ra", "dec", "distance"))
    pairs = red_clump_pairs(stars, clump, release_epoch=2016.0, epoch=2000.0, radius_arcsec=3.0)

    counts = {
        "5p giants": (cutflow["kept_5p"].iloc[-1], 268_003),
        "6p giants": (cutflow["kept_6p"].iloc[-1], 5_070),
        "red clump catalogue": (rows["red_clump"], 140_000),
        "in common": (len(pairs), 49_459),
    }
    for name, (count, paper) in counts.items():
        assert abs(count - paper * share) < 5 * np.sqrt(paper * share), name
    observed = observed_stars(matched, sample["one_row_per"], min_snr=comparison["min_snr"])
    groups = training_groups(observed, stars, "mks", max_ebv=comparison["max_ebv_training"])
    means = {group: table["parallax"].mean() for group, table in groups.items()}
    assert means["training"] == pytest.approx(2.0, abs=0.3)  # the tolerances of workflow/resources/claims.yaml
    assert means["giants"] == pytest.approx(0.45, abs=0.05) and pairs["difference"].std() == pytest.approx(41, abs=4)
    assert groups["giants"]["ebv"].median() == pytest.approx(0.09, abs=0.01)
