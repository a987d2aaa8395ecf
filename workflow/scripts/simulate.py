"""Catalogues of a simulated survey and the truth behind them; nothing in it is a real star."""

from gaia_offsets.core.faults import open_log
from gaia_offsets.core.log import say
from gaia_offsets.simulate.survey import write_survey

if __name__ == "__main__":
    open_log(snakemake.log[0])
    rows = write_survey(snakemake.params.survey, dict(snakemake.output.items()))
    say(f"simulated survey {snakemake.wildcards.survey}: nothing in it is a real star")
    for table, count in rows.items():
        say(f"{table}: {count} simulated rows")
