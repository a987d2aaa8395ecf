"""A simulated survey: catalogues as LAMOST, Gaia and 2MASS give them, and the truth behind them. No star is real.

Sizes and fractions come from `surveys` in the config; the constants below are the rest of the model, each with its
reason. Stars are made in chunks that depend on the seed and their number only, and written as they come.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from gaia_offsets.core.columns import GAIA
from gaia_offsets.core.progress import progress
from gaia_offsets.publish.fields import OFFICIAL
from gaia_offsets.sample.zero_points import G_RANGE, NU_EFF_RANGE, PSEUDOCOLOUR_RANGE, zero_point
from gaia_offsets.simulate.labels import CLUMP_MKS, SNR_GOOD, label_errors, true_labels
from gaia_offsets.sky.covariance import angular_covariance
from gaia_offsets.sky.match import propagate
from gaia_offsets.sky.positions import ecliptic_latitude, pixel_index, to_equatorial, to_galactic
from gaia_offsets.tables.parquet import parquet_options

Survey = Mapping[str, Any]
Columns = dict[str, np.ndarray]

FIELD_STREAM, PLATE_STREAM, STAR_STREAM = 0, 1, 2  # of random numbers, after the seed
CHUNK = 200_000  # stars; keeps the memory below 1 GiB at any size of survey
MAP_NSIDE = 128  # 0.46 deg, half the small scale of the field
TRUTH_NSIDE = 32  # the paper's pixels (Fig. 6)

# Footprint of LAMOST: declinations and the gap of its summer shutdown, tiles of 2.5 deg radius that overlap.
PLATE_RADIUS_DEG = 2.5
TILE_DEG2 = 15.0  # below the 19.6 deg2 of a plate: neighbours overlap
DEC_RANGE_DEG = (-10.0, 60.0)
RA_GAP_DEG = (245.0, 315.0)
ANTICENTRE_DEG = 30.0  # |l - 180| and |b| of LSS-GAC, the densest part
ANTICENTRE_VISITS = 2.0  # visits there over visits elsewhere
VISIT_SCATTER = 0.6  # of ln(visits): bright fields and good winters
OBSERVED_FRACTION = 0.36  # of the tiles elsewhere: about 3,800 level-5 pixels in all, with holes
FIRST_TILE_L_B_DEG = (180.0, 10.0)  # a small survey grows from here: plane and high latitude in one region

# Stars. Dwarfs have a median parallax of 1.5 mas, as in the paper; a scatter of 0.5 in ln is about 1.1 mag.
DWARF_PARALLAX_MAS, PARALLAX_SCATTER = 1.5, 0.5
CLUMP_FRACTION, CLUMP_MKS_SCATTER = 0.35, 0.10  # a third of LAMOST's giants; Hawkins et al. 2017
CLUMP_DISTANCE_ERROR = 0.05  # red clump catalogue of Huang et al. 2020
BRANCH_MKS, BRANCH_SLOPE = (-6.0, 1.8), 0.35  # tip and foot of the giant branch, growth of ln N per mag
DWARF_MKS, DWARF_MKS_SCATTER, DWARF_MKS_RANGE = 3.6, 0.9, (1.5, 6.0)  # F to K dwarfs
G_LIMITS = (9.0, 18.0)  # LAMOST's own
EBV_MEDIAN, EBV_PLANE, EBV_PLANE_DEG, EBV_SCATTER = 0.07, 0.08, 10.0, 0.5  # giants' median is about 0.09 (Sect. 2.2)
EBV_ERROR = 0.02  # Sect. 2.2
A_G, A_J, A_H, A_KS, E_BP_RP = 2.74, 0.72, 0.46, 0.30, 1.34  # per E(B-V); Casagrande & VandenBerg 2018, Sect. 2.2
VELOCITY_KM_S = 40.0  # of disc stars, each component
KM_S_PER_MAS_YR_KPC = 4.74047

# Spectra. All have an SNR of more than 10 (Sect. 2); the error of M_Ks grows as 1 / SNR below SNR_GOOD.
SNR_LIMIT, SNR_SCATTER = 10.0, 0.8
FIRST_OBSID = 100_000_001
POSITION_ERROR_ARCSEC = 0.1  # of targets and of 2MASS, each coordinate

# 2MASS: a few per cent have an error above the paper's 0.03 mag.
KS_ERROR, KS_ERROR_SCATTER, JH_ERROR, UPPER_LIMIT_FRACTION = 0.021, 0.25, 0.024, 0.003

# Gaia.
TARGET_EPOCH, GAIA_EPOCH = 2000.0, 2016.0
PARALLAX_ERROR_SCATTER = 0.15  # of ln(error) about ESA's formula: number of transits
PM_PER_PARALLAX_ERROR = (1.03, 0.89)  # ESA's formula for (E)DR3, 1 / yr
COLOUR_ERROR, NU_EFF_SCATTER, PSEUDOCOLOUR_ERROR = 0.005, 0.005, 0.03
RUWE_SCATTER, RUWE_TAIL = 0.05, 1.4  # good fits about 1, poor ones above the paper's cut
NEIGHBOUR_ARCSEC, NEIGHBOUR_FAINTER_MAG, FAINTEST_G = (1.0, 6.0), (0.5, 5.0), 20.5
COLOUR_PIVOT = 1.2  # BP - RP of a red clump star, where the colour part of the offset is zero
PLANE_WIDTH_DEG = 10.0  # of the part that belongs to the Galactic plane
DISTANCE_PRIOR_KPC = 1.0  # exponentially decreasing space density, the one prior of all directions


# ---------------------------------------------------------------- the sky of offsets


def covariance(angle_deg: np.ndarray, offset: Survey) -> np.ndarray:
    """Covariance [uas2] of the residual field at angular distances in degrees, after the `pattern` of the offset.

    The variances of the two scales are added up where a pattern has one scale only; `angular_covariance` has its own.
    """
    angle = np.asarray(angle_deg, dtype=float)
    large, small = offset["large_scale_uas2"], offset["small_scale_uas2"]
    pattern, scale = offset.get("pattern", "two_scales"), offset["large_scale_deg"]
    if pattern == "maiz_apellaniz2021":
        return angular_covariance(angle)
    if pattern == "steep":
        return (large + small) * np.exp(-0.5 * (angle / scale) ** 2)
    return large * np.exp(-angle / scale) + small * np.exp(-angle / offset["small_scale_deg"])


def angular_power(offset: Survey, degree: int) -> np.ndarray:
    """Power spectrum C_l [uas2], l = 0..degree, of that covariance: 2 pi times the integral of C P_l dcos(theta)."""
    nodes, weights = np.polynomial.legendre.leggauss(32)
    panels = 4 + degree // 6  # at most six waves of P_l in each
    s = (np.arange(panels)[:, None] + 0.5 * (nodes + 1.0)).ravel() / panels
    # theta = pi s^2 puts most nodes at small angles, where the covariance falls from its cusp.
    theta = np.pi * s**2
    weighted = np.tile(weights / panels, panels) * np.pi * s * np.sin(theta) * covariance(np.degrees(theta), offset)
    x, before, now = np.cos(theta), np.zeros_like(theta), np.ones_like(theta)
    power = np.empty(degree + 1)
    for order in range(degree + 1):
        power[order] = 2.0 * np.pi * np.sum(weighted * now)
        before, now = now, ((2 * order + 1) * x * now - order * before) / (order + 1)
    return np.maximum(power, 0.0)


def residual_field(offset: Survey, seed: int, nside: int = MAP_NSIDE) -> np.ndarray:
    """Gaussian random field [uas] with `covariance` on the nested HEALPix pixels, equatorial, (12 nside^2,).

    What the harmonics up to 3 nside - 1 leave out of the variance is added as independent noise of the pixels. The
    pattern `white` has one independent number in each pixel of TRUTH_NSIDE, `none` has none.
    """
    import healpy as hp

    rng = np.random.default_rng([seed, FIELD_STREAM])
    pattern = offset.get("pattern", "two_scales")
    if pattern in ("white", "none"):
        variance = offset["large_scale_uas2"] + offset["small_scale_uas2"] if pattern == "white" else 0.0
        return np.sqrt(variance) * np.repeat(rng.standard_normal(12 * TRUTH_NSIDE**2), (nside // TRUTH_NSIDE) ** 2)
    degree = 3 * nside - 1
    power = angular_power(offset, degree)
    order, m = hp.Alm.getlm(degree)
    real, imaginary = rng.standard_normal((2, len(order)))
    alm = np.sqrt(power[order]) * np.where(m == 0, real, (real + 1j * imaginary) / np.sqrt(2.0))
    field = hp.reorder(hp.alm2map(alm, nside, lmax=degree), r2n=True)
    missing = covariance(0.0, offset) - np.sum((2 * np.arange(degree + 1) + 1) * power) / (4.0 * np.pi)
    return field + np.sqrt(max(missing, 0.0)) * rng.standard_normal(len(field))


def position_offsets(offset: Survey, seed: int, nside: int = MAP_NSIDE) -> np.ndarray:
    """Residual offset [uas] by position: field, global part and Galactic plane; nested, equatorial, (12 nside^2,)."""
    import healpy as hp

    centres = hp.pix2ang(nside, np.arange(12 * nside**2), nest=True, lonlat=True)
    _, b = to_galactic(*centres)
    plane = offset["plane_uas"] * np.exp(-0.5 * (b / PLANE_WIDTH_DEG) ** 2)
    return residual_field(offset, seed, nside) + offset["global_uas"] + plane


# ---------------------------------------------------------------- plates


def plates(survey: Survey) -> Columns:
    """Tiles with their `ra`, `dec`, `b` [deg] and number of `visits` (plates), nearest to the first tile first.

    Every tile of the footprint has one plate before any has two; a survey of few plates is one region.
    """
    count = round(4.0 * np.pi * np.degrees(1.0) ** 2 / TILE_DEG2)
    step = np.arange(count) + 0.5  # Fibonacci lattice: even cover of the sphere
    dec = np.degrees(np.arcsin(1.0 - 2.0 * step / count))
    ra = (step * 180.0 * (3.0 - np.sqrt(5.0))) % 360.0
    rng = np.random.default_rng([survey["seed"], PLATE_STREAM])
    longitude, b = to_galactic(ra, dec)
    anticentre = (np.abs(longitude - 180.0) < ANTICENTRE_DEG) & (np.abs(b) < ANTICENTRE_DEG)
    inside = (dec > DEC_RANGE_DEG[0]) & (dec < DEC_RANGE_DEG[1]) & ~((ra > RA_GAP_DEG[0]) & (ra < RA_GAP_DEG[1]))
    inside &= anticentre | (rng.random(count) < OBSERVED_FRACTION)
    ra, dec, b, anticentre = ra[inside], dec[inside], b[inside], anticentre[inside]
    first_ra, first_dec = to_equatorial(*(np.array([angle]) for angle in FIRST_TILE_L_B_DEG))
    nearness = np.sin(np.radians(dec)) * np.sin(np.radians(first_dec)) + np.cos(np.radians(dec)) * np.cos(
        np.radians(first_dec)
    ) * np.cos(np.radians(ra - first_ra))
    nearest = np.argsort(-nearness, kind="stable")[: survey["plates"]]
    ra, dec, b, anticentre = ra[nearest], dec[nearest], b[nearest], anticentre[nearest]
    wish = np.where(anticentre, ANTICENTRE_VISITS, 1.0) * rng.lognormal(0.0, VISIT_SCATTER, len(ra))
    visits = 1 + rng.multinomial(survey["plates"] - len(ra), wish / wish.sum())
    return {"ra": ra, "dec": dec, "b": b, "visits": visits}


def moved(
    ra: np.ndarray, dec: np.ndarray, distance_deg: np.ndarray, angle: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Positions (degrees) at a distance (degrees) and position angle (radians, from north) from others."""
    d, rho = np.radians(dec), np.radians(distance_deg)
    sine = np.clip(np.sin(d) * np.cos(rho) + np.cos(d) * np.sin(rho) * np.cos(angle), -1.0, 1.0)
    east = np.arctan2(np.sin(angle) * np.sin(rho) * np.cos(d), np.cos(rho) - np.sin(d) * sine)
    return (ra + np.degrees(east)) % 360.0, np.degrees(np.arcsin(sine))


