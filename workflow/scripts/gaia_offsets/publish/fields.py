"""What is published: the columns of a map and of a corrected catalogue, and which map goes with which parallax."""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

# A parallax is `raw` (as published) or `corrected` (the zero point of the sample's correction, its `official`,
# subtracted); so is the map of its offsets.
OFFSETS = {
    "corrected": "offset of the parallax after {correction}",  # see zero_point_words
    "raw": "offset of the published parallax",
}
BASES = {"raw": "raw", "official": "corrected"}  # what a catalogue's parallax is: the map that goes with it

# How formats write our unit uas, which they do not know.
FITS_UNITS = {"uas": "10**-6 arcsec"}
VO_UNITS = {"uas": "uarcsec"}  # VOTable and the machine-readable tables


# What may be subtracted before a map: the models by name, COLUMN_PREFIX and a column of the catalogue, or NONE.
NONE, OFFICIAL, COLUMN_PREFIX = "none", "lindegren2021", "column:"
MODELS = (OFFICIAL, "maiz_apellaniz2022")


def zero_point_words(official: str | None) -> str:
    """A correction by its name, in words: whoever reads them must not subtract another one."""
    return "no zero point" if official == NONE else f"the zero point {official or 'of an unnamed correction'}"


def map_for(base: str, *, correction: str = NONE) -> str:
    """The map, raw or corrected, for a parallax of a base from which a correction is subtracted on the way."""
    return BASES[base] if correction == NONE else "corrected"


def pairing_faults(base: str, parallax: str | None = None, *, correction: str = NONE) -> Iterator[tuple[str, str]]:
    """Why a parallax of this base must not be corrected so: (base, correction or map, reason) each.

    Nothing comes where they go together. `parallax` is raw or corrected, None for the map that fits; `correction` is
    what is subtracted first.
    """
    if correction not in (NONE, *MODELS) and not str(correction).startswith(COLUMN_PREFIX):
        yield "correction", f"correction {correction!r} is none of {', '.join((NONE, *MODELS))}, {COLUMN_PREFIX}NAME"
        return
    if base not in BASES:
        yield "base", f"base {base!r} is neither raw (published) nor official (zero point subtracted)"
        return
    if correction != NONE and base == "official":
        yield "correction", f"base official: a zero point is subtracted already; {correction} must not be on top of it"
    wanted = map_for(base, correction=correction)
    if parallax not in (None, wanted):
        also = "; or subtract a zero point first (correction)" if wanted == "raw" else ""
        what = f"base {base}" + (f" from which {correction} is subtracted first" if correction != NONE else "")
        yield "map", f"the {parallax} map does not go on a parallax of {what}: use the {wanted} map{also}"


@dataclass(frozen=True)
class Field:
    """A published column: unit (astropy's, "" for none), decimals (None: whole number), meaning, UCD (UCD1+).

    In the meaning {solution} stands for the class of the stars, which the metadata name.
    """

    name: str
    unit: str
    decimals: int | None
    meaning: str
    ucd: str


# Names of the columns of one of the two offsets, in Table 1 and in its long version.
OffsetColumns = namedtuple("OffsetColumns", "value error median median_error sd bootstrap_error z")
COLUMNS_OF = {
    "corrected": OffsetColumns(
        "domega_corr", "e_domega_corr", "median_corr", "e_median_corr", "sd_corr", "e_boot_corr", "z_corr"
    ),
    "raw": OffsetColumns(
        *("domega_noncorr", "e_domega_noncorr", "median_noncorr", "e_median_noncorr"),
        *("sd_noncorr", "e_boot_noncorr", "z_noncorr"),
    ),
}
_OFFSET, _ERROR, _COUNT = "pos.parallax;arith.diff", "stat.error;pos.parallax;arith.diff", "meta.number"

