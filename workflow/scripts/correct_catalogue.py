"""A user's catalogue with parallaxes corrected by a published map."""

from gaia_offsets.core.faults import open_log
from gaia_offsets.core.log import say
from gaia_offsets.correct.apply import correct_file, read_map_for
from gaia_offsets.correct.correction import Correction
from gaia_offsets.publish.fields import NONE

if __name__ == "__main__":
    open_log(snakemake.log[0])
    catalogue = snakemake.params.catalogue
    base, first = catalogue["base"], catalogue.get("correction", NONE)
    correction = Correction(
        read_map_for(snakemake.input.dataset, base, correction=first),
        base=base,
        columns=catalogue.get("columns"),
        correction=first,
        inflate=catalogue.get("inflate", False),
    )
    correct_file(snakemake.input.catalogue, snakemake.output.corrected, correction, overwrite=True)
    say(*correction.report())
