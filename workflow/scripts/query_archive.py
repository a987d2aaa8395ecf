"""Ask the archive for the Gaia, 2MASS and distance columns of one chunk of the targets (Sect. 2.1)."""

import json
import signal
import sys
import time
from pathlib import Path

from gaia_offsets.archive import candidates as archive
from gaia_offsets.archive.adql import Crossmatch
from gaia_offsets.archive.chunk import query_archive
from gaia_offsets.archive.tap import Archive
from gaia_offsets.core.faults import open_log

if __name__ == "__main__":
    open_log(snakemake.log[0])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a cancelled run deletes its job in the archive
    started = time.monotonic()
    answer = query_archive(
        archive.read_whole(snakemake.input.asked),
        Archive.of(snakemake.config["archive"]["url"], snakemake.config["archive"]),
        Crossmatch(
            snakemake.params.release,
            snakemake.params.by,
            radius_arcsec=snakemake.params.radius_arcsec,
            epoch=snakemake.params.epoch,
            margin_arcsec=snakemake.params.pm_margin_arcsec,
        ),
        chunk=int(snakemake.wildcards.chunk),
        chunks=snakemake.params.chunks,
        kind=json.loads(Path(snakemake.input.identifiers).read_text())["by"] if snakemake.input.identifiers else None,
    )
    print(f"{int(answer['source_id'].notna().sum())} of {len(answer)} targets have a counterpart", file=sys.stderr)
    archive.write_whole(answer, snakemake.output.chunk)
    seconds, folder = time.monotonic() - started, Path(snakemake.output.chunk).parent
    print(archive.progress_line(folder, snakemake.params.chunks, seconds), file=sys.stderr)
