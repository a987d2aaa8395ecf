"""Pages of the report: templates of workflow/templates filled in, tables with number formats, colours of verdicts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gaia_offsets.core.words import UAS, measured, number

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).resolve().parents[3] / "templates"),
    autoescape=lambda template: ".html" in template,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
TEMPLATES.globals |= {"UAS": UAS, "number": number, "measured": measured}
TEMPLATES.tests["finite"] = np.isfinite
OFFSETS = ("raw", "corrected", "median", "mean", "gaussian_mean", "weighted_mean", "at_zero", "zero_point")
NONE = "\N{EN DASH}"  # of a cell without a value
# What a verdict of claims.csv counts as, which is also the class of its cell. The first two alone are tests of the run.
TONES = {
    "agrees": "agrees",
    "differs": "differs",
    "arithmetic holds": "holds",
    "arithmetic fails": "fails",
    "quoted": "quoted",
}


def render(template: str, **values: Any) -> str:
    """A template of workflow/templates with its values; text is escaped, tables of `table` are not."""
    return TEMPLATES.get_template(template).render(values)


def save(path: str | Path, template: str, **values: Any) -> None:
    """Write a page from its template; every page takes a `title`, `nav` and whether its stars are `simulated`."""
    text = render(template, here=Path(path).name, **values)
    Path(path).write_text(text, encoding="utf-8", newline="\n")


def run_links(run: str, folder: str = "") -> tuple[str, list[tuple[str, str]]]:
    """The part of the navigation that leads to the pages of a run, which lie in `folder`."""
    return "", [(f"{folder}index.html", f"Run {run}"), (f"{folder}samples.html", "Samples side by side")]


def table(frame: pd.DataFrame, formats: Mapping[str, str] | None = None) -> Markup:
    """A table as HTML, a value and its error in one column; `formats` has, by column, those of numbers below 1000.

    Where it has none that is `.1f`, of an offset with its sign. Heads and what they mean stand in the template.
    """
    formats = dict.fromkeys(OFFSETS, "+.1f") | dict(formats or {})
    names = [name for name in frame if name.removesuffix("_error") == name or name.removesuffix("_error") not in frame]
    columns = [_cells(frame, name, formats.get(name, ".1f")) for name in names]
    heads = [
        (name, any(kind == "number" for kind, _ in cells if _ != NONE))
        for name, cells in zip(names, columns, strict=True)
    ]
    return Markup(render("table.html.j2", names=heads, rows=list(zip(*columns, strict=True))))


def _cells(frame: pd.DataFrame, name: str, form: str) -> list[tuple[str, str]]:
    """Class and text of the cells of a column."""
    if f"{name}_error" in frame:
        pairs = frame[[name, f"{name}_error"]].astype(float).itertuples(index=False, name=None)
        return [("number", measured(*pair, form) or NONE) for pair in pairs]
    return [_cell(name, value, form) for value in frame[name]]


def _cell(name: str, value: Any, form: str) -> tuple[str, str]:
    """Class and text of a cell."""
    if isinstance(value, str):
        kinds = {"verdict": f"verdict {tone(value)}", "claim": "claim", "reason": "reason"}
        return kinds.get(name, ""), re.sub(r"\buas(?=2?\b)", UAS, value.replace("+-", "\N{PLUS-MINUS SIGN}"))
    if pd.isna(value):
        return "", NONE
    whole = isinstance(value, int | np.integer) or abs(value) >= 1000
    return "number", number(value, ",.0f" if whole else form)


def tone(verdict: str) -> str:
    """What a verdict counts as: agrees, differs, holds, fails, quoted or untested."""
    return TONES.get(verdict.removeprefix("simulated: "), "untested")


def count_verdicts(claims: pd.DataFrame) -> dict[str, int]:
    """How many verdicts of claims.csv count as each tone."""
    tones = claims["verdict"].map(tone)
    return {name: int((tones == name).sum()) for name in (*TONES.values(), "untested")}
