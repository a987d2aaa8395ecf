"""What the paper states against what the run gives: published, reproduced, difference, verdict and why."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaia_offsets.core.faults import Fault
from gaia_offsets.core.words import did_you_mean
from gaia_offsets.core.yamlfile import read_yaml
from gaia_offsets.paper.claims import MEASURES, NotTestable, Result, Run, significance

NUMBERS = ["published", "tolerance", "reproduced", "difference", "difference_sigma"]
COLUMNS = ["id", "claim", "place", "unit", *NUMBERS, "verdict", "reason"]
KEYS = {  # kind of claim: keys it needs, besides id, text and place
    "number": ("published", "tolerance", "measure"),
    "arithmetic": ("published", "tolerance", "measure"),
    "pattern": ("measure",),
    "quoted": ("published", "reason"),
}
OPTIONAL = ("unit", "with", "at_least", "at_most", "note", "simulated")


class ClaimError(Fault, ValueError):
    """A file of claims that cannot be used; one line for each fault."""


def read_claims(path: str | Path) -> list[dict[str, Any]]:
    """The claims of a YAML file, checked. Raises ClaimError (or YamlError) with every fault on its line."""
    content = read_yaml(path)
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise ClaimError(f"{path}: should be a list of claims, each a map")
    faults = [fault for number, entry in enumerate(content) for fault in _faults(number, entry)]
    names = [entry.get("id") for entry in content]
    faults += [f"{name}: stands more than once" for name in dict.fromkeys(names) if names.count(name) > 1]
    if faults:
        raise ClaimError("\n".join(f"{path}: {fault}" for fault in faults))
    return content


def _faults(number: int, entry: Mapping[str, Any]) -> Iterable[str]:
    name = entry.get("id", f"claim {number}")
    kind = entry.get("kind")
    if kind not in KEYS:
        yield f"{name}.kind: {kind!r} is none of {', '.join(KEYS)}"
        return
    needed = ("id", "text", "place", "kind", *KEYS[kind])
    allowed = (*needed, *OPTIONAL)
    yield from (f"{name}.{key}: missing" for key in needed if key not in entry)
    yield from (f"{name}.{key}: not a known key{did_you_mean(key, allowed)}" for key in entry if key not in allowed)
    if kind == "pattern" and ("at_least" in entry) == ("at_most" in entry):
        yield f"{name}: a pattern needs one of at_least and at_most"
    if "measure" not in entry:
        return
    if entry["measure"] not in MEASURES:
        yield f"{name}.measure: {entry['measure']!r} is not a known one{did_you_mean(entry['measure'], MEASURES)}"
        return
    known = dict(list(inspect.signature(MEASURES[entry["measure"]]).parameters.items())[1:])
    given = entry.get("with") or {}
    yield from (
        f"{name}.with.{key}: {entry['measure']} takes no such{did_you_mean(key, known)}"
        for key in given
        if key not in known
    )
    needs = [key for key, parameter in known.items() if parameter.default is parameter.empty]
    yield from (f"{name}.with.{key}: missing; {entry['measure']} needs it" for key in needs if key not in given)


# ---------------------------------------------------------------- verdicts


def check_claims(claims: Sequence[Mapping[str, Any]], run: Run, *, simulated: bool) -> pd.DataFrame:
    """claims.csv: the columns COLUMNS, one row a claim, in their order.

    Verdicts of numbers and patterns: `agrees`, `differs`, `not tested here`, `not testable: reason`. A number agrees
    within its tolerance; a pattern where its significance (or, for shares and ratios, its value) is at least or at most
    what the claim says. Simulated stars cannot tell: `not tested here`, with the run's value beside it. The others test
    no run: `arithmetic holds` or `arithmetic fails`, and `quoted`. On simulated stars each begins with `simulated: `.
    """
    prefix = "simulated: " if simulated else ""
    rows = []
    for claim in claims:
        row = dict.fromkeys(COLUMNS)
        row |= {"id": claim["id"], "claim": claim["text"], "place": claim["place"], "unit": claim.get("unit", "")}
        row |= {"published": claim.get("published"), "tolerance": claim.get("tolerance")}
        try:
            row |= _judge(claim, run, simulated=simulated)
        except NotTestable as reason:
            row |= {"verdict": f"not testable: {reason}", "reason": str(reason)}
        row["verdict"] = prefix + row["verdict"]
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(NUMBERS, "float64"))


def _judge(claim: Mapping[str, Any], run: Run, *, simulated: bool) -> dict[str, Any]:
    if claim["kind"] == "quoted":
        return {"verdict": "quoted", "reason": claim["reason"]}
    row = _compare(claim, MEASURES[claim["measure"]](run, **(claim.get("with") or {})))
    if claim["kind"] == "arithmetic":
        row["verdict"] = "arithmetic holds" if row["verdict"] == "agrees" else "arithmetic fails"
        row["reason"] += "; arithmetic on the paper's own numbers, whatever the stars"
    elif simulated:
        words = "; ".join(filter(None, (row["reason"], claim.get("simulated"))))
        row |= {"verdict": "not tested here", "reason": f"a statement on real stars; the simulated ones: {words}"}
    return row


def _compare(claim: Mapping[str, Any], result: Result) -> dict[str, Any]:
    value, error = result
    row: dict[str, Any] = {"reproduced": value}
    spread = f" +- {error:.3g}" if np.isfinite(error) else ""
    if claim["kind"] == "pattern":
        significant = claim.get("unit") == "sigma"
        statistic = significance(result) if significant and np.isfinite(error) else value
        bound = claim.get("at_least", claim.get("at_most"))
        size = abs(statistic) if significant and "at_most" in claim else statistic
        good = size >= bound if "at_least" in claim else size <= bound
        row |= {"reproduced": statistic, "difference_sigma": statistic if significant else np.nan}
        word = "at least" if "at_least" in claim else "at most"
        row["reason"] = f"{claim['measure']} = {value:.3g}{spread}; should be {word} {bound:g} {claim.get('unit', '')}"
    else:
        difference = value - claim["published"]
        good = abs(difference) <= claim["tolerance"] * (1 + 1e-9)
        row |= {"difference": difference}
        row["difference_sigma"] = difference / error if np.isfinite(error) and error > 0 else np.nan
        row["reason"] = f"{'within' if good else 'beyond'} the tolerance" + (f", error {error:.2g}" if spread else "")
    if not np.isfinite(row["reproduced"]):
        raise NotTestable("the run has no value for it")
    row["verdict"] = "agrees" if good else "differs"
    if claim.get("note"):
        row["reason"] += f"; {claim['note']}"
    return row
