"""What 2MASS and Gaia see of simulated stars: magnitudes, sources with their offsets, geometric distances."""

from __future__ import annotations

import numpy as np

from gaia_offsets.core.columns import GAIA
from gaia_offsets.publish.fields import OFFICIAL
from gaia_offsets.sample.zero_points import G_RANGE, NU_EFF_RANGE, PSEUDOCOLOUR_RANGE, zero_point
from gaia_offsets.simulate.field import MAP_NSIDE, Survey
from gaia_offsets.simulate.stars import PARALLAX_SCATTER, Columns, moved, scattered
from gaia_offsets.sky.match import propagate
from gaia_offsets.sky.positions import ecliptic_latitude, pixel_index, to_galactic

# 2MASS: a few per cent have an error above the paper's 0.03 mag.
KS_ERROR, KS_ERROR_SCATTER, JH_ERROR, UPPER_LIMIT_FRACTION = 0.021, 0.25, 0.024, 0.003

# Gaia.
VELOCITY_KM_S = 40.0  # of disc stars, each component
KM_S_PER_MAS_YR_KPC = 4.74047
TARGET_EPOCH, GAIA_EPOCH = 2000.0, 2016.0
PARALLAX_ERROR_SCATTER = 0.15  # of ln(error) about ESA's formula: number of transits
PM_PER_PARALLAX_ERROR = (1.03, 0.89)  # ESA's formula for (E)DR3, 1 / yr
COLOUR_ERROR, NU_EFF_SCATTER, PSEUDOCOLOUR_ERROR = 0.005, 0.005, 0.03
RUWE_SCATTER, RUWE_TAIL = 0.05, 1.4  # good fits about 1, poor ones above the paper's cut
NEIGHBOUR_ARCSEC, NEIGHBOUR_FAINTER_MAG, FAINTEST_G = (1.0, 6.0), (0.5, 5.0), 20.5
COLOUR_PIVOT = 1.2  # BP - RP of a red clump star, where the colour part of the offset is zero
DISTANCE_PRIOR_KPC = 1.0  # exponentially decreasing space density, the one prior of all directions


def tmass_sources(rng: np.random.Generator, stars: Columns) -> Columns:
    """2MASS point sources, in order of right ascension."""
    count = len(stars["ra"])
    ra, dec = scattered(rng, stars["ra"], stars["dec"])
    error = KS_ERROR * rng.lognormal(0.0, KS_ERROR_SCATTER, count)
    measured = {
        "j_m": stars["j"] + rng.normal(0.0, JH_ERROR, count),
        "h_m": stars["h"] + rng.normal(0.0, JH_ERROR, count),
        "ks_m": stars["ks"] + error * rng.standard_normal(count),
        "ks_msigcom": np.where(rng.random(count) < UPPER_LIMIT_FRACTION, np.nan, error),
    }
    order = np.argsort(ra, kind="stable")
    narrow = {name: values[order].astype(np.float32) for name, values in measured.items()}
    return {"ra": ra[order], "dec": dec[order], **narrow}


def _with_neighbours(rng: np.random.Generator, survey: Survey, stars: Columns) -> Columns:
    """The stars' properties that Gaia sees, followed by the fainter sources close to some of them."""
    names = ("ra", "dec", "parallax", "g", "bp_rp")
    who = np.flatnonzero(rng.random(len(stars["ra"])) < survey["neighbour_fraction"])
    distance = rng.uniform(*NEIGHBOUR_ARCSEC, len(who)) / 3600.0
    ra, dec = moved(stars["ra"][who], stars["dec"][who], distance, rng.uniform(0.0, 2.0 * np.pi, len(who)))
    neighbours = {
        "ra": ra,
        "dec": dec,
        "parallax": survey["giant_parallax_mas"] * rng.lognormal(0.0, PARALLAX_SCATTER, len(who)),
        "g": np.minimum(stars["g"][who] + rng.uniform(*NEIGHBOUR_FAINTER_MAG, len(who)), FAINTEST_G),
        "bp_rp": np.clip(rng.normal(COLOUR_PIVOT, 0.4, len(who)), 0.0, 3.0),
    }
    return {name: np.concatenate([stars[name], neighbours[name]]) for name in names}


