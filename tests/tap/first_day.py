"""The archive on the first day of a made-up DR4: a simulated survey under the draft's names; nothing is a real star.

DR4's identifiers are those of the survey, DR3's are greater by 1, DR2's by 2. 2MASS, distances and quasars are there by
DR3's alone.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from tap.survey import archive_tables

from gaia_offsets.sample.zero_points import MODEL, zero_point
from gaia_offsets.sky.match import propagate
from gaia_offsets.sky.positions import ecliptic_latitude, pixel_index, to_galactic

YEARS = 1.5  # J2016.0 to J2017.5
BIAS = "tentative_parallax_bias"
MEASURED = ["parallax", "parallax_error", "nu_eff_used_in_astrometry", "pseudocolour", "astrometric_params", "ruwe"]
# The two tables of other releases stand beside those of the other sky on the same server.
BESIDE = {"distances": "first_day.gaiaedr3_distance", "tmass": "first_day.tmass_original_valid"}
RARE = {7: "3p", 27: "4p", 479: "acceleration", 2079: "orbital", 4127: "variability_induced_mover"}
SMALL = {"surveys": {"toy": {"stars": 2000}}}  # over the toy's config: the survey
TABLES = ("gaia_source", "tmass", "distances")  # of a simulated survey, that DR4's are made of


def as_dr4(sky: dict[str, pd.DataFrame], common: int = 95) -> dict[str, pd.DataFrame]:
    """The survey's Gaia sources at J2017.5 with DR4's codes: EDR3's 5p are `common`, its 6p accelerations.

    Both colours are there for all of the common code, as in DR4. The correction column is EDR3's zero point, where that
    has one.
    """
    gaia = sky["gaia_source"].copy()
    gaia[BIAS] = zero_point("lindegren2021", *(gaia[name].to_numpy(float) for name in MODEL))
    motion = [gaia[name].to_numpy(float) for name in ("ra", "dec", "pmra", "pmdec")]
    gaia["ra"], gaia["dec"] = propagate(*motion, YEARS)
    solved = gaia["astrometric_params_solved"].to_numpy(np.int64)
    codes = np.select([solved == 31, solved == 95], [common, 479], 3)
    gaia["astrometric_params_solved"] = pd.array(codes, dtype="Int64")
    gaia["pseudocolour"] = gaia["pseudocolour"].fillna(gaia["nu_eff_used_in_astrometry"])
    return {**sky, "gaia_source": gaia}


def with_rare_codes(sky: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """A quarter of the sources with the most frequent code get each of RARE in turn; 4p has no parallax."""
    gaia = sky["gaia_source"].copy()
    solved = gaia["astrometric_params_solved"].to_numpy(np.int64)
    turned = (solved == np.bincount(solved).argmax()) & (np.arange(len(gaia)) % 4 == 0)
    solved[turned] = np.resize(list(RARE), int(turned.sum()))
    gaia["astrometric_params_solved"] = pd.array(solved, dtype="Int64")
    gaia.loc[solved == 27, ["parallax", "parallax_error", BIAS]] = np.nan
    return {**sky, "gaia_source": gaia}


def quasars(number: int, seed: int = 4) -> pd.DataFrame:
    """Sources all over the sky with a parallax of -0.03 mas within 0.3 mas and the code of the standard class."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"ra": rng.uniform(0, 360, number), "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, number)))})
    table["source_id"] = (pixel_index(table["ra"], table["dec"], nside=4096, ordering="nested") << 35) + 8
    table = table.drop_duplicates("source_id", ignore_index=True)
    number = len(table)
    table["l"], table["b"] = to_galactic(table["ra"], table["dec"])
    table["ecl_lat"] = ecliptic_latitude(table["ra"], table["dec"])
    table["parallax"], table["parallax_error"] = rng.normal(-0.03, 0.3, number), np.float32(0.3)
    table["phot_g_mean_mag"] = rng.uniform(17.5, 20.0, number).astype("float32")
    table["nu_eff_used_in_astrometry"] = table["pseudocolour"] = rng.uniform(1.45, 1.6, number).astype("float32")
    table["ruwe"], table[BIAS] = np.float32(1.0), -0.025
    return table.assign(pmra=0.0, pmdec=0.0, bp_rp=np.float32(0.6), astrometric_params_solved=95)


