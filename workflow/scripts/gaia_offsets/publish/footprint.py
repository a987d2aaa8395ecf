"""What a published map says of itself, the sky that it covers, as a MOC, and all its files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from astropy.io import fits
from mocpy import MOC

from gaia_offsets.core.version import code_version
from gaia_offsets.publish.fields import META, Field
from gaia_offsets.publish.write import fits_bytes, plain_ascii, write_dataset, write_map
from gaia_offsets.sky.healpix import hp
from gaia_offsets.sky.positions import pixel_centre, pixel_index, to_equatorial, to_galactic

PACKAGES = ("numpy", "pandas", "astropy", "healpy", "gaiadr3-zeropoint")


def map_meta(facts: Mapping[str, Any], frame: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of a map: the keys of META but `rows`, which write_dataset adds.

    `facts` are those of about.describe; `settings` (nside, ordering, more_than) stand in tables/map_{frame}.json.
    """
    meta = {**facts, **settings, "title": f"{facts['title']}, {frame} frame", "frame": frame}
    meta["versions"] = ", ".join([f"gaia-offsets {code_version()}", *(f"{name} {version(name)}" for name in PACKAGES)])
    return {key: meta[key] for key, *_ in META if key in meta}


def footprint(pixels: np.ndarray, *, frame: str, nside: int, ordering: str) -> MOC:
    """The sky covered by the pixels, in ICRS as the standard for MOCs has it.

    Exact for equatorial pixels; for Galactic ones the cells four orders finer whose centres lie in the pixels.
    """
    order = hp.nside2order(nside)
    if len(pixels) == 0:
        return MOC.new_empty(order)
    cells = pixels if ordering == "nested" else hp.ring2nest(nside, pixels)
    if frame == "galactic":
        order = order + 4
        cells = _cells_inside(np.asarray(pixels), nside=nside, ordering=ordering, order=order)
    return MOC.from_healpix_cells(cells.astype(np.uint64), np.uint8(order), np.uint8(order))


def _cells_inside(pixels: np.ndarray, *, nside: int, ordering: str, order: int) -> np.ndarray:
    """Equatorial nested cells of an order whose centres lie in the Galactic pixels."""
    # Candidates: equatorial pixels of the map's own size within three pixel widths of a Galactic one.
    position = to_equatorial(*pixel_centre(pixels, nside=nside, ordering=ordering))
    near = np.unique(pixel_index(*position, nside=nside, ordering="nested"))
    for _ in range(2):
        ring = hp.get_all_neighbours(nside, near, nest=True)
        near = np.unique(np.concatenate([near, ring[ring >= 0]]))
    children = 4 ** (order - hp.nside2order(nside))
    inside = []
    for part in np.array_split(near, max(1, len(near) * children // 1_000_000)):
        cells = (part[:, None] * children + np.arange(children)).ravel()
        centre = to_galactic(*pixel_centre(cells, nside=2**order, ordering="nested"))
        inside.append(cells[np.isin(pixel_index(*centre, nside=nside, ordering=ordering), pixels)])
    return np.concatenate(inside)


def write_footprint(pixels: np.ndarray, path: str | Path, meta: Mapping[str, Any]) -> None:
    """MOC of the pixels of a map as FITS."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    moc = footprint(pixels, frame=meta["frame"], nside=meta["nside"], ordering=meta["ordering"])
    about = {"TITLE": "title", "SAMPLE": "sample", "SIMULATE": "simulated", "CONFIG": "config_digest"}
    keywords = {keyword: plain_ascii(str(meta[key])) for keyword, key in about.items()}
    moc.save(path, format="fits", overwrite=True, fits_keywords=keywords)
    with fits.open(path, lazy_load_hdus=False, memmap=False) as hdus:
        content = fits_bytes(hdus)
    path.write_bytes(content)


def publish(table: pd.DataFrame, fields: Sequence[Field], meta: Mapping[str, Any], paths: Iterable[str]) -> None:
    """Write a map of one frame to those paths whose names begin with the frame: tables, MOC, HEALPix maps."""
    for path in (path for path in map(Path, paths) if path.name.startswith(meta["frame"])):
        if path.name.endswith(".moc.fits"):
            write_footprint(table["hindex"].to_numpy(), path, meta)
        elif path.name.endswith(("_raw.fits", "_corrected.fits")):
            write_map(table, path, parallax=path.stem.rpartition("_")[2], meta=meta)
        else:
            write_dataset(table, path, fields, meta)
