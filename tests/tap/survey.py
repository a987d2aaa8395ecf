"""A small made-up sky with the difficult cases of a cross-match; nothing in it is a real star."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gaia_offsets.sky.match import match_nearest, propagate
from gaia_offsets.sky.positions import ecliptic_latitude, pixel_index, to_galactic

FIELDS = ((0.0, 20.0), (180.0, 45.0), (83.0, 89.6), (266.0, -29.0))  # RA wraps in the first, the third is near the pole


def made_up_sky(stars: int = 2500, seed: int = 5) -> dict[str, pd.DataFrame]:
    """Tables targets, gaia_source, tmass and distances of `stars` simulated stars.

    Some stars have two spectra, some no Gaia source, some two within the match radius, some move by arcseconds between
    2000 and 2016, some have no proper motion; some spectra are of poor quality.
    """
    rng = np.random.default_rng(seed)
    field = np.array(FIELDS)[rng.integers(0, len(FIELDS), stars)]
    dec = np.clip(field[:, 1] + rng.uniform(-0.3, 0.3, stars), -89.99, 89.99)
    ra = (field[:, 0] + rng.uniform(-0.3, 0.3, stars) / np.cos(np.radians(dec))) % 360
    pm = np.where(rng.random(stars) < 0.02, 900.0, 5.0)
    pmra, pmdec = rng.normal(0, pm), rng.normal(0, pm)
    solved = rng.choice([3, 31, 95], stars, p=[0.03, 0.8, 0.17])
    pmra, pmdec = np.where(solved == 3, np.nan, pmra), np.where(solved == 3, np.nan, pmdec)
    ra_2000, dec_2000 = propagate(ra, dec, pmra, pmdec, -16.0)

    def near(count: int, low: float, high: float) -> tuple[np.ndarray, ...]:
        who = rng.choice(stars, count, replace=False)
        angle, step = rng.uniform(0, 2 * np.pi, count), rng.uniform(low, high, count) / 3600
        return who, ra[who] + step * np.sin(angle) / np.cos(np.radians(dec[who])), dec[who] + step * np.cos(angle)

    who, ra2, dec2 = near(stars // 20, 0.8, 5.0)
    seen = rng.random(stars) > 0.03  # the rest has no Gaia source
    n = int(seen.sum()) + len(who)
    gaia = pd.DataFrame({"source_id": rng.choice(2**17, n, replace=False) * 2**18 + 12345})
    gaia["ra"] = np.concatenate([ra[seen], ra2 % 360])
    gaia["dec"] = np.concatenate([dec[seen], dec2])
    gaia["source_id"] += pixel_index(gaia["ra"], gaia["dec"], nside=4096, ordering="nested") << 35  # as Gaia's do
    gaia["l"], gaia["b"] = to_galactic(gaia["ra"], gaia["dec"])
    gaia["ecl_lat"] = ecliptic_latitude(gaia["ra"], gaia["dec"])
    gaia["pmra"] = np.concatenate([pmra[seen], np.zeros(len(who))])
    gaia["pmdec"] = np.concatenate([pmdec[seen], np.zeros(len(who))])
    full_solved = np.concatenate([solved[seen], np.full(len(who), 31)])
    gaia["parallax"] = np.where(full_solved == 3, np.nan, rng.gamma(2, 0.3, n))
    gaia["parallax_error"] = np.where(full_solved == 3, np.nan, rng.uniform(0.01, 0.1, n)).astype("float32")
    gaia["phot_g_mean_mag"] = rng.uniform(9, 17, n).astype("float32")
    gaia["bp_rp"] = rng.normal(1.2, 0.2, n).astype("float32")
    gaia["nu_eff_used_in_astrometry"] = np.where(full_solved == 31, rng.normal(1.5, 0.1, n), np.nan).astype("float32")
    gaia["pseudocolour"] = np.where(full_solved == 95, rng.normal(1.5, 0.1, n), np.nan).astype("float32")
    gaia["astrometric_params_solved"] = pd.array(full_solved, dtype="Int64")
    gaia["source_id"] = gaia["source_id"].astype("Int64")  # as tables.read_table gives it
    gaia["ruwe"] = rng.uniform(0.9, 2, n).astype("float32")

    tmass = pd.DataFrame({"ra": ra_2000, "dec": dec_2000})
    for name in ("j_m", "h_m", "ks_m"):
        tmass[name] = rng.uniform(7, 15, stars).astype("float32")
    tmass["ks_msigcom"] = np.where(rng.random(stars) < 0.05, np.nan, rng.uniform(0.01, 0.05, stars)).astype("float32")
    tmass = tmass[rng.random(stars) > 0.05].reset_index(drop=True)

    distances = gaia.loc[full_solved != 3, ["source_id"]].reset_index(drop=True)
    for name, low in (("r_med_geo", 1000), ("r_lo_geo", 900), ("r_hi_geo", 1100)):
        distances[name] = rng.uniform(low, low + 90, len(distances)).astype("float32")

    spectra = np.sort(np.concatenate([np.arange(stars), rng.choice(stars, stars // 3, replace=False)]))
    m = len(spectra)
    targets = pd.DataFrame({"obsid": 100_000_000 + rng.permutation(m)})
    targets["target_ra"] = (
        ra_2000[spectra] + rng.normal(0, 0.2, m) / 3600 / np.cos(np.radians(dec_2000[spectra]))
    ) % 360
    targets["target_dec"] = dec_2000[spectra] + rng.normal(0, 0.2, m) / 3600
    targets["snr"] = rng.uniform(10, 150, m)
    targets["logg"] = np.where(rng.random(m) < 0.05, np.nan, rng.normal(3.0, 0.8, m))
    return {"targets": targets, "gaia_source": gaia, "tmass": tmass, "distances": distances}


def move(tables: dict[str, pd.DataFrame], schema: str) -> dict[str, pd.DataFrame]:
    """Tables of an archive under the names of `release.moved`."""
    return {f"{schema}.{name.rpartition('.')[2]}": frame for name, frame in tables.items()}


def archive_tables(
    sky: dict[str, pd.DataFrame], tmass_radius_arcsec: float, years: float = -16.0
) -> dict[str, pd.DataFrame]:
    """The same sky as the tables of the ESA archive, with its ready-made 2MASS and DR2 cross-matches.

    `years` lead from the epoch of the Gaia sources to that of 2MASS.
    """
    gaia, tmass = sky["gaia_source"], sky["tmass"]
    tmass = tmass.assign(designation=[f"{place:08d}+{place:07d}" for place in range(len(tmass))])
    then = propagate(*(gaia[name].to_numpy(float) for name in ("ra", "dec", "pmra", "pmdec")), years)
    index, separation, _ = match_nearest(*then, tmass["ra"].to_numpy(), tmass["dec"].to_numpy(), tmass_radius_arcsec)
    hit = index >= 0
    oid = np.arange(len(tmass)) + 10_000_000
    best = pd.DataFrame(
        {
            "source_id": gaia["source_id"].to_numpy()[hit],
            "original_ext_source_id": tmass["designation"].to_numpy()[index[hit]],
            "angular_distance": separation[hit].astype("float32"),
            "clean_tmass_psc_xsc_oid": oid[index[hit]],
        }
    )
    join = pd.DataFrame({"original_psc_source_id": tmass["designation"], "clean_tmass_psc_xsc_oid": oid})
    # Every source was one DR2 source; every tenth DR2 source became two.
    near = pd.DataFrame({"dr2_source_id": gaia["source_id"] + 1, "dr3_source_id": gaia["source_id"]})
    near["angular_distance"] = np.linspace(0.1, 5.0, len(near)).astype("float32")
    near["magnitude_difference"] = np.float32(0.0)  # equal for all: the distance decides
    split = near.iloc[:-1:10].assign(dr3_source_id=gaia["source_id"].to_numpy()[1::10][: len(near.iloc[:-1:10])])
    split["angular_distance"] += np.float32(90.0)
    return {
        "gaiaedr3.gaia_source": gaia,
        "gaiaedr3.tmass_psc_xsc_best_neighbour": best,
        "gaiaedr3.tmass_psc_xsc_join": join,
        "gaiaedr3.dr2_neighbourhood": pd.concat([near, split], ignore_index=True),
        "gaiadr1.tmass_original_valid": tmass,
        "external.gaiaedr3_distance": sky["distances"],
    }
