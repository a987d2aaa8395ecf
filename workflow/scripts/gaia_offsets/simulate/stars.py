"""The stars of a simulated survey: where they are, what they are, and their spectra. Each constant with its reason."""

from __future__ import annotations

import numpy as np

from gaia_offsets.core.faults import Fault
from gaia_offsets.simulate.field import PLATE_STREAM, WINDOW_STREAM, Survey
from gaia_offsets.simulate.galaxy import SUN_KPC, chance, draw_moduli, line_of_sight, place
from gaia_offsets.simulate.labels import CLUMP_MKS, SNR_GOOD, label_errors, true_labels
from gaia_offsets.sky.positions import to_equatorial, to_galactic

Columns = dict[str, np.ndarray]

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
BRANCH_MKS, BRANCH_SLOPE = (-6.0, 1.8), 0.35  # tip and foot of the giant branch, growth of ln N per mag
DWARF_MKS, DWARF_MKS_SCATTER, DWARF_MKS_RANGE = 3.6, 0.9, (1.5, 6.0)  # F to K dwarfs
G_LIMITS = (9.0, 18.0)  # LAMOST's own
EBV_MEDIAN, EBV_PLANE, EBV_PLANE_DEG, EBV_SCATTER = 0.07, 0.08, 10.0, 0.5  # giants' median is about 0.09 (Sect. 2.2)
EBV_ERROR = 0.02  # Sect. 2.2
A_G, A_J, A_H, A_KS, E_BP_RP = 2.74, 0.72, 0.46, 0.30, 1.34  # per E(B-V); Casagrande & VandenBerg 2018, Sect. 2.2

ROUNDS = 1000  # of drawing giants anew; the windows of config/ take some 60
FEH_SHIFT = (-1.5, 0.5)  # dex, by a gradient: the halo is no thinner in metals than that

# Spectra. All have an SNR of more than 10 (Sect. 2); the error of M_Ks grows as 1 / SNR below SNR_GOOD.
SNR_LIMIT, SNR_SCATTER = 10.0, 0.8
FIRST_OBSID = 100_000_001
POSITION_ERROR_ARCSEC = 0.1  # of targets and of 2MASS, each coordinate


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


