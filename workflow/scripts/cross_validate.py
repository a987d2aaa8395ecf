"""What corrections learned from some of the stars say of the others: by star and by blocks of the sky."""

from gaia_offsets.checks.cross_validation import Learning, cross_validation
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.files import read_json
from gaia_offsets.core.log import say
from gaia_offsets.offsets.stars import MEASURED
from gaia_offsets.tables.parquet import read_tracers
from gaia_offsets.tables.read import write_table

if __name__ == "__main__":
    open_log(snakemake.log[0])
    measured = read_json(snakemake.input.settings)
    solution, colour = snakemake.params.solution, snakemake.params.colour
    columns = [*MEASURED, "source_id", "ra", "dec", colour]
    stars = read_tracers(snakemake.input.tracers, columns, solution)
    learning = Learning(
        snakemake.params.reference,
        **{name: measured[name] for name in ("nside", "more_than")},
        **{name: snakemake.params[name] for name in ("gaussian", "reach_deg", "splines")},
    )
    table = cross_validation(stars.assign(colour=stars[colour]), learning, **snakemake.params.validation)
    say(table.to_string(index=False))
    if not table["n"].any():
        lacking = f"no {solution} star has both errors and a corrected parallax"
        say(f"WARNING: nothing to validate: {lacking}")
    write_table(table, snakemake.output.validation)
