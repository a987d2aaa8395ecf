"""The release block of these tests.

`external` is a reserved word of ADQL: DaCHS and queryparser want it quoted, the ESA archive takes it as it is.
"""

from pathlib import Path
from typing import Any

from gaia_offsets.core.releases import asked_names, bridged
from gaia_offsets.engine.config.read import load_yaml
from gaia_offsets.engine.config.shorthand import inherit

RELEASE = {
    "epoch": 2016.0,
    "gaia_source": "gaiaedr3.gaia_source",
    "tmass_best_neighbour": "gaiaedr3.tmass_psc_xsc_best_neighbour",
    "tmass_join": "gaiaedr3.tmass_psc_xsc_join",
    "tmass": "gaiadr1.tmass_original_valid",
    "distances": '"external".gaiaedr3_distance',
    "dr2_neighbourhood": "gaiaedr3.dr2_neighbourhood",
    "columns": {},
}


def shipped_block(name: str) -> dict[str, Any]:
    """A release block of the workflow's own config."""
    config = load_yaml(Path(__file__).parents[2] / "config/config.yaml")
    inherit(config, "releases")
    blocks = config["releases"]
    return blocks[name] | {"bridged": bridged(blocks[name], blocks)}


def moved(schema: str) -> dict[str, Any]:
    """The same block with all tables in one schema, for a second sky on the same server."""
    names = {key: name for key, name in RELEASE.items() if isinstance(name, str)}
    return RELEASE | {key: f"{schema}.{name.rpartition('.')[2]}" for key, name in names.items()}


DR4 = asked_names(shipped_block("dr4"))  # what the queries are given of it