TABLE1: tuple[Field, ...] = (
    Field("hindex", "", None, "HEALPix index of the pixel in the file's frame and ordering", "pos.healpix;meta.main"),
    Field("ra", "deg", 6, "right ascension of the pixel's centre, ICRS", "pos.eq.ra;meta.main"),
    Field("dec", "deg", 6, "declination of the pixel's centre, ICRS", "pos.eq.dec;meta.main"),
    Field("gl", "deg", 6, "Galactic longitude of the pixel's centre", "pos.galactic.lon"),
    Field("gb", "deg", 6, "Galactic latitude of the pixel's centre", "pos.galactic.lat"),
    Field("domega_corr", "uas", 3, f"{OFFSETS['corrected']}: mean of its Gaussian fit", f"{_OFFSET};stat.mean"),
    Field(
        "e_domega_corr", "uas", 3, "statistical error of domega_corr: sd of the fit over the root of its stars", _ERROR
    ),
    Field("domega_noncorr", "uas", 3, f"{OFFSETS['raw']}: mean of its Gaussian fit", f"{_OFFSET};stat.mean"),
    Field(
        "e_domega_noncorr", "uas", 3, "statistical error of domega_noncorr: sd of the fit over the root of n", _ERROR
    ),
    Field("n", "", None, "number of {solution} stars with a known raw offset in the pixel", _COUNT),
)
SMOOTH: tuple[Field, ...] = (  # the smooth map: the columns of Table 1, so that what reads the one reads the other
    *TABLE1[:5],
    Field("domega_corr", "uas", 3, f"{OFFSETS['corrected']}: posterior mean of the smooth map", f"{_OFFSET};stat.mean"),
    Field("e_domega_corr", "uas", 3, "posterior standard deviation of domega_corr", _ERROR),
    Field("domega_noncorr", "uas", 3, f"{OFFSETS['raw']}: posterior mean of the smooth map", f"{_OFFSET};stat.mean"),
    Field("e_domega_noncorr", "uas", 3, "posterior standard deviation of domega_noncorr", _ERROR),
    Field(
        "n",
        "",
        None,
        "number of {solution} stars behind the raw offset in the pixel; 0: its neighbours make the value",
        _COUNT,
    ),
)
_Z = "minus the weighted mean of its neighbours, over the error of that difference"
_DESCRIBED = (  # what the long version adds, after the numbers of other stars
    Field("g_mean", "mag", 4, "mean G magnitude of the {solution} stars", "phot.mag;em.opt;stat.mean"),
    Field(
        "bp_rp_mean", "mag", 4, "mean colour BP - RP of the {solution} stars", "phot.color;em.opt.B;em.opt.R;stat.mean"
    ),
    Field("median_corr", "uas", 3, f"median of the {OFFSETS['corrected']}", f"{_OFFSET};stat.median"),
    Field(
        "e_median_corr", "uas", 3, f"error of the median of the {OFFSETS['corrected']}, from order statistics", _ERROR
    ),
    Field("sd_corr", "uas", 3, f"standard deviation of the {OFFSETS['corrected']}", f"stat.stdev;{_OFFSET}"),
    Field("e_boot_corr", "uas", 3, "bootstrap error of domega_corr", _ERROR),
    Field("z_corr", "", 3, f"domega_corr {_Z}", f"stat.snr;{_OFFSET}"),
    Field("median_noncorr", "uas", 3, f"median of the {OFFSETS['raw']}", f"{_OFFSET};stat.median"),
    Field("e_median_noncorr", "uas", 3, f"error of the median of the {OFFSETS['raw']}, from order statistics", _ERROR),
    Field("sd_noncorr", "uas", 3, f"standard deviation of the {OFFSETS['raw']}", f"stat.stdev;{_OFFSET}"),
    Field("e_boot_noncorr", "uas", 3, "bootstrap error of domega_noncorr", _ERROR),
    Field("z_noncorr", "", 3, f"domega_noncorr {_Z}", f"stat.snr;{_OFFSET}"),
    Field(
        "e_syst",
        "uas",
        3,
        "systematic floor of either offset, the same everywhere: see systematic_uas",
        "stat.error.sys;pos.parallax;arith.diff",
    ),
)


def extended(others: Iterable[str]) -> tuple[Field, ...]:
    """Columns of the long version of Table 1; `others` are the measured classes besides the standard one."""
    text = "number of {} stars in the pixel; none of them enters the offsets"
    return (*TABLE1, *(Field(f"n_{name}", "", None, text.format(name), _COUNT) for name in others), *_DESCRIBED)


def worded(fields: Iterable[Field], meta: Mapping[str, Any]) -> list[Field]:
    """The fields with what the metadata say in their meanings."""
    words = {"solution": meta["solution"], "correction": zero_point_words(meta.get("official"))}
    return [replace(field, meaning=field.meaning.format(**words)) for field in fields]


