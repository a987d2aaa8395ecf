"""A user's catalogue with parallaxes corrected by a published map."""

from gaia_offsets.core.faults import open_log
from gaia_offsets.core.log import say
from gaia_offsets.correct.apply import correct_file
from gaia_offsets.correct.correction import Correction
from gaia_offsets.publish.fields import NONE

if __name__ == "__main__":
    open_log(snakemake.log[0])
    catalogue = snakemake.params.catalogue
    correction = Correction(
        snakemake.input.dataset,
        base=catalogue["base"],
        columns=catalogue.get("columns"),
        correction=catalogue.get("correction", NONE),
        inflate=catalogue.get("inflate", False),
    )
    correct_file(snakemake.input.catalogue, snakemake.output.corrected, correction, overwrite=True)
    say(*correction.report())
