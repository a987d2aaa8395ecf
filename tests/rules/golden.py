"""Small tables written by hand, and what the rules should make of them; no star here is real.

Every star of `STARS` is there for one step of the selection. The official zero points are known answers of the model
at its (G, nu_eff or pseudocolour, ecliptic latitude), not computed here.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import healpy as hp
import numpy as np
import pandas as pd
import yaml
from astropy.coordinates import SkyCoord
from astropy.table import Table

ARCSEC = 1 / 3600

# `plain` passes every cut of the paper; each star says only what is different about it.
STARS: dict[str, dict[str, Any]] = yaml.safe_load("""
plain: {solved: 31, g: 14.0, nu_eff: 1.4, pseudocolour: .nan, ecl_lat: 30.0, parallax: 0.47, ruwe: 1.0, bp_rp: 1.2,
  pmra: 0.0, pmdec: 0.0, north: 0.0, ks_error: 0.02, tmass_north: 0.0, kpc: 2.0, snr: 80.0, logg: 2.4, ebv: 0.1,
  mks: -1.6}
repeated: {g: 15.0, nu_eff: 1.35, ecl_lat: -45.0}
no counterpart: {north: 3.5}   # Gaia's source is that many arcsec north of the target
close neighbour: {g: 16.0, nu_eff: 1.6, ecl_lat: 60.0, parallax: 0.22, kpc: 4.0, north: 0.2}
moving: {g: 17.0, nu_eff: 1.25, ecl_lat: 45.0, parallax: 0.95, kpc: 1.0, pmdec: 500.0, north: 8.0}
2p: {solved: 3, parallax: .nan, nu_eff: .nan, ruwe: .nan, pmra: .nan, pmdec: .nan}
6p: {solved: 95, nu_eff: .nan, pseudocolour: 1.4, parallax: 0.36, kpc: 2.5}
snr: {snr: 49.9}
parallax: {parallax: 1.5}
logg: {logg: 3.81}
ks_msigcom: {ks_error: 0.03}
upper limit: {ks_error: .nan}
no 2MASS: {tmass_north: 2.0}
ruwe: {ruwe: 1.41}
nu_eff: {nu_eff: 1.91}
pseudocolour: {solved: 95, nu_eff: .nan, pseudocolour: 1.2}
blue: {bp_rp: 0.3}
red: {bp_rp: 1.65}
no colour: {bp_rp: .nan}
too bright: {g: 5.5, ecl_lat: .nan, parallax: 0.77, kpc: 1.25}
no distance: {}
on the edges: {snr: 50.0, logg: 3.8, ruwe: 1.4, nu_eff: 1.9, parallax: 1.499, kpc: 0.8, g: 15.0, ecl_lat: 0.0}
""")
PLAIN = STARS.pop("plain")
NAMES = list(STARS)
# A tenth of a degree of longitude apart, at the ecliptic latitudes that Gaia's table gives.
LATITUDE = np.nan_to_num([(PLAIN | what)["ecl_lat"] for what in STARS.values()])
PLACE = SkyCoord(50 + 0.1 * np.arange(len(NAMES)), LATITUDE, unit="deg", frame="barycentricmeanecliptic").icrs


def source_ids(place: SkyCoord, number: np.ndarray) -> np.ndarray:
    """Identifiers as Gaia makes them, of the position; above 2**53: a passage through float64 would spoil them."""
    return hp.ang2pix(4096, place.ra.deg, place.dec.deg, nest=True, lonlat=True) * 2**35 + 128 * (2 * number + 1)


SOURCE_ID = dict(zip(NAMES, source_ids(PLACE, np.arange(len(NAMES))).tolist(), strict=True))
NEIGHBOUR_ID, DECOY_ID = SOURCE_ID["close neighbour"] + 128 * 100, SOURCE_ID["moving"] + 128 * 101

# The spectra: which star, and what differs in it. obsid is 1001, 1002, ...
WRONG = {"mks": -3.6}  # a distance that would show if this spectrum were chosen
SPECTRA: list[tuple[str, dict[str, Any]]] = [
    ("repeated", {"snr": 40.0, **WRONG}),
    ("repeated", {"snr": 120.0}),  # the one to keep: highest snr, lowest obsid of the two
    ("repeated", {"snr": 120.0, **WRONG}),
    *((name, {"mks": -9999.0} if name == "no distance" else {}) for name in NAMES[1:]),  # LAMOST's missing value
]

CUTFLOW = [  # step, kept, removed, kept_5p, kept_6p; who is removed
    (0, 23, 0, 19, 2),
    (1, 22, 1, 19, 2),  # no counterpart
    (2, 21, 1, 19, 2),  # 2p
    (3, 21, 0, 19, 2),  # all have positions
    (4, 19, 2, 17, 2),  # two spectra of "repeated"
    (5, 18, 1, 16, 2),  # snr
    (6, 17, 1, 15, 2),  # parallax
    (7, 16, 1, 14, 2),  # logg
    (8, 13, 3, 11, 2),  # ks_msigcom, upper limit, no 2MASS
    (9, 12, 1, 10, 2),  # ruwe
    (10, 11, 1, 9, 2),  # nu_eff
    (11, 10, 1, 9, 1),  # pseudocolour
    (12, 8, 2, 7, 1),  # blue, no colour
    (13, 7, 1, 6, 1),  # red
    (14, 6, 1, 5, 1),  # no distance
]

TRACERS = {  # name: reference parallax = 1 / kpc, zero point [mas], offsets raw and corrected [uas]
    "repeated": (0.5, -0.039744, -30.0, 9.744),
    "close neighbour": (0.25, -0.024256, -30.0, -5.744),
    "moving": (1.0, -0.047079, -50.0, -2.921),
    "6p": (0.4, -0.038325, -40.0, -1.675),
    "too bright": (0.8, np.nan, -30.0, np.nan),
    "on the edges": (1.25, -0.018887, 249.0, 267.887),
}


def stars() -> pd.DataFrame:
    """The stars with all their properties, by name; J2000 positions 0.1 deg or more apart."""
    table = pd.DataFrame([PLAIN | what for what in STARS.values()], index=NAMES)
    return table.assign(source_id=pd.Series(SOURCE_ID), ra=PLACE.ra.deg, dec=PLACE.dec.deg)


def gaia_sources() -> pd.DataFrame:
    """Gaia's table at J2016, a fainter neighbour 2 arcsec from one target and a decoy where the moving star was."""
    table = stars()
    table["dec"] += table["north"] * ARCSEC
    neighbour, decoy = table.loc[["close neighbour"]], table.loc[["moving"]]
    # 2 arcsec from the target, and 1 arcsec from where the moving star was in 2000; that star is 8 arcsec away by 2016.
    neighbour = neighbour.assign(source_id=NEIGHBOUR_ID, parallax=0.9, dec=neighbour["dec"] + (2.0 - 0.2) * ARCSEC)
    decoy = decoy.assign(source_id=DECOY_ID, parallax=0.1, pmdec=0.0, dec=decoy["dec"] + (1.0 - 8.0) * ARCSEC)
    return pd.concat([table, neighbour, decoy])