def neighbours(ours: str, theirs: str, ids: np.ndarray, steps: tuple[int, int], first: int) -> pd.DataFrame:
    """Pairs of each source with itself in another release; each tenth has a much fainter partner that is nearer."""
    near = pd.DataFrame({theirs: ids + steps[1], ours: ids + steps[0]})
    near["angular_distance"] = np.float32(40.0)
    near["magnitude_difference"] = np.linspace(-0.02, 0.02, len(near)).astype("float32")
    split = near.iloc[first:-1:10].copy()
    split[ours] = near[ours].to_numpy()[first + 1 :: 10][: len(split)]
    split["angular_distance"], split["magnitude_difference"] = np.float32(2.0), np.float32(-3.0)
    return pd.concat([near, split], ignore_index=True)


def sources(sky: dict[str, pd.DataFrame], *more: pd.DataFrame) -> pd.DataFrame:
    """A table gaia_source under the draft's names."""
    source = pd.concat([sky["gaia_source"], *more], ignore_index=True)
    source = source.rename(columns={"astrometric_params_solved": "astrometric_params"})
    return source.assign(astrometric_params=source["astrometric_params"].astype("Int64"))


def dr4_tables(edr3: dict[str, pd.DataFrame], number_of_quasars: int = 3000) -> dict[str, pd.DataFrame]:
    """The tables of the archive, made of those of a simulated survey; each quasar stands twice in DR3's table of them.

    In DR4's neighbourhood each 30th source has a third identifier, equal in G and position, that is not probable.
    Beside `gaia_source`, with 95 as its common code, stand `gaia_source_31`, `gaia_source_half` (with half of the
    corrections) and `gaia_source_rare`, which is also what `all_source_astrometry` is made of.
    """
    sky, active = as_dr4(edr3), quasars(number_of_quasars)
    then = archive_tables(sky, 1.5, years=-17.5)
    best, distances = then["gaiaedr3.tmass_psc_xsc_best_neighbour"], then["external.gaiaedr3_distance"]
    source, rare = sources(sky, active), sources(with_rare_codes(sky))
    half = source.assign(**{BIAS: source[BIAS].where(np.arange(len(source)) % 2 == 0)})
    ids = source["source_id"].to_numpy(np.int64)
    hop = neighbours("source_id", "dr3_source_id", ids, (0, 1), 0).assign(probable_match=True)
    hop.loc[len(ids) :, "probable_match"] = False
    third = hop.iloc[: len(ids) : 30].assign(angular_distance=np.float32(0), magnitude_difference=np.float32(0))
    third = third.assign(probable_match=False, dr3_source_id=np.roll(third["dr3_source_id"], 1))
    # Every source twice in the table of single-star solutions; only the good row has its parallax.
    single = rare[["source_id", *MEASURED, BIAS]].assign(quality_flag=0)
    tables = {
        "gaiadr4.gaia_source": source,
        "gaiadr4.gaia_source_31": sources(as_dr4(edr3, common=31)),
        "gaiadr4.gaia_source_half": half,
        "gaiadr4.gaia_source_rare": rare,
        "gaiadr4.all_source_astrometry": pd.concat([single, single.assign(quality_flag=1, parallax=-9.0)]),
        "gaiadr4.dr3_neighbourhood": pd.concat([hop, third], ignore_index=True),
        "gaiadr3.dr2_neighbourhood": neighbours("dr3_source_id", "dr2_source_id", ids, (1, 2), 5),
        "gaiadr3.tmass_psc_xsc_best_neighbour": best.assign(source_id=best["source_id"] + 1),
        "gaiadr3.tmass_psc_xsc_join": then["gaiaedr3.tmass_psc_xsc_join"],
        BESIDE["tmass"]: then["gaiadr1.tmass_original_valid"],
        BESIDE["distances"]: distances.assign(source_id=distances["source_id"] + 1),
    }
    return tables | {"gaiadr3.agn_cross_id": pd.DataFrame({"source_id": np.repeat(active["source_id"] + 1, 2)})}
