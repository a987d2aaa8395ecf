"""A simulated survey: catalogues as LAMOST, Gaia and 2MASS give them, and the truth behind them. No star is real.

Sizes and fractions come from `surveys` in the config. Stars are made in chunks that depend on the seed and their number
only, and written as they come.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from gaia_offsets.core.log import progress
from gaia_offsets.simulate.field import STAR_STREAM, TRUTH_NSIDE, Survey, position_offsets
from gaia_offsets.simulate.gaia import gaia_sources, tmass_sources
from gaia_offsets.simulate.stars import FIRST_OBSID, Columns, plates, scattered, spectra, true_stars
from gaia_offsets.tables.parquet import parquet_options

CHUNK = 200_000  # stars; keeps the memory below 1 GiB at any size of survey
CLUMP_DISTANCE_ERROR = 0.05  # red clump catalogue of Huang et al. 2020

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


def survey_chunks(survey: Survey, offset_map: np.ndarray) -> Iterator[dict[str, Columns]]:
    """The tables targets, gaia_source, tmass, distances, red_clump and truth, CHUNK stars at a time.

    `survey` is one entry of `surveys` in the config, `offset_map` comes from `position_offsets`.
    """
    tiles = plates(survey)
    first_obsid = FIRST_OBSID
    for chunk, start in enumerate(range(0, survey["stars"], CHUNK)):
        rng = np.random.default_rng([survey["seed"], STAR_STREAM, chunk])
        stars = true_stars(rng, survey, tiles, min(CHUNK, survey["stars"] - start))
        targets = spectra(rng, survey, stars, first_obsid)
        first_obsid += len(targets["obsid"])
        tmass = tmass_sources(rng, stars)
        # Two numbers a star leave room for its neighbour.
        gaia, distances, truth = gaia_sources(rng, survey, stars, offset_map, first_number=1 + 2 * start)
        clump = np.flatnonzero(stars["clump"])
        scatter = 1.0 + CLUMP_DISTANCE_ERROR * rng.standard_normal(len(clump))
        ra, dec = scattered(rng, stars["ra"][clump], stars["dec"][clump])
        red_clump = {"ra": ra, "dec": dec, "distance": scatter / stars["parallax"][clump]}
        listed = rng.random(len(clump)) < survey["red_clump_completeness"]
        red_clump = {name: values[listed] for name, values in red_clump.items()}
        matched = {"tmass": tmass, "distances": distances, "red_clump": red_clump}
        yield {"targets": targets, "gaia_source": gaia, **matched, "truth": truth}


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