def _scattered(rng: np.random.Generator, ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions measured with POSITION_ERROR_ARCSEC."""
    distance = rng.rayleigh(POSITION_ERROR_ARCSEC, len(ra)) / 3600.0
    return moved(ra, dec, distance, rng.uniform(0.0, 2.0 * np.pi, len(ra)))


# ---------------------------------------------------------------- stars


def _stars(rng: np.random.Generator, survey: Survey, tiles: Columns, count: int) -> Columns:
    """True properties of `count` stars: positions at J2000, distance modulus, magnitudes as seen from Earth."""
    tile = rng.choice(len(tiles["ra"]), count, p=tiles["visits"] / tiles["visits"].sum())
    cap = 1.0 - np.cos(np.radians(PLATE_RADIUS_DEG))
    radius = np.degrees(np.arccos(1.0 - cap * rng.random(count)))
    ra, dec = moved(tiles["ra"][tile], tiles["dec"][tile], radius, rng.uniform(0.0, 2.0 * np.pi, count))

    giant = rng.random(count) < survey["giant_fraction"]
    clump = giant & (rng.random(count) < CLUMP_FRACTION)
    low, high = np.exp(BRANCH_SLOPE * np.array(BRANCH_MKS))
    branch = np.log(low + (high - low) * rng.random(count)) / BRANCH_SLOPE
    normal = rng.standard_normal(count)
    dwarf = np.clip(DWARF_MKS + DWARF_MKS_SCATTER * normal, *DWARF_MKS_RANGE)
    mks = np.where(clump, CLUMP_MKS + CLUMP_MKS_SCATTER * normal, np.where(giant, branch, dwarf))
    feh = rng.normal(-0.2, 0.3, count)
    teff, logg = true_labels(survey["labels"], rng, mks=mks, feh=feh, giant=giant, clump=clump)
    colour = 1.2 + 2.4 * (5040.0 / teff - 1.05)  # BP - RP: 0.8 for the Sun, 1.2 for the clump, 1.7 at 4000 K

    plane = EBV_PLANE * np.exp(-np.abs(tiles["b"][tile]) / EBV_PLANE_DEG)
    ebv = (EBV_MEDIAN + plane) * rng.lognormal(0.0, EBV_SCATTER, count)
    # At equal brightness a giant of M_Ks is 10^(0.2 (M_Ks - clump)) times nearer than one of the clump.
    nearness = 10.0 ** (0.2 * survey["luminosity_reach"] * (mks - CLUMP_MKS))
    median = np.where(giant, survey["giant_parallax_mas"] * nearness, DWARF_PARALLAX_MAS)
    parallax = median * rng.lognormal(0.0, PARALLAX_SCATTER, count)
    modulus = 10.0 - 5.0 * np.log10(parallax)
    if survey["dust_kpc"] > 0:  # else all dust lies in front of every star
        ebv *= -np.expm1(-1.0 / (parallax * survey["dust_kpc"]))
    ks = mks + modulus + A_KS * ebv
    g = mks + modulus + 1.65 * colour + 0.03 + A_G * ebv  # G - Ks: 1.4 for the Sun, 2.0 for the clump
    # Stars too bright or too faint for LAMOST are mirrored into its range by their distance.
    shift = np.where(g < G_LIMITS[0], 2.0 * (G_LIMITS[0] - g), np.where(g > G_LIMITS[1], 2.0 * (G_LIMITS[1] - g), 0.0))
    modulus, ks, g = modulus + shift, ks + shift, g + shift
    h = ks + 0.07 * colour + (A_H - A_KS) * ebv
    j = ks + 0.52 * colour + (A_J - A_KS) * ebv
    return {
        "ra": ra,
        "dec": dec,
        "clump": clump,
        "mks": mks,
        "feh": feh,
        "logg": logg,
        "teff": teff,
        "ebv": ebv,
        "parallax": 10.0 ** (2.0 - 0.2 * modulus),
        "g": g,
        "j": j,
        "h": h,
        "ks": ks,
        "bp_rp": colour + E_BP_RP * ebv,
    }


def _spectra(rng: np.random.Generator, survey: Survey, stars: Columns, first_obsid: int) -> Columns:
    """Rows of the value-added catalogue: one or more spectra a star, each with its own errors."""
    ra, dec = _scattered(rng, stars["ra"], stars["dec"])  # the input catalogue's position, the same in every spectrum
    visits = 1 + rng.poisson(survey["spectra_per_star"] - 1.0, len(ra))
    star = np.repeat(np.arange(len(ra)), visits)
    snr = SNR_LIMIT + (survey["snr_median"] - SNR_LIMIT) * rng.lognormal(0.0, SNR_SCATTER, len(star))
    growth = np.maximum(1.0, SNR_GOOD / snr)
    mks_error = survey["distance_error"] * 5.0 / np.log(10.0)
    errors = label_errors(survey["labels"], snr)
    rows = {
        "obsid": first_obsid + np.arange(len(star)),
        "ra": ra[star],
        "dec": dec[star],
        "snr": snr,
        "teff": stars["teff"][star] + errors["teff"] * rng.standard_normal(len(star)),
        "logg": stars["logg"][star] + errors["logg"] * rng.standard_normal(len(star)),
        "feh": stars["feh"][star] + errors["feh"] * rng.standard_normal(len(star)),
        "mks": stars["mks"][star] + mks_error * growth * rng.standard_normal(len(star)),
        "ebv": stars["ebv"][star] + EBV_ERROR * rng.standard_normal(len(star)),
    }
    if not survey["catalogue_mks"]:  # drawn all the same: every other column stays as it is
        del rows["mks"]
    return rows


def _tmass(rng: np.random.Generator, stars: Columns) -> Columns:
    """2MASS point sources, in order of right ascension."""
    count = len(stars["ra"])
    ra, dec = _scattered(rng, stars["ra"], stars["dec"])
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


def _sources(
    rng: np.random.Generator, survey: Survey, stars: Columns, offset_map: np.ndarray, first_number: int
) -> tuple[Columns, Columns, Columns]:
    """Gaia sources of the stars and their neighbours, geometric distances and the truth, each by source_id."""
    from pygaia.errors.astrometric import parallax_uncertainty

    true = _with_neighbours(rng, survey, stars)
    count = len(true["ra"])
    pmra, pmdec = VELOCITY_KM_S / KM_S_PER_MAS_YR_KPC * true["parallax"] * rng.standard_normal((2, count))
    ra, dec = propagate(true["ra"], true["dec"], pmra, pmdec, GAIA_EPOCH - TARGET_EPOCH)
    longitude, b = to_galactic(ra, dec)
    beta = ecliptic_latitude(ra, dec)

    draw = rng.random(count)
    two, six = survey["two_parameter_fraction"], survey["six_parameter_fraction"]
    solved = np.where(draw < two, 3, np.where(draw < two + six, 95, 31)).astype(np.int8)
    has_parallax = solved != 3
    poor = rng.random(count) < survey["ruwe_tail_fraction"]
    ruwe = np.where(poor, RUWE_TAIL + rng.exponential(1.5, count), rng.lognormal(0.0, RUWE_SCATTER, count))
    bp_rp = true["bp_rp"] + COLOUR_ERROR * rng.standard_normal(count)
    # Lindegren et al. 2021a, Eq. 3.
    nu_eff = 1.76 - 1.61 / np.pi * np.arctan(0.531 * true["bp_rp"]) + NU_EFF_SCATTER * rng.standard_normal(count)
    pseudocolour = nu_eff + PSEUDOCOLOUR_ERROR * rng.standard_normal(count)
    error = parallax_uncertainty(true["g"], release="dr3") / 1000.0 * rng.lognormal(0.0, PARALLAX_ERROR_SCATTER, count)
    seen = {  # in the archive's single precision, which the official zero point is evaluated with, here and later
        "parallax_error": np.where(has_parallax, error, np.nan),
        "phot_g_mean_mag": true["g"],
        "bp_rp": np.where(rng.random(count) < survey["missing_colour_fraction"], np.nan, bp_rp),
        "nu_eff_used_in_astrometry": np.where(solved == 31, nu_eff, np.nan),
        "pseudocolour": np.where(solved == 95, pseudocolour, np.nan),
        "ruwe": np.where(has_parallax, ruwe, np.nan),
    }
    seen = {name: values.astype(np.float32) for name, values in seen.items()}
    model = {"phot_g_mean_mag": G_RANGE, "nu_eff_used_in_astrometry": NU_EFF_RANGE, "pseudocolour": PSEUDOCOLOUR_RANGE}
    # Held at the edge of its model beyond it, so that every source with a parallax has an official offset.
    inside = [np.clip(seen[name].astype(float), *limits) for name, limits in model.items()]
    official = zero_point(OFFICIAL, *inside, beta, solved)
    pixel = pixel_index(ra, dec, nside=MAP_NSIDE, ordering="nested")
    residual = offset_map[pixel] + survey["offset"]["colour_slope_uas"] * (true["bp_rp"] - COLOUR_PIVOT)
    # A poor fit is worse than it says.
    noise = error * np.where(poor, ruwe, 1.0) * rng.standard_normal(count)
    parallax = true["parallax"] + official + residual / 1000.0 + noise
    pm_noise = np.array(PM_PER_PARALLAX_ERROR)[:, None] * error * rng.standard_normal((2, count))

    # As in real identifiers: the level-12 nested pixel, then a running number in units of 128.
    source_id = (pixel_index(ra, dec, nside=4096, ordering="nested") << 35) | (first_number + np.arange(count)) << 7
    gaia = {
        "source_id": source_id,
        "ra": ra,
        "dec": dec,
        "l": longitude,
        "b": b,
        "ecl_lat": beta,
        "pmra": np.where(has_parallax, pmra + pm_noise[0], np.nan),
        "pmdec": np.where(has_parallax, pmdec + pm_noise[1], np.nan),
        "parallax": parallax,
        **seen,
        "astrometric_params_solved": solved,
    }
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


def survey_chunks(survey: Survey, offset_map: np.ndarray) -> Iterator[dict[str, Columns]]:
    """The tables targets, gaia_source, tmass, distances, red_clump and truth, CHUNK stars at a time.

    `survey` is one entry of `surveys` in the config, `offset_map` comes from `position_offsets`.
    """
    tiles = plates(survey)
    first_obsid = FIRST_OBSID
    for chunk, start in enumerate(range(0, survey["stars"], CHUNK)):
        rng = np.random.default_rng([survey["seed"], STAR_STREAM, chunk])
        stars = _stars(rng, survey, tiles, min(CHUNK, survey["stars"] - start))
        targets = _spectra(rng, survey, stars, first_obsid)
        first_obsid += len(targets["obsid"])
        tmass = _tmass(rng, stars)
        # Two numbers a star leave room for its neighbour.
        gaia, distances, truth = _sources(rng, survey, stars, offset_map, first_number=1 + 2 * start)
        clump = np.flatnonzero(stars["clump"])
        scatter = 1.0 + CLUMP_DISTANCE_ERROR * rng.standard_normal(len(clump))
        ra, dec = _scattered(rng, stars["ra"][clump], stars["dec"][clump])
        red_clump = {"ra": ra, "dec": dec, "distance": scatter / stars["parallax"][clump]}
        listed = rng.random(len(clump)) < survey["red_clump_completeness"]
        red_clump = {name: values[listed] for name, values in red_clump.items()}
        yield {
            "targets": targets,
            "gaia_source": gaia,
            "tmass": tmass,
            "distances": distances,
            "red_clump": red_clump,
            "truth": truth,
        }


# ---------------------------------------------------------------- files

# Columns of the FITS tables: type and unit.
TARGETS_FITS = {
    "obsid": (">i8", None),
    "ra": (">f8", "deg"),
    "dec": (">f8", "deg"),
    "snr": (">f4", None),
    "teff": (">f4", "K"),
    "logg": (">f4", None),
    "feh": (">f4", None),
    "mks": (">f4", "mag"),
    "ebv": (">f4", "mag"),
}
RED_CLUMP_FITS = {"ra": (">f8", "deg"), "dec": (">f8", "deg"), "distance": (">f8", "kpc")}


class FitsStream:
    """A FITS table written piece by piece; its number of rows is filled in at the end."""

    def __init__(self, path: str | Path, columns: dict[str, tuple[str, str | None]]) -> None:
        from astropy.io import fits

        self.dtype = np.dtype([(name, kind) for name, (kind, _) in columns.items()])
        code = {">i8": "K", ">f8": "D", ">f4": "E"}
        described = [fits.Column(name, code[kind], unit) for name, (kind, unit) in columns.items()]
        self.header = fits.BinTableHDU.from_columns(described, nrows=0).header
        self.primary = fits.PrimaryHDU().header.tostring().encode("ascii")
        self.file = open(path, "wb")
        self.rows = 0
        self._write_headers()

    def _write_headers(self) -> None:
        self.header["NAXIS2"] = self.rows
        self.file.seek(0)
        self.file.write(self.primary + self.header.tostring().encode("ascii"))

    def write(self, columns: Columns) -> None:
        rows = np.empty(len(next(iter(columns.values()))), dtype=self.dtype)
        for name in self.dtype.names:
            rows[name] = columns[name]
        self.file.write(rows.tobytes())
        self.rows += len(rows)

    def close(self) -> None:
        self.file.write(b"\0" * (-self.rows * self.dtype.itemsize % 2880))
        self._write_headers()
        self.file.close()


class ParquetStream:
    """A Parquet table written piece by piece; NaN becomes null."""

    def __init__(self, path: str | Path) -> None:
        self.path, self.writer = path, None

    def write(self, columns: Columns) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table({name: pa.array(values, from_pandas=True) for name, values in columns.items()})
        if self.writer is None:
            self.writer = pq.ParquetWriter(self.path, table.schema, **parquet_options(table.schema))
        self.writer.write_table(table)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


def write_survey(survey: Survey, paths: Mapping[str, str]) -> dict[str, int]:
    """Write the tables of `survey_chunks` and `truth_map` (HEALPix, TRUTH_NSIDE, nested, equatorial, uas) to `paths`.

    Returns the number of rows of each table. The same survey gives the same bytes.
    """
    import healpy as hp

    offset_map = position_offsets(survey["offset"], survey["seed"])
    coarse = offset_map.reshape(12 * TRUTH_NSIDE**2, -1).mean(axis=1)  # nested: the parts of a pixel are neighbours
    hp.write_map(
        str(paths["truth_map"]),
        coarse,
        nest=True,
        coord="C",
        column_names=["RESIDUAL_OFFSET"],
        column_units="uas",
        dtype=np.float64,
        overwrite=True,
    )
    targets_fits = {name: kind for name, kind in TARGETS_FITS.items() if name != "mks" or survey["catalogue_mks"]}
    with ExitStack() as stack:
        streams = {
            "targets": FitsStream(paths["targets"], targets_fits),
            "red_clump": FitsStream(paths["red_clump"], RED_CLUMP_FITS),
            **{name: ParquetStream(paths[name]) for name in ("gaia_source", "tmass", "distances", "truth")},
        }
        for stream in streams.values():
            stack.callback(stream.close)
        rows = dict.fromkeys(streams, 0)
        for tables in progress(survey_chunks(survey, offset_map), survey["stars"], "stars", each=CHUNK):
            for name, columns in tables.items():
                streams[name].write(columns)
                rows[name] += len(next(iter(columns.values())))
    return rows
