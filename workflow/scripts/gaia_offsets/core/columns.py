"""Column contracts: names, units, ranges and meanings. The ground floor; imports nothing of ours and nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LEARNED = "learned_magnitude"  # the kind of a reference, and the column that the rule learn_magnitudes makes

LABELS, STRATA = ("teff", "logg", "feh"), "feh"  # of a learned magnitude where the config names none


@dataclass(frozen=True)
class Column:
    """Contract of one column: kind (int|float|text), unit (astropy notation, "" where none), range, meaning."""

    kind: str
    unit: str
    low: float
    high: float
    meaning: str


@dataclass(frozen=True)
class ReferenceKind:
    """A kind of reference parallax.

    `error` says what its error is: a `fraction` of the parallax where it comes from a distance or a magnitude, a
    fraction that the stars of a group share (`shared`), or a `parallax`. `columns` are those of the value and of its
    error, `keys` those of the config that it needs besides.
    """

    error: str
    columns: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


REFERENCE_KINDS = {
    "distance": ReferenceKind("fraction", ("distance", "distance_error")),
    "group_distance": ReferenceKind("shared", ("distance", "distance_error"), ("group",)),
    "distance_modulus": ReferenceKind("fraction", ("distance_modulus", "distance_modulus_error")),
    "absolute_magnitude": ReferenceKind("fraction", keys=("absolute_magnitude", "apparent_magnitude")),
    LEARNED: ReferenceKind("fraction", keys=("apparent_magnitude",)),
    "parallax": ReferenceKind("parallax", ("reference_parallax", "reference_parallax_error")),
    "constant": ReferenceKind("parallax", keys=("value_mas",)),
}

_c = Column
# Columns of the angles of each frame; the maps of the two are separate binnings, not rotations of one another.
FRAMES = {"equatorial": ("ra", "dec"), "galactic": ("l", "b")}
PARALLAXES = {"raw": "offset_raw", "corrected": "offset_corrected"}  # with the columns of their offsets [uas]
NULL = -9999.0  # in tables of LAMOST and others; no standard column can hold it as a real value

# Gaia columns keep the archive's own names; the others are those of docs/method.md.
GAIA: dict[str, Column] = {
    "source_id": _c("int", "", 1, 2**63 - 1, "Gaia source identifier of the sample's release"),
    "ra": _c("float", "deg", 0, 360, "right ascension, ICRS, at the release's epoch"),
    "dec": _c("float", "deg", -90, 90, "declination, ICRS, at the release's epoch"),
    "l": _c("float", "deg", 0, 360, "Galactic longitude"),
    "b": _c("float", "deg", -90, 90, "Galactic latitude"),
    "ecl_lat": _c("float", "deg", -90, 90, "ecliptic latitude"),
    "pmra": _c("float", "mas / yr", -2e4, 2e4, "proper motion in right ascension times cos(dec)"),
    "pmdec": _c("float", "mas / yr", -2e4, 2e4, "proper motion in declination"),
    "parallax": _c("float", "mas", -300, 1e3, "published Gaia parallax"),
    "parallax_error": _c("float", "mas", 0, 10, "published standard error of the Gaia parallax"),
    "phot_g_mean_mag": _c("float", "mag", -2, 25, "mean G magnitude"),
    "bp_rp": _c("float", "mag", -10, 15, "colour BP - RP"),
    "nu_eff_used_in_astrometry": _c("float", "1 / um", 0, 5, "effective wavenumber, in EDR3 of 5p solutions"),
    "pseudocolour": _c("float", "1 / um", -20, 20, "astrometrically estimated wavenumber, in EDR3 of 6p solutions"),
    "astrometric_params_solved": _c("int", "", 0, 2**31 - 1, "code of the solution, e.g. 3 (2p), 31 (5p), 95 (6p)"),
    "ruwe": _c("float", "", 0, 1e4, "renormalised unit weight error"),
}
TMASS: dict[str, Column] = {
    "j_m": _c("float", "mag", -10, 30, "2MASS J magnitude"),
    "h_m": _c("float", "mag", -10, 30, "2MASS H magnitude"),
    "ks_m": _c("float", "mag", -10, 30, "2MASS Ks magnitude"),
    "ks_msigcom": _c("float", "mag", 0, 10, "total error of the 2MASS Ks magnitude; null for an upper limit"),
}
DISTANCES: dict[str, Column] = {
    "r_med_geo": _c("float", "pc", 0, 1e6, "median geometric distance of Bailer-Jones et al. 2021"),
    "r_lo_geo": _c("float", "pc", 0, 1e6, "16th percentile of the geometric distance"),
    "r_hi_geo": _c("float", "pc", 0, 1e6, "84th percentile of the geometric distance"),
}
TARGETS: dict[str, Column] = {
    "obsid": _c("int", "", 0, 2**63 - 1, "identifier of the spectrum"),
    "target_ra": _c("float", "deg", 0, 360, "right ascension of the target at the catalogue's epoch"),
    "target_dec": _c("float", "deg", -90, 90, "declination of the target at the catalogue's epoch"),
    "snr": _c("float", "", -1e6, 1e6, "signal-to-noise ratio of the spectrum"),
    "teff": _c("float", "K", 0, 1e6, "effective temperature"),
    "logg": _c("float", "", -5, 10, "logarithm of the surface gravity in cm / s2"),
    "feh": _c("float", "", -10, 5, "[Fe/H]"),
    "mks": _c("float", "mag", -30, 30, "absolute magnitude M_Ks"),
    "ebv": _c("float", "mag", -5, 100, "reddening E(B-V)"),
    "distance": _c("float", "kpc", 0, 1e6, "distance that does not come from Gaia"),
    "distance_error": _c("float", "kpc", 0, 1e6, "standard error of that distance"),
    "distance_modulus": _c("float", "mag", -10, 40, "true distance modulus"),
    "distance_modulus_error": _c("float", "mag", 0, 10, "standard error of the distance modulus"),
    "reference_parallax": _c("float", "mas", -1, 1e3, "parallax that does not come from Gaia (the paper's omega_G)"),
    "reference_parallax_error": _c("float", "mas", 0, 1e3, "standard error of the reference parallax"),
    "gaia_dr2_source_id": _c("int", "", 1, 2**63 - 1, "Gaia DR2 source identifier"),
    "gaia_dr3_source_id": _c("int", "", 1, 2**63 - 1, "Gaia DR3 source identifier, for a later release"),
    "gaia_source_id": _c(
        "int", "", -(2**63), 2**63 - 1, "Gaia identifier of a release to be found out; 0 or less: none"
    ),
}
MATCH: dict[str, Column] = {
    "preselected": _c("bool", "", 0, 1, "false where the target was left out before the archive was asked"),
    "match_separation": _c("float", "arcsec", 0, 3600, "distance to the Gaia counterpart at the target's epoch"),
    "match_neighbours": _c("int", "", 0, 1e6, "Gaia sources within the match radius, or by the identifier"),
}
OFFSETS: dict[str, Column] = {
    "solution": _c("text", "", 0, 0, "class of the solution, a name of its release (5p, 6p)"),
    "zero_point": _c("float", "mas", -0.5, 0.5, "zero point of the official correction; null where it has none"),
    "parallax_corrected": _c("float", "mas", -1e3, 1e3, "parallax - zero_point"),
    "offset_raw": _c("float", "uas", -1e6, 1e6, "1000 (parallax - reference_parallax)"),
    "offset_corrected": _c("float", "uas", -1e6, 1e6, "1000 (parallax_corrected - reference_parallax)"),
}
# How VizieR calls Gaia's columns (I/350/gaiaedr3 and I/355/gaiadr3); GAIA has the archive's own names.
VIZIER: dict[str, str] = {
    "source_id": "Source",
    "ra": "RA_ICRS",
    "dec": "DE_ICRS",
    "l": "GLON",
    "b": "GLAT",
    "ecl_lat": "ELAT",
    "pmra": "pmRA",
    "pmdec": "pmDE",
    "parallax": "Plx",
    "parallax_error": "e_Plx",
    "phot_g_mean_mag": "Gmag",
    "bp_rp": "BP-RP",
    "nu_eff_used_in_astrometry": "nueff",
    "pseudocolour": "pscol",
    "astrometric_params_solved": "Solved",
    "ruwe": "RUWE",
}
# What tells the release of a table; read where it is there, and not kept.
RELEASE: dict[str, Column] = {
    "designation": _c("text", "", 0, 0, "name of the source, which begins with the release"),
    "ref_epoch": _c("float", "yr", 0, 1e4, "epoch of the positions"),
}
# Columns that hold designations, which begin with the release and end in the identifier; VizieR names one by release.
DESIGNATIONS = ("designation", "dr3name", "edr3name", "dr2name")
# What may stand for a column where neither its name nor VizieR's is there; in any case of letters.
ALIKE: dict[str, tuple[str, ...]] = {
    "source_id": ("source_id", "sourceid", *DESIGNATIONS),
    "designation": DESIGNATIONS,
    "ref_epoch": ("ref_epoch",),
}
STANDARD: dict[str, Column] = {**GAIA, **TMASS, **DISTANCES, **TARGETS, **MATCH, **OFFSETS, **RELEASE}
# Of these a 0 is no error: a table says so of what it does not know.
ERRORS = ("parallax_error", "distance_error", "distance_modulus_error", "reference_parallax_error", "ks_msigcom")

# What a catalogue to be corrected may bring; `correction` is our name of the column that column:NAME names.
CATALOGUE: tuple[str, ...] = (
    *("parallax", "ra", "dec", "l", "b", "astrometric_params_solved", "phot_g_mean_mag", "nu_eff_used_in_astrometry"),
    *("pseudocolour", "ecl_lat", "parallax_error", "ruwe", "correction"),
)

# Order of the columns of tracers.parquet.
TRACERS: tuple[str, ...] = (
    *("source_id", "ra", "dec", "l", "b", "ecl_lat", "phot_g_mean_mag", "bp_rp", "nu_eff_used_in_astrometry"),
    *("pseudocolour", "astrometric_params_solved", "solution", "ruwe", "parallax", "parallax_error"),
    *("reference_parallax", "reference_parallax_error", "zero_point", "parallax_corrected"),
    *("offset_raw", "offset_corrected"),
)


def magnitude_column(spec: dict[str, Any]) -> str | float:
    """Where the absolute magnitude of a reference stands: a column, or a constant [mag]."""
    return LEARNED if spec["kind"] == LEARNED else spec["absolute_magnitude"]
