"""Bring one raw file of the config's `datasets` here, checked, with a manifest of where it came from."""

import sys

from gaia_offsets.download import DownloadError, retrieve


def log(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)  # left open: the message below must reach it
    try:
        retrieve(
            snakemake.wildcards.dataset,
            snakemake.params.entry,
            snakemake.output.file,
            snakemake.output.manifest,
            local=snakemake.input.get("local") or None,
            report=log,
        )
    except DownloadError as error:
        sys.exit(str(error))
