"""Positions matched by the CDS X-Match service, a block at a time; believes nothing that is incomplete.

The service matches at J2000: it has carried the Gaia positions there by their proper motions (its help pages).
astroquery speaks the protocol; what it lets pass is checked here: pages of HTML, answers that end early or were cut
at a limit.
"""

from __future__ import annotations

import io
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import requests

# The service returns no more rows than this, and says nothing when it cuts (its page of API calls).
HARD_LIMIT = 2_000_000
# angDist comes rounded.
_ROUNDING = 0.001
COLUMNS = ("target_id", "source_id", "match_separation")


class XMatchError(RuntimeError):
    """The service did not give what was asked; the message is one line: what, where, what to do."""


class _Failed(Exception):
    """One try that failed in a way that may pass."""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


@dataclass
class XMatch:
    """The service and how patient to be with it (config section `xmatch`), and its table of a release."""

    url: str
    table: str  # as the service names it, vizier:I/350/gaiaedr3
    source_id: str  # the table's column of identifiers
    rows: int  # uploaded at once
    maxrec: int  # rows asked for at most
    stall_s: float  # silence on a connection
    pause_s: float  # before a second try; doubled each time
    attempts: int

    def candidates(self, targets: pd.DataFrame, radius_arcsec: float) -> pd.DataFrame:
        """All sources within the radius of the targets (target_id, target_ra, target_dec [deg, J2000]), block by block.

        Columns target_id, source_id, match_separation [arcsec]; targets without a source have no row. Raises
        XMatchError after the last try; at once where the address is banned or an answer is as long as a limit.
        """
        found = [pd.DataFrame({name: [] for name in COLUMNS}).astype({"target_id": "int64", "source_id": "int64"})]
        starts = range(0, len(targets), self.rows)
        for number, start in enumerate(starts, start=1):
            block, began = targets.iloc[start : start + self.rows], time.monotonic()
            found.append(self._insist(block, radius_arcsec, f"block {number} of {len(starts)}"))
            seconds = time.monotonic() - began
            _say(f"block {number} of {len(starts)}: {len(block)} rows up, {len(found[-1])} back in {seconds:.0f} s")
        return pd.concat(found, ignore_index=True)

    def _insist(self, block: pd.DataFrame, radius_arcsec: float, what: str) -> pd.DataFrame:
        for attempt in range(1, self.attempts + 1):
            try:
                return self._whole(block, radius_arcsec)
            except _Failed as error:
                tried = f"{self.url}: {what}: {_one_line(error)}"
                if attempt == self.attempts:
                    raise XMatchError(f"{tried} ({attempt} tries); run again later, or look into it") from error
                pause = min(self.pause_s * 2 ** (attempt - 1), max(60.0, self.pause_s))
                _say(f"{tried}; try {attempt} of {self.attempts}, the next in {pause:g} s")
                time.sleep(pause)
        raise AssertionError("unreachable")

    def _whole(self, block: pd.DataFrame, radius_arcsec: float) -> pd.DataFrame:
        """The answer to a block, after a second look at the targets that have none and at the last that has.

        CSV has no end mark: an answer cut between two lines looks whole. What was cut off shows up in the second look.
        """
        found = self._ask(block, radius_arcsec)
        doubtful = ~block["target_id"].isin(found["target_id"].iloc[:-1])
        if len(found):
            doubtful |= block["target_id"] == found["target_id"].iloc[-1]
        again = self._ask(block[doubtful], radius_arcsec) if doubtful.any() else found.iloc[:0]
        first = found[found["target_id"].isin(block.loc[doubtful, "target_id"])]
        if not _same_pairs(first, again):
            raise _Failed(f"incomplete answer: {len(found)} rows, and more when asked for the missing targets again")
        return found

    def _ask(self, block: pd.DataFrame, radius_arcsec: float) -> pd.DataFrame:
        upload = block[["target_id", "target_ra", "target_dec"]].to_csv(index=False, lineterminator="\n")
        found = read_answer(self._post(upload, radius_arcsec), self.source_id)
        if len(found) >= min(self.maxrec, HARD_LIMIT):
            raise XMatchError(
                f"{self.url}: {len(found)} rows came back, where answers are cut; lower xmatch.rows "
                f"({self.rows}) or crossmatch.radius_arcsec ({radius_arcsec:g})"
            )
        strange = np.setdiff1d(found["target_id"], block["target_id"])
        if len(strange) or bool((found["match_separation"] > radius_arcsec + _ROUNDING).any()):
            raise _Failed("the answer does not belong to the question (other targets or larger separations)")
        return found

    def _post(self, upload: str, radius_arcsec: float) -> bytes:
        import astropy.units as u

        client = _client()
        client.URL, client.TIMEOUT = self.url, self.stall_s
        options = {"RESPONSEFORMAT": "csv", "selection": "all", "MAXREC": str(self.maxrec)}
        options |= {"colRA1": "target_ra", "colDec1": "target_dec"}
        try:
            # astroquery would answer a second look from its cache.
            given = io.StringIO(upload), self.table, radius_arcsec * u.arcsec
            return client.query_async(*given, cache=False, **options).content
        except requests.HTTPError as error:
            if "banned" in str(error):  # astroquery's word for HTTP 403
                raise XMatchError(
                    f"{self.url}: HTTP 403: the service has banned this address for sending jobs in parallel; "
                    "keep `resources: cds` at 1, wait, and write to CDS (cds-question@unistra.fr) if it lasts"
                ) from error
            raise _Failed(error) from error
        except requests.RequestException as error:
            raise _Failed(error) from error
        except Exception as error:  # astroquery parses an error page as a VOTable, which fails in many ways
            reason = error.__context__ if isinstance(error.__context__, requests.HTTPError) else error
            raise _Failed(reason) from error


