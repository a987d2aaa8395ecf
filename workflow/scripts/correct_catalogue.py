"""A user's catalogue with parallaxes corrected by a published map."""

import sys

from gaia_offsets.apply import Correction, correct_file, read_map_for

if __name__ == "__main__":
    sys.stderr = open(snakemake.log[0], "w", buffering=1)
    catalogue = snakemake.params.catalogue
    base, with_official = catalogue["base"], catalogue.get("with_official", False)
    correction = Correction(
        read_map_for(snakemake.input.dataset, base, with_official=with_official, named=catalogue.get("map")),
        base=base,
        columns=catalogue.get("columns"),
        with_official=with_official,
    )
    correct_file(snakemake.input.catalogue, snakemake.output.corrected, correction, overwrite=True)
    print("\n".join(correction.report()), file=sys.stderr)