def scattered(rng: np.random.Generator, ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions measured with POSITION_ERROR_ARCSEC."""
    distance = rng.rayleigh(POSITION_ERROR_ARCSEC, len(ra)) / 3600.0
    return moved(ra, dec, distance, rng.uniform(0.0, 2.0 * np.pi, len(ra)))


def intrinsic(rng: np.random.Generator, survey: Survey, giant: np.ndarray, feh_shift: np.ndarray | float) -> Columns:
    """Magnitudes, labels and colour that `giant` and other stars have anywhere; [Fe/H] moved by `feh_shift` [dex]."""
    count = len(giant)
    clump = giant & (rng.random(count) < CLUMP_FRACTION)
    low, high = np.exp(BRANCH_SLOPE * np.array(BRANCH_MKS))
    branch = np.log(low + (high - low) * rng.random(count)) / BRANCH_SLOPE
    normal = rng.standard_normal(count)
    dwarf = np.clip(DWARF_MKS + DWARF_MKS_SCATTER * normal, *DWARF_MKS_RANGE)
    mks = np.where(clump, CLUMP_MKS + CLUMP_MKS_SCATTER * normal, np.where(giant, branch, dwarf))
    feh = rng.normal(-0.2, 0.3, count) + feh_shift
    teff, logg = true_labels(survey["labels"], rng, mks=mks, feh=feh, giant=giant, clump=clump)
    colour = 1.2 + 2.4 * (5040.0 / teff - 1.05)  # BP - RP: 0.8 for the Sun, 1.2 for the clump, 1.7 at 4000 K
    return {"mks": mks, "feh": feh, "logg": logg, "teff": teff, "colour": colour, "clump": clump}


def reddened(stars: Columns, survey: Survey, ebv: np.ndarray, modulus: np.ndarray) -> Columns:
    """E(B-V), G and Ks of stars at true distance moduli [mag], behind dust of which `ebv` is all."""
    if survey["dust_kpc"] > 0:  # else all dust lies in front of every star
        ebv = ebv * -np.expm1(-(10.0 ** (0.2 * modulus - 2.0)) / survey["dust_kpc"])
    ks = stars["mks"] + modulus + A_KS * ebv
    g = stars["mks"] + modulus + 1.65 * stars["colour"] + 0.03 + A_G * ebv  # G - Ks: 1.4 for the Sun, 2.0 for the clump
    return {"ebv": ebv, "g": g, "ks": ks}


def select_giants(
    rng: np.random.Generator, survey: Survey, tiles: Columns, tile: np.ndarray, ebv: np.ndarray
) -> tuple[Columns, np.ndarray]:
    """Giants of the Galaxy that the `magnitude_window` keeps, one for each tile and `ebv`, and distance moduli [mag].

    A star that is not kept is drawn anew in the same direction, so that the plates have their numbers.
    """
    window, longitude = survey["magnitude_window"], to_galactic(tiles["ra"], tiles["dec"])[0]
    lines = line_of_sight(longitude, tiles["b"])
    plates_rng = np.random.default_rng([survey["seed"], WINDOW_STREAM])  # the same plates in every chunk of stars
    shift = window["plate_scatter"] * plates_rng.standard_normal(len(longitude))
    kept, moduli, left = {}, np.empty(len(tile)), np.arange(len(tile))
    for _ in range(ROUNDS):
        if not len(left):
            return kept, moduli
        here = tile[left]
        modulus = draw_moduli(rng, lines, here)
        radius, height = place(modulus, longitude[here], tiles["b"][here])
        radial, vertical = window["feh_gradient"]
        metals = np.clip(radial * (radius - SUN_KPC) + vertical * np.abs(height), *FEH_SHIFT)
        stars = intrinsic(rng, survey, np.ones(len(left), dtype=bool), metals)
        seen = reddened(stars, survey, ebv[left], modulus)["g"]
        keep = rng.random(len(left)) < chance(seen, window, shift[here])
        for name, values in stars.items():
            kept.setdefault(name, np.zeros(len(tile), dtype=values.dtype))[left[keep]] = values[keep]
        moduli[left[keep]] = modulus[keep]
        left = left[~keep]
    raise Fault(f"magnitude_window of the survey: {len(left)} of {len(tile)} giants found no place in it; widen it")


def true_stars(rng: np.random.Generator, survey: Survey, tiles: Columns, count: int) -> Columns:
    """True properties of `count` stars: positions at J2000, distance modulus, magnitudes as seen from Earth."""
    tile = rng.choice(len(tiles["ra"]), count, p=tiles["visits"] / tiles["visits"].sum())
    cap = 1.0 - np.cos(np.radians(PLATE_RADIUS_DEG))
    radius = np.degrees(np.arccos(1.0 - cap * rng.random(count)))
    ra, dec = moved(tiles["ra"][tile], tiles["dec"][tile], radius, rng.uniform(0.0, 2.0 * np.pi, count))

    giant = rng.random(count) < survey["giant_fraction"]
    stars = intrinsic(rng, survey, giant, 0.0)
    plane = EBV_PLANE * np.exp(-np.abs(tiles["b"][tile]) / EBV_PLANE_DEG)
    ebv = (EBV_MEDIAN + plane) * rng.lognormal(0.0, EBV_SCATTER, count)
    # At equal brightness a giant of M_Ks is 10^(0.2 (M_Ks - clump)) times nearer than one of the clump.
    nearness = 10.0 ** (0.2 * survey["luminosity_reach"] * (stars["mks"] - CLUMP_MKS))
    median = np.where(giant, survey["giant_parallax_mas"] * nearness, DWARF_PARALLAX_MAS)
    modulus = 10.0 - 5.0 * np.log10(median * rng.lognormal(0.0, PARALLAX_SCATTER, count))
    if survey["magnitude_window"]:
        kept, modulus[giant] = select_giants(rng, survey, tiles, tile[giant], ebv[giant])
        for name, values in kept.items():
            stars[name][giant] = values
    seen = reddened(stars, survey, ebv, modulus)
    # Stars too bright or too faint for LAMOST are mirrored into its range by their distance.
    low, high = G_LIMITS
    shift = np.where(
        seen["g"] < low, 2.0 * (low - seen["g"]), np.where(seen["g"] > high, 2.0 * (high - seen["g"]), 0.0)
    )
    colour, ebv, ks = stars.pop("colour"), seen["ebv"], seen["ks"] + shift
    h = ks + 0.07 * colour + (A_H - A_KS) * ebv
    j = ks + 0.52 * colour + (A_J - A_KS) * ebv
    true = {**stars, "ebv": ebv, "parallax": 10.0 ** (2.0 - 0.2 * (modulus + shift))}
    return {
        "ra": ra,
        "dec": dec,
        **true,
        "g": seen["g"] + shift,
        "j": j,
        "h": h,
        "ks": ks,
        "bp_rp": colour + E_BP_RP * ebv,
    }


def spectra(rng: np.random.Generator, survey: Survey, stars: Columns, first_obsid: int) -> Columns:
    """Rows of the value-added catalogue: one or more spectra a star, each with its own errors."""
    ra, dec = scattered(rng, stars["ra"], stars["dec"])  # the input catalogue's position, the same in every spectrum
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