def write(folder: Path) -> None:
    """All files that the samples begin with, in the formats and units of different archives."""
    folder.mkdir(parents=True)
    star = stars()
    # A_Ks = 0.3 E(B-V); Ks = M_Ks + A_Ks + 5 log10(distance / 10 pc) of the spectrum that is right.
    ks = star["mks"] + 0.3 * star["ebv"] + 5 * np.log10(100 * star["kpc"])

    rows = [star.loc[name].to_dict() | what for name, what in SPECTRA]
    targets = pd.DataFrame(rows)[["ra", "dec", "snr", "logg", "ebv", "mks"]]
    targets.insert(0, "OBS", 1001 + np.arange(len(targets)))
    targets = targets.assign(teff=4800.0, feh=-0.2, hours=targets["ra"] / 15).drop(columns="ra")
    targets.to_csv(folder / "spectra.csv", sep="|", index=False)  # LAMOST separates by bars

    gaia = gaia_sources()
    names = {"g": "phot_g_mean_mag", "nu_eff": "nu_eff_used_in_astrometry", "solved": "astrometric_params_solved"}
    same = ["source_id", "ra", "dec", "pmra", "pmdec", "pseudocolour", "ruwe", "bp_rp", "ecl_lat"]
    fits = Table({names.get(name, name): gaia[name].to_numpy() for name in (*same, *names)})
    fits["parallax"] = 1000 * gaia["parallax"].to_numpy()
    fits["parallax"].unit = "uas"  # the file says so; the config does not
    fits["parallax_error"] = np.full(len(gaia), 0.02)
    fits.write(folder / "gaia.fits")

    tmass = pd.DataFrame({"ra": star["ra"], "dec": star["dec"] + star["tmass_north"] * ARCSEC})
    tmass = tmass.assign(j_m=ks + 0.6, h_m=ks + 0.1, Kmag=ks, e_Kmag=star["ks_error"])
    tmass.to_parquet(folder / "tmass.parquet", index=False)

    distances = Table({"source_id": [SOURCE_ID["repeated"], SOURCE_ID["moving"]], "r_med_geo": [2.05, 0.99]})
    distances["r_med_geo"].unit = "kpc"
    distances.write(folder / "distances.ecsv")

    # Members of clusters that carry Gaia's columns, with Galactic positions only, and the clusters' distances.
    members = pd.DataFrame({"source_id": [640, 128, 384, 512, 256], "parallax": [0.07, 0.21, 0.19, 0.3, 0.12]})
    members = members.assign(l=[100.0, 101.0, 102.0, 99.0, 103.0], b=[-10.0, 0.0, 45.0, 0.0, 89.0])
    members = members.assign(parallax_error=0.02, astrometric_params_solved=[31, 31, 95, 31, 31])
    members.assign(cluster=["far", "near", "near", "unknown", "far"]).to_parquet(folder / "members.parquet")
    (folder / "clusters.csv").write_text("name,pc,e_pc\nnear,5000,100\nfar,10000,500\nunknown,,\n")

    # A user's catalogue: in the map, outside of it, and without a parallax.
    (folder / "mine.csv").write_text("name,ra,dec,plx\nin,33.0,24.0,0.5\nout,120.0,60.0,0.5\nnone,33.0,24.0,\n")


