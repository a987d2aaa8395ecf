"""HEALPix maps of one frame, raw and corrected, from the published dataset (Fig. 6)."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from astropy.io import fits

from gaia_offsets.dataset import fits_bytes, healpix_header, read_dataset
from gaia_offsets.faults import open_log
from gaia_offsets.published import ENDINGS, FITS_UNITS, OFFSETS, TABLE1


def write_map(table: pd.DataFrame, path: str | Path, *, parallax: str, meta: Mapping[str, Any]) -> None:
    """Partial-sky HEALPix map for `raw` or `corrected`: OFFSET and ERROR [uas] and N of the pixels of Table 1."""
    kind = ENDINGS[parallax]
    table = table[table[f"domega_{kind}"].notna()]
    unit = FITS_UNITS["uas"]
    columns = [
        fits.Column("PIXEL", "K", array=table["hindex"].to_numpy()),
        fits.Column("OFFSET", "D", unit=unit, array=table[f"domega_{kind}"].to_numpy()),
        fits.Column("ERROR", "D", unit=unit, array=table[f"e_domega_{kind}"].to_numpy()),
        fits.Column("N", "J", array=table["n"].to_numpy()),
    ]
    hdu = fits.BinTableHDU.from_columns(columns, name="OFFSETS")
    about = ("HEALPix index of the pixel", OFFSETS[parallax], "statistical error of OFFSET", "number of 5p stars")
    fields = {field.name: field for field in TABLE1}
    shown = [fields[name] for name in ("hindex", f"domega_{kind}", f"e_domega_{kind}", "n")]
    for number, (text, field) in enumerate(zip(about, shown, strict=True), start=1):
        hdu.header[f"TCOMM{number}"] = text
        hdu.header[f"TUCD{number}"] = field.ucd
    hdu.header.extend(healpix_header({**meta, "rows": len(table)}, len(table)), update=True)
    hdu.header["PARALLAX"] = (parallax, "raw: published; corrected: official zero point")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(fits_bytes(fits.HDUList([fits.PrimaryHDU(), hdu])))


if __name__ == "__main__":
    open_log(snakemake.log[0])
    table, meta = read_dataset(snakemake.input.dataset)
    for parallax in ("raw", "corrected"):
        write_map(table, snakemake.output[parallax], parallax=parallax, meta=meta)
    print(f"{len(table)} pixels", file=sys.stderr)