def _solutions(
    rng: np.random.Generator, survey: Survey, true: Columns
) -> tuple[np.ndarray, Columns, np.ndarray, np.ndarray]:
    """Code of the solution, what Gaia says of it, the parallax error and the parallax noise [mas] of each source."""
    from pygaia.errors.astrometric import parallax_uncertainty

    count = len(true["ra"])
    draw = rng.random(count)
    two, six = survey["two_parameter_fraction"], survey["six_parameter_fraction"]
    solved = np.where(draw < two, 3, np.where(draw < two + six, 95, 31)).astype(np.int8)
    poor = rng.random(count) < survey["ruwe_tail_fraction"]
    ruwe = np.where(poor, RUWE_TAIL + rng.exponential(1.5, count), rng.lognormal(0.0, RUWE_SCATTER, count))
    bp_rp = true["bp_rp"] + COLOUR_ERROR * rng.standard_normal(count)
    # Lindegren et al. 2021a, Eq. 3.
    nu_eff = 1.76 - 1.61 / np.pi * np.arctan(0.531 * true["bp_rp"]) + NU_EFF_SCATTER * rng.standard_normal(count)
    pseudocolour = nu_eff + PSEUDOCOLOUR_ERROR * rng.standard_normal(count)
    error = parallax_uncertainty(true["g"], release="dr3") / 1000.0 * rng.lognormal(0.0, PARALLAX_ERROR_SCATTER, count)
    seen = {
        "parallax_error": np.where(solved != 3, error, np.nan),
        "phot_g_mean_mag": true["g"],
        "bp_rp": np.where(rng.random(count) < survey["missing_colour_fraction"], np.nan, bp_rp),
        "nu_eff_used_in_astrometry": np.where(solved == 31, nu_eff, np.nan),
        "pseudocolour": np.where(solved == 95, pseudocolour, np.nan),
        "ruwe": np.where(solved != 3, ruwe, np.nan),
    }
    # In the archive's single precision, which the official zero point is evaluated with, here and later.
    seen = {name: values.astype(np.float32) for name, values in seen.items()}
    # A poor fit is worse than it says.
    return solved, seen, error, error * np.where(poor, ruwe, 1.0) * rng.standard_normal(count)


def gaia_sources(
    rng: np.random.Generator, survey: Survey, stars: Columns, offset_map: np.ndarray, first_number: int
) -> tuple[Columns, Columns, Columns]:
    """Gaia sources of the stars and their neighbours, geometric distances and the truth, each by source_id."""
    true = _with_neighbours(rng, survey, stars)
    count = len(true["ra"])
    pmra, pmdec = VELOCITY_KM_S / KM_S_PER_MAS_YR_KPC * true["parallax"] * rng.standard_normal((2, count))
    ra, dec = propagate(true["ra"], true["dec"], pmra, pmdec, GAIA_EPOCH - TARGET_EPOCH)
    longitude, b = to_galactic(ra, dec)
    beta = ecliptic_latitude(ra, dec)
    solved, seen, error, noise = _solutions(rng, survey, true)
    model = {"phot_g_mean_mag": G_RANGE, "nu_eff_used_in_astrometry": NU_EFF_RANGE, "pseudocolour": PSEUDOCOLOUR_RANGE}
    # Held at the edge of its model beyond it, so that every source with a parallax has an official offset.
    inside = [np.clip(seen[name].astype(float), *limits) for name, limits in model.items()]
    official = zero_point(OFFICIAL, *inside, beta, solved)
    pixel = pixel_index(ra, dec, nside=MAP_NSIDE, ordering="nested")
    residual = offset_map[pixel] + survey["offset"]["colour_slope_uas"] * (true["bp_rp"] - COLOUR_PIVOT)
    parallax = true["parallax"] + official + residual / 1000.0 + noise
    pm_noise = np.array(PM_PER_PARALLAX_ERROR)[:, None] * error * rng.standard_normal((2, count))

    # As in real identifiers: the level-12 nested pixel, then a running number in units of 128.
    source_id = (pixel_index(ra, dec, nside=4096, ordering="nested") << 35) | (first_number + np.arange(count)) << 7
    has_parallax = solved != 3
    gaia = {"source_id": source_id, "ra": ra, "dec": dec, "l": longitude, "b": b, "ecl_lat": beta, "parallax": parallax}
    gaia |= {"pmra": np.where(has_parallax, pmra + pm_noise[0], np.nan)}
    gaia |= {"pmdec": np.where(has_parallax, pmdec + pm_noise[1], np.nan)}
    gaia |= {**seen, "astrometric_params_solved": solved}
    order = np.argsort(source_id)
    distances = geometric_distance(parallax - official, error)
    placed = order[has_parallax[order]]
    targets = order[order < len(stars["ra"])]
    truth = {"source_id": source_id, "parallax_true": true["parallax"], "residual_offset": residual}
    return (
        {name: gaia[name][order] for name in GAIA},
        {"source_id": source_id[placed], **{name: values[placed] for name, values in distances.items()}},
        {name: values[targets] for name, values in truth.items()},
    )


def geometric_distance(parallax: np.ndarray, error: np.ndarray) -> Columns:
    """Median, 16th and 84th percentile [pc] of the distance for parallaxes corrected by the official zero point [mas].

    After Bailer-Jones et al. 2021, with one exponentially decreasing space density for all directions and the posterior
    in ln(distance) taken as a Gaussian about its peak.
    """
    low = np.full(np.shape(parallax), np.log(0.01))  # 10 pc to 50 kpc
    high = np.full(np.shape(parallax), np.log(50.0))
    for _ in range(25):
        x = 0.5 * (low + high)
        inverse = np.exp(-x)
        rising = 3.0 - 1.0 / (inverse * DISTANCE_PRIOR_KPC) > (parallax - inverse) * inverse / error**2
        low, high = np.where(rising, x, low), np.where(rising, high, x)
    inverse = np.exp(-0.5 * (low + high))
    curvature = 1.0 / (inverse * DISTANCE_PRIOR_KPC) + (2.0 * inverse - parallax) * inverse / error**2
    spread = np.exp(1.0 / np.sqrt(np.maximum(curvature, 1.0)))
    median = 1000.0 / inverse
    return {"r_med_geo": median, "r_lo_geo": median / spread, "r_hi_geo": median * spread}
