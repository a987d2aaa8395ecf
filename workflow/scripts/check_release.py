"""Ask a TAP service whether it has all the tables and columns that a release block names."""

from typing import Any

from gaia_offsets import adql, archive
from gaia_offsets.faults import open_log
from gaia_offsets.tap import Archive, ArchiveError, Missing


def check_release(service: Archive, release: dict[str, Any]) -> tuple[int, list[Missing]]:
    """How many names were looked up (tables and columns), and those that are missing."""
    needed = adql.needed_columns(release)
    names = sum(1 + len(set(columns)) for columns in needed.values())
    return names, service.missing_names(needed, adql.schema_query(list(needed)))


if __name__ == "__main__":
    open_log(snakemake.log[0])
    name, url = snakemake.params.name, snakemake.params.url
    asked, missing = check_release(archive.service(url, snakemake.resources), snakemake.params.release)
    place = f"releases.{name}"
    print(f"{place} at {url}: {asked} names asked for, {len(missing)} missing", *missing, sep="\n  ", flush=True)
    if missing:
        lacks = "; ".join(map(str, missing))
        raise ArchiveError(f"{url} does not have {len(missing)} of {asked} names of {place}: {lacks}")
