"""The command gaia-offsets, or python -m gaia_offsets: what it takes and what it says."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import gaia_offsets
from gaia_offsets.apply import COLUMNS, ApplyError, Correction, correct_file, read_map_for
from gaia_offsets.columns import STANDARD
from gaia_offsets.published import BASES, ENDINGS
from gaia_offsets.sky import FRAMES
from gaia_offsets.tables import TableError


def _parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(prog="gaia-offsets", description=gaia_offsets.__doc__)
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    about = "correct the parallaxes of a catalogue with a published map"
    parser = commands.add_parser("apply", help=about, description=about)
    parser.add_argument("dataset", help="map: a file of results/*/dataset/ in any of its formats")
    parser.add_argument("catalogue", help="your table: .fits, .parquet, .csv[.gz] (any size), .vot, .ecsv")
    parser.add_argument("output", help="your table with columns added; one of the same endings")
    parser.add_argument(
        "--base",
        choices=BASES,
        default="raw",
        help="raw: published parallax (default); official: its zero point is subtracted",
    )
    parser.add_argument(
        "--with-official",
        action="store_true",
        help="compute and subtract the official zero point first; base raw, corrected map",
    )
    parser.add_argument("--map", choices=ENDINGS, help="refuse if the base needs another map than this one")
    parser.add_argument("--frame", choices=FRAMES, help="frame of a dataset in CSV")
    parser.add_argument("--nside", type=int, help="nside of a dataset in CSV")
    parser.add_argument("--ordering", choices=("nested", "ring"), help="ordering of a dataset in CSV")
    parser.add_argument("--systematic", type=float, metavar="UAS", help="systematic floor in place of the dataset's")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output")
    for name in COLUMNS:
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            metavar="COLUMN",
            help=f"column of the catalogue: {STANDARD[name].meaning} [{STANDARD[name].unit or 'no unit'}]",
        )
    parser.add_argument(
        "--unit",
        action="append",
        default=[],
        metavar="NAME=UNIT",
        help="unit of a column by our name, e.g. parallax=uas; as often as needed",
    )
    return whole


def _columns(arguments: argparse.Namespace) -> dict[str, dict[str, str]]:
    columns = {name: {"column": getattr(arguments, name)} for name in COLUMNS if getattr(arguments, name)}
    for entry in arguments.unit:
        name, equals, unit = entry.partition("=")
        if name not in COLUMNS or not equals:
            raise ApplyError(f"--unit {entry}: should be NAME=UNIT with NAME one of {', '.join(COLUMNS)}")
        columns.setdefault(name, {"column": name})["unit"] = unit
    return columns


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; 0 when the output is written, else 1 and one line that says why."""
    arguments = _parser().parse_args(argv)
    try:
        offsets = read_map_for(
            arguments.dataset,
            arguments.base,
            with_official=arguments.with_official,
            named=arguments.map,
            frame=arguments.frame,
            nside=arguments.nside,
            ordering=arguments.ordering,
            systematic_uas=arguments.systematic,
        )
        correction = Correction(
            offsets, base=arguments.base, columns=_columns(arguments), with_official=arguments.with_official
        )
        correct_file(arguments.catalogue, arguments.output, correction, overwrite=arguments.overwrite)
    except TableError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(correction.report()), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