def _client() -> Any:
    from astroquery.xmatch import XMatchClass

    class Client(XMatchClass):
        """Without the two requests for the list of all tables that precede each upload."""

        def is_table_available(self, table_id: Any) -> bool:
            return isinstance(table_id, str)

    return Client()


def read_answer(content: bytes, source_id: str) -> pd.DataFrame:
    """Columns target_id, source_id, match_separation [arcsec] of an answer in CSV.

    Raises _Failed for a page of HTML or XML, an answer that ends within a line, and one without these columns.
    """
    names = {"target_id": "target_id", source_id: "source_id", "angDist": "match_separation"}
    start = _one_line(content[:60].decode("utf-8", "replace")) if content else ""
    header = content[: content.find(b"\n")].decode("utf-8", "replace").strip().split(",")
    if not set(names) <= set(header):
        lacking = ", ".join(sorted(set(names) - set(header)))
        raise _Failed(f"no table with the column(s) {lacking} came back, but {len(content)} bytes: {start!r}")
    if not content.endswith(b"\n"):
        raise _Failed(f"the answer ends within a line ({len(content)} bytes)")
    try:
        kinds = {"target_id": "int64", source_id: "int64", "angDist": "float64"}
        frame = pd.read_csv(io.BytesIO(content), usecols=list(names), dtype=kinds)
    except ValueError as error:
        raise _Failed(f"the answer cannot be read: {_one_line(error)}") from error
    if frame["angDist"].isna().any():
        raise _Failed("the answer has rows without a distance")
    return frame.rename(columns=names)[list(COLUMNS)]


def _same_pairs(first: pd.DataFrame, second: pd.DataFrame) -> bool:
    keys = ["target_id", "source_id"]
    a, b = (np.unique(frame[keys].to_numpy(dtype=np.int64), axis=0) for frame in (first, second))
    return np.array_equal(a, b)


def choose_nearest(candidates: pd.DataFrame, target_ids: np.ndarray) -> pd.DataFrame:
    """One row a target, sorted: target_id, source_id (null where none), match_separation [arcsec], match_neighbours.

    The nearest source stays; ties go to the lower source_id.
    """
    order = ["target_id", "match_separation", "source_id"]
    found = candidates.drop_duplicates(["target_id", "source_id"]).sort_values(order, kind="stable")
    every = np.sort(np.asarray(target_ids, dtype=np.int64))
    chosen = found.drop_duplicates("target_id").set_index("target_id").astype({"source_id": "Int64"}).reindex(every)
    chosen["match_neighbours"] = found.groupby("target_id").size().reindex(every, fill_value=0).astype("Int64")
    return chosen.rename_axis("target_id").reset_index()
