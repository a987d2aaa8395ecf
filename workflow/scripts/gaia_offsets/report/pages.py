"""Pages of the report: templates of workflow/templates filled in, tables with number formats, colours of verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gaia_offsets.core.words import number

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).resolve().parents[3] / "templates"),
    autoescape=lambda template: ".html" in template,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
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
    """Write a page from its template; every page takes a `title` and whether its stars are `simulated`."""
    Path(path).write_text(render(template, **values), encoding="utf-8", newline="\n")


def table(frame: pd.DataFrame, formats: Mapping[str, str] | None = None) -> Markup:
    """A table as HTML; `formats` has, by column, those of numbers below 1000 (`.4g` where none)."""
    names = list(frame.columns)
    formats = dict.fromkeys(names, ".4g") | dict(formats or {})
    rows = [
        [_cell(name, value, formats[name]) for name, value in zip(names, row, strict=True)]
        for row in frame.itertuples(index=False, name=None)
    ]
    return Markup(render("table.html.j2", names=[name.replace("_", " ") for name in names], rows=rows))


def _cell(name: str, value: Any, form: str) -> tuple[str, str]:
    """Class and text of a cell."""
    if pd.isna(value):
        return "", ""
    if isinstance(value, str):
        kinds = {"verdict": f"verdict {tone(value)}", "claim": "claim", "reason": "reason"}
        return kinds.get(name, ""), value
    whole = isinstance(value, int | np.integer) or abs(value) >= 1000
    return "number", number(value, ",.0f" if whole else form)


def tone(verdict: str) -> str:
    """What a verdict counts as: agrees, differs, holds, fails, quoted or untested."""
    return TONES.get(verdict.removeprefix("simulated: "), "untested")


def count_verdicts(claims: pd.DataFrame) -> dict[str, int]:
    """How many verdicts of claims.csv count as each tone."""
    tones = claims["verdict"].map(tone)
    return {name: int((tones == name).sum()) for name in (*TONES.values(), "untested")}
