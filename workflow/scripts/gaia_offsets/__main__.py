"""The command gaia-offsets, or python -m gaia_offsets: what it takes and what it says."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from typing import Any

import gaia_offsets
from gaia_offsets.core.columns import FRAMES, STANDARD, VIZIER
from gaia_offsets.core.faults import message_of
from gaia_offsets.core.log import say
from gaia_offsets.core.version import VERSION
from gaia_offsets.correct.apply import correct_file
from gaia_offsets.correct.correction import COLUMNS, Correction, check_base
from gaia_offsets.correct.means import file_means
from gaia_offsets.publish.fields import BASES, COLUMN_PREFIX, COLUMNS_OF, INFLATIONS, MODELS, NONE, OFFICIAL, TRUE_ERROR
from gaia_offsets.publish.offset_map import SHIPPED, ApplyError, read_map
from gaia_offsets.sample.errors import MAIZ_APELLANIZ
from gaia_offsets.sample.star_table import CORRECTION
from gaia_offsets.tables.formats import NAMED

EXAMPLES = """examples:
  gaia-offsets apply - stars.fits corrected.fits --correction lindegren2021
  gaia-offsets apply results/my_stars/dataset/equatorial.ecsv stars.csv corrected.csv --parallax my_parallax
"""


def _parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(prog="gaia-offsets", description=gaia_offsets.__doc__.partition("\n")[0])
    whole.add_argument("--version", action="version", version=f"gaia-offsets {VERSION}")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    _add_apply(commands)
    _add_mean(commands)
    about = "maps that come with this, for MAP of apply: where they are, and whose distances they stand on"
    commands.add_parser("maps", help=about, description=about).set_defaults(run=_maps)
    _add_check_release(commands)
    return whole


def _add_apply(commands: Any) -> None:
    about = "correct the parallaxes of a catalogue with a zero point, a published map or both"
    words = {"usage": "gaia-offsets apply MAP CATALOGUE OUTPUT [options]; MAP is - for none", "epilog": EXAMPLES}
    layout = argparse.RawDescriptionHelpFormatter  # for the lines of the examples
    parser = commands.add_parser("apply", help=about, description=about, formatter_class=layout, **words)
    a_map = f"a file of results/*/dataset/, {' or '.join(SHIPPED)} (gaia-offsets maps), or - for none"
    parser.add_argument("dataset", metavar="MAP", help=a_map)
    parser.add_argument("catalogue", metavar="CATALOGUE", help=f"your table: {NAMED}; FITS, Parquet, CSV of any size")
    parser.add_argument("output", metavar="OUTPUT", help="your table with columns added; one of the same endings")
    parser.add_argument(
        "--base",
        choices=BASES,
        default="raw",
        help="raw: published parallax (default); official: a zero point is subtracted already",
    )
    correction = parser.add_mutually_exclusive_group()
    correction.add_argument(
        "--correction",
        default=NONE,
        metavar="NAME",
        help=f"zero point to subtract before the map: {', '.join(MODELS)}, {COLUMN_PREFIX}NAME for a column of the "
        f"catalogue, or {NONE} (default); a map must stand on the same one",
    )
    correction.add_argument(
        "--with-official",
        action="store_const",
        dest="correction",
        const=OFFICIAL,
        help=f"the same as --correction {OFFICIAL}",
    )
    _add_inflate(parser, f"add {TRUE_ERROR.name}")
    parser.add_argument("--map", choices=COLUMNS_OF, help="refuse if the base needs another map than this one")
    parser.add_argument("--frame", choices=FRAMES, help="frame of a dataset in CSV")
    parser.add_argument("--nside", type=int, help="nside of a dataset in CSV")
    parser.add_argument("--ordering", choices=("nested", "ring"), help="ordering of a dataset in CSV")
    parser.add_argument("--systematic", type=float, metavar="UAS", help="systematic floor in place of the dataset's")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output")
    _add_columns(parser)
    parser.set_defaults(run=_apply)


def _add_mean(commands: Any) -> None:
    about = "mean parallax of groups of stars, with Gaia's correlated errors in its error: CSV, mas"
    parser = commands.add_parser("mean", help=about, description=about)
    parser.add_argument("catalogue", metavar="CATALOGUE", help=f"your table: {NAMED}")
    parser.add_argument("--group", metavar="COLUMN", help="column that names the group of each star; else one group")
    parser.add_argument(
        "--correction",
        default=NONE,
        metavar="NAME",
        help=f"zero point to subtract first: {', '.join(MODELS)}, {COLUMN_PREFIX}NAME, or {NONE} (default)",
    )
    _add_inflate(parser, "multiply errors by k or f first, without a floor")
    _add_columns(parser)
    parser.set_defaults(run=_mean)


def _add_inflate(parser: argparse.ArgumentParser, what: str) -> None:
    def name(text: str) -> str:
        if text in INFLATIONS:
            return text
        known = " or ".join(INFLATIONS)
        raise argparse.ArgumentTypeError(f"{text!r} is not {known}; a bare --inflate stands behind the files")

    about = "; ".join(f"{name}: {meaning}" for name, meaning in INFLATIONS.items())
    default = {"nargs": "?", "const": MAIZ_APELLANIZ, "type": name}
    parser.add_argument("--inflate", metavar="NAME", **default, help=f"{what}; {about}; bare: {MAIZ_APELLANIZ}")


def _add_check_release(commands: Any) -> None:
    about = "ask the archive for the names of a Gaia release and how it codes its solutions: a block for the config"
    parser = commands.add_parser("check-release", help=about, description=about)
    parser.add_argument("name", metavar="NAME", help="a key of `releases` in the config, such as dr4")
    parser.add_argument("--configfile", nargs="+", default=[], metavar="FILE", help="overlays of the workflow's config")
    parser.add_argument("--url", help="TAP service to ask in the place of archive.url")
    parser.set_defaults(run=_check_release)


def _add_columns(parser: argparse.ArgumentParser) -> None:
    """Options that name columns and units; the archive's names and VizieR's need none."""
    group = parser.add_argument_group("columns of the catalogue that bear neither the archive's name nor VizieR's")
    for name in COLUMNS:
        about = f"{STANDARD[name].meaning} [{STANDARD[name].unit or 'no unit'}]; VizieR: {VIZIER[name]}"
        group.add_argument(f"--{name.replace('_', '-')}", metavar="COLUMN", help=about)
    group.add_argument(
        "--unit",
        action="append",
        default=[],
        metavar="NAME=UNIT",
        help="unit of a column by our name, e.g. parallax=uas; as often as needed",
    )


def _columns(arguments: argparse.Namespace) -> dict[str, dict[str, str]]:
    columns = {name: {"column": column} for name in COLUMNS if (column := getattr(arguments, name))}
    names = (*COLUMNS, CORRECTION) if arguments.correction.startswith(COLUMN_PREFIX) else COLUMNS
    for entry in arguments.unit:
        name, equals, unit = entry.partition("=")
        if name not in names or not equals:
            raise ApplyError(f"--unit {entry}: should be NAME=UNIT with NAME one of {', '.join(names)}")
        columns.setdefault(name, {})["unit"] = unit
    return columns


def _apply(arguments: argparse.Namespace) -> None:
    stated = {name: getattr(arguments, name) for name in ("frame", "nside", "ordering")}
    stated["systematic_uas"] = arguments.systematic
    offsets = None
    if arguments.dataset != "-":
        fitting = check_base(arguments.base, arguments.map, arguments.correction)
        offsets = read_map(arguments.dataset, parallax=fitting, **stated)
    elif any(value is not None for value in (*stated.values(), arguments.map)):
        raise ApplyError("--map, --frame, --nside, --ordering and --systematic are for a map, and MAP is -")
    settings = {"base": arguments.base, "correction": arguments.correction, "inflate": arguments.inflate}
    correction = Correction(offsets, columns=_columns(arguments), **settings)
    correct_file(arguments.catalogue, arguments.output, correction, overwrite=arguments.overwrite)
    say(*correction.report())


def _mean(arguments: argparse.Namespace) -> None:
    settings = {"inflate": arguments.inflate, "correction": arguments.correction}
    columns = _columns(arguments)
    means = file_means(arguments.catalogue, group=arguments.group, columns=columns, **settings)
    print(means.to_csv(index=False, float_format="%.6f", lineterminator="\n"), end="")


def _maps(arguments: argparse.Namespace) -> None:
    for name, distances in SHIPPED.items():
        offsets = read_map(name, parallax="raw")
        print(f"{name}: {offsets.meta['release']}, {offsets.n.sum()} stars, {offsets.footprint}\n    {distances}")
    print("No all-sky map comes with this: one is made by a run (docs/reproduce.md).")


def _check_release(arguments: argparse.Namespace) -> None:
    try:  # not of what `apply` needs
        import yaml

        from gaia_offsets.engine.first_contact import check_release
    except ImportError as error:
        raise ApplyError(f"check-release needs the workflow's packages, {error.name} is missing: make setup") from None
    overlay, missing = check_release(arguments.name, arguments.configfile, arguments.url)
    print(yaml.safe_dump(overlay, sort_keys=False, default_flow_style=None, width=120), end="")
    if missing:
        raise ApplyError(
            f"{len(missing)} names are missing: paste the block into an overlay, correct its guesses, and ask again "
            "with --configfile OVERLAY"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; 0 when all is done, else 1 and one line that says why."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except KeyboardInterrupt:
        say("stopped; no output was written")
        return 130
    except Exception as error:
        if not (message := message_of(error)):
            raise
        say(message)
        return 1
    return 0


def command() -> None:
    """Entry point; a SIGTERM ends it as Ctrl-C does, so that no part of a file stays."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())


if __name__ == "__main__":
    command()