# ---------------------------------------------------------------- measured sample

MEASURED_CENTRES = ((30.0, 20.0), (33.0, 24.0), (200.0, -35.0))  # ra, dec [deg]; one cloud of stars at each
BETA = 0.3
EDGES = {
    "phot_g_mean_mag": [10.0, 11.0, 12.5, 14.0],
    "colour": [1.2, 1.3, 1.4, 1.5, 1.6],
    "sin_ecl_lat": list(np.arange(-4, 5) / 4),
}


def measured_tracers() -> pd.DataFrame:
    """Tracers of 5p and 6p stars in a few pixels, some without a zero point."""
    rng = np.random.default_rng(11)
    n = 900
    cloud = np.array(MEASURED_CENTRES)[rng.integers(0, 3, n)]
    ra, dec = cloud[:, 0] + rng.uniform(-1.5, 1.5, n), cloud[:, 1] + rng.uniform(-1.2, 1.2, n)
    place = SkyCoord(ra, dec, unit="deg")
    six = rng.random(n) < 0.2
    reference = rng.uniform(0.2, 1.2, n)
    zero_point = np.where(rng.random(n) < 0.1, np.nan, rng.uniform(-0.05, -0.02, n))
    raw = -30.0 + rng.normal(0, 45, n) * np.where(rng.random(n) < 0.05, 5, 1)
    colour = rng.uniform(1.15, 1.65, n)
    table = pd.DataFrame({"source_id": source_ids(place, np.arange(n)), "ra": ra, "dec": dec})
    table = table.assign(l=place.galactic.l.deg, b=place.galactic.b.deg, ecl_lat=place.barycentricmeanecliptic.lat.deg)
    table = table.assign(phot_g_mean_mag=rng.uniform(9.5, 14.5, n), bp_rp=rng.uniform(0.5, 1.6, n), ruwe=1.0)
    table["nu_eff_used_in_astrometry"] = np.where(six, np.nan, colour)
    table["pseudocolour"] = np.where(six, colour, np.nan)
    table = table.assign(astrometric_params_solved=np.where(six, 95, 31), solution=np.where(six, "6p", "5p"))
    table = table.assign(reference_parallax=reference, reference_parallax_error=0.085 * reference, parallax_error=0.02)
    table = table.assign(parallax=reference + raw / 1000, zero_point=zero_point)
    table["parallax_corrected"] = table["parallax"] - zero_point
    return table.assign(offset_raw=raw, offset_corrected=raw - 1000 * zero_point)


def config(given: Path) -> dict[str, Any]:
    """Overlay of all samples; the files lie in `given`."""
    overlay = yaml.safe_load(f"""
run: {{samples: [golden]}}
surveys: {{tiny: {{like: standard, seed: 7, stars: 4000, plates: 4}}}}
samples:
  golden:
    like: lamost_giants
    title: Golden stars
    targets:
      dataset: spectra
      columns: {{obsid: OBS, target_ra: {{column: hours, unit: hourangle}}}}
    crossmatch:
      backend: local
      gaia: {{dataset: gaia}}
      tmass: {{dataset: tmass, columns: {{ks_m: Kmag, ks_msigcom: e_Kmag}}}}
      distances: {{dataset: distances}}
  golden_archive: {{like: golden, crossmatch: {{backend: archive}}}}
  measured:
    like: lamost_giants
    title: Golden tracers
    targets: {{dataset: absent}}   # its tracers are put in by hand
    crossmatch: {{backend: none}}
  clusters:
    title: Golden clusters
    official: none
    targets: {{dataset: members, columns: {{cluster: cluster}}}}
    reference:
      kind: group_distance
      group:
        dataset: clusters
        key: cluster
        columns: {{cluster: name, distance: {{column: pc, unit: pc}}, distance_error: {{column: e_pc, unit: pc}}}}
measure:
  gaussian: {{method: density_power, beta: {BETA}}}
  histogram_width_uas: 25.0
  trends:
    min_stars: 40
    edges:
      phot_g_mean_mag: {EDGES["phot_g_mean_mag"]}
      colour: {{start: 1.2, stop: 1.6, step: 0.1}}
      sin_ecl_lat: {{start: -1.0, stop: 1.0, step: 0.25}}
  map: {{nside: 32, ordering: nested, more_than: 60}}
archive: {{chunks: 2}}
publish: {{bootstrap: {{replicates: 200}}}}
catalogues:
  mine: {{path: "{given}/mine.csv", sample: measured, frame: equatorial, base: raw, columns: {{parallax: plx}}}}
""")
    files = ("gaia.fits", "tmass.parquet", "distances.ecsv", "members.parquet", "clusters.csv", "spectra.csv")
    overlay["datasets"] = {name.partition(".")[0]: {"file": name, "path": str(given / name)} for name in files}
    overlay["datasets"]["spectra"]["sha256"] = hashlib.sha256((given / "spectra.csv").read_bytes()).hexdigest()
    overlay["datasets"]["absent"] = {"file": "absent.csv"}
    return overlay
