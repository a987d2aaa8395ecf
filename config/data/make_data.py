"""Make the shipped samples from the compiled upstream tables: python config/data/make_data.py FOLDER

FOLDER holds kepler_giants.csv.gz, globular_cluster_members.csv.gz and globular_cluster_distances.csv as the README
beside this script describes them. The results land beside this script. Upstream numbers are copied as text, digit by
digit; only the derived columns are computed. The same input gives the same bytes (with the same zlib).
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import sys
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent

# Name here: name upstream.
KEPLER: dict[str, str] = {
    "kic": "kic",
    "ra": "ra_deg",
    "dec": "dec_deg",
    "parallax": "parallax_mas",
    "parallax_error": "parallax_error_mas",
    "phot_g_mean_mag": "phot_g_mean_mag",
    "bp_rp": "bp_rp",
    "astrometric_params_solved": "astrometric_params_solved",
    "nu_eff_used_in_astrometry": "nu_eff_used_in_astrometry",
    "pseudocolour": "pseudocolour",
    "ecl_lat": "ecl_lat_deg",
    "ruwe": "ruwe",
    "ks_m": "ks_mag",
    "ks_msigcom": "ks_error_mag",
    "teff": "teff_apogee_k",
    "m_h": "m_h_apogee_dex",
    "av": "av_miglio_mag",
    "distance": "dist_seis_kpc",
    "distance_error": "dist_seis_error_kpc",
    "radius_miglio2021": "radius_miglio_rsun",
    "radius_sharma2016": "radius_sharma2016_rsun",
    "radius_li2023": "radius_li2023_rsun",
}
OTHER_RADII = ("sharma2016", "li2023")
NOT_USED = ("pmra", "pmdec")  # of the cluster members

Row = dict[str, str]


def derived(row: Row) -> Row:
    """The computed columns of one Kepler star: distances with other radii (kpc) and M_Ks (mag)."""
    radius = float(row["radius_miglio2021"])
    out: Row = {}
    for name in OTHER_RADII:
        other = row[f"radius_{name}"]
        for quantity in ("distance", "distance_error"):
            out[f"{quantity}_{name}"] = f"{float(row[quantity]) * float(other) / radius:.7f}" if other else ""
    t = (float(row["teff"]) - 4800) / 500
    m_h = float(row["m_h"])
    mks = 3.5175 - 0.1344 * t + 0.0080 * t**2 - 0.0329 * m_h + 0.0065 * m_h * t - 5 * math.log10(radius)
    return {**out, "mks": f"{mks:.5f}"}


def kepler_giants(rows: Iterable[Row]) -> list[Row]:
    """Used columns with the workflow's names, derived columns at the end, sorted by KIC number."""
    renamed = [{name: row[upstream] for name, upstream in KEPLER.items()} for row in rows]
    return sorted(({**row, **derived(row)} for row in renamed), key=lambda row: int(row["kic"]))


def cluster_members(rows: Iterable[Row]) -> list[Row]:
    """The members in their order, without the columns that are not used."""
    return [{name: text for name, text in row.items() if name not in NOT_USED} for row in rows]


def read(path: Path) -> list[Row]:
    """Rows of a gzipped csv file, all as text."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: list[Row]) -> None:
    """Gzipped csv without time and name in its header."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with (
        path.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=file, mtime=0) as packed,
    ):
        packed.write(text.getvalue().encode())


def main(folder: Path) -> None:
    """Make all three files."""
    name = "kepler_giants.csv.gz"
    write(HERE / name, kepler_giants(read(folder / name)))
    name = "globular_cluster_members.csv.gz"
    write(HERE / name, cluster_members(read(folder / name)))
    name = "globular_cluster_distances.csv"
    (HERE / name).write_bytes((folder / name).read_bytes())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python config/data/make_data.py FOLDER")
    main(Path(sys.argv[1]))
