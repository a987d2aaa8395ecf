"""HEALPix maps of one frame, raw and corrected, from the published dataset (Fig. 6)."""

import sys
from typing import TYPE_CHECKING

from gaia_offsets.dataset import read_dataset, write_map

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    table, meta = read_dataset(snakemake.input.dataset)
    for parallax in ("raw", "corrected"):
        write_map(table, snakemake.output[parallax], parallax=parallax, meta=meta)
    print(f"{len(table)} pixels", file=sys.stderr)