# Metadata: key, FITS keyword, meaning. The order is that of the files.
META: tuple[tuple[str, str, str], ...] = (
    ("title", "TITLE", "what this is"),
    ("authors", "AUTHORS", "authors of the dataset"),
    ("method", "METHOD", "paper whose method made it"),
    ("citation", "CITATION", "what to cite"),
    ("sample", "SAMPLE", "name of the sample of tracers"),
    ("sample_title", "SAMPTTL", "the sample in words"),
    ("simulated", "SIMULATE", "whether the stars are simulated"),
    ("release", "RELEASE", "Gaia release"),
    ("official", "OFFICIAL", "correction whose zero point the corrected offsets stand on"),
    ("solution", "SOLUTION", "kind of astrometric solution of the stars"),
    ("frame", "FRAME", "frame in which the pixels are defined"),
    ("nside", "NSIDE", "HEALPix resolution"),
    ("ordering", "ORDERING", "HEALPix ordering"),
    ("estimator", "ESTIMATR", "estimator of the offset"),
    ("more_than", "MORETHAN", "every pixel has more stars than this"),
    ("rows", "ROWS", "number of rows of the table"),
    ("systematic_uas", "SYSTUAS", "[uas] systematic floor"),
    ("systematic_source", "SYSTSRC", "source of the systematic floor"),
    ("sign", "SIGN", "how to use an offset"),
    ("inputs", "INPUTS", "data behind the map; provenance.json of the run has the SHA-256 of each file"),
    ("config_digest", "CONFIG", "digest of the settings behind the map"),
    ("versions", "VERSIONS", "software"),
)

# Columns added to a catalogue that is corrected.
INSIDE, OUTSIDE, NO_PARALLAX, NO_POSITION, NO_ZERO_POINT = range(5)
FLAGS = {
    INSIDE: "corrected with the map",
    OUTSIDE: "outside the footprint of the map: null",
    NO_PARALLAX: "no parallax: null",
    NO_POSITION: "no position: null",
    NO_ZERO_POINT: "outside the range of the zero point that was asked for: null",
}
OUTPUT: tuple[Field, ...] = (
    Field(
        "parallax_map_corrected",
        "mas",
        6,
        "parallax minus the zero point, where one is asked for, minus map_offset; null where map_flag is not 0",
        "pos.parallax",
    ),
    Field("map_offset", "uas", 3, "offset of the pixel in the map, Gaia minus reference", _OFFSET),
    Field(
        "map_error_statistical", "uas", 3, "statistical error of map_offset, common to all stars of the pixel", _ERROR
    ),
    Field("map_error_systematic", "uas", 3, "systematic floor of map_offset", "stat.error.sys;pos.parallax;arith.diff"),
    Field(
        "map_n",
        "",
        None,
        "number of stars in the pixel; 0 outside the footprint, or where a smooth map has only neighbours",
        _COUNT,
    ),
    Field("map_flag", "", None, "; ".join(f"{flag} {text}" for flag, text in FLAGS.items()), "meta.code.qual"),
)
ZERO_POINT = Field(
    "subtracted_zero_point",
    "mas",
    6,
    "zero point of the correction, subtracted before any map's",
    "arith.zp;pos.parallax",
)
CORRECTED = Field(
    "parallax_corrected",
    "mas",
    6,
    "parallax minus subtracted_zero_point, no map; null where there is no zero point",
    "pos.parallax",
)
# Published ways to a true error, by name: what it then is. The first is that of a bare `inflate`.
INFLATIONS = {
    "maiz_apellaniz2022": "published error times k, and 10.3 uas in quadrature (Maiz Apellaniz 2022)",
    "el_badry2021": "published error times f(G), without a systematic floor (El-Badry et al. 2021)",
}


def true_error_field(inflate: str) -> Field:
    """The column of true errors, which says whose they are."""
    return Field("parallax_error_true", "mas", 6, INFLATIONS[inflate], "stat.error;pos.parallax")


TRUE_ERROR = true_error_field("maiz_apellaniz2022")


def named_like(name: str, names: Iterable[str]) -> list[str]:
    """The names that are one of ours, or what TOPCAT or pandas makes of it where two tables have it: name_1, name_x."""
    return [other for other in names if re.fullmatch(rf"(?i){name}(_\d+|_[xy])?", other)]
