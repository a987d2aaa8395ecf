"""What a raw file is: its kind by ending and first bytes, size, digest and rows, and the manifest that tells them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gaia_offsets.core.faults import Fault
from gaia_offsets.tables.formats import ENDINGS

TOUCHED_NS = 60_000_000_000  # a file is not older than its manifest by more
HEAD = 1 << 16  # bytes that tell the kind
# How a file with this ending begins, and what it is called; `.gz` is undone first.
KINDS = {
    ENDINGS["fits"]: (rb"SIMPLE  =", "FITS"),
    ENDINGS["parquet"]: (rb"PAR1", "Parquet"),
    ENDINGS["votable"]: (rb"(?s).*[<:]VOTABLE", "VOTable"),
    ENDINGS["ecsv"]: (rb"# %ECSV", "ECSV"),
    ("",): (rb"(?s)(?!.*\0)(\xef\xbb\xbf)?\s*[^\s<{]", "a table"),  # text, and neither HTML nor JSON
}


class DownloadError(Fault, RuntimeError):
    """A file that cannot be had; the message is one line: which, from where, what happened, what to do."""


def check_file(path: str | Path, name: str, *, sha256: str | None = None, size: int | None = None) -> tuple[int, str]:
    """Size in bytes and SHA-256 of a file, after comparison with what they should be and with the ending of `name`.

    Raises DownloadError (one line: expected and got) where they differ.
    """
    path = Path(path)
    length = path.stat().st_size
    with open(path, "rb") as stream:
        check_kind(stream.read(HEAD), name)
        if name.lower().endswith(".parquet"):
            stream.seek(-4, os.SEEK_END)
            if stream.read() != b"PAR1":
                raise DownloadError(f"{name} is cut short: it has {length} bytes and no Parquet footer")
        if size is not None and length != size:
            raise DownloadError(f"wrong size: expected {size} bytes, got {length}")
        stream.seek(0)
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if sha256 is not None and digest != sha256.lower():
        raise DownloadError(f"wrong sha256: expected {sha256.lower()}, got {digest} ({length} bytes)")
    return length, digest


def check_kind(head: bytes, name: str) -> None:
    """Raise DownloadError for content whose first bytes (a few kB) cannot be what the name's ending promises."""
    ending, kinds = name.lower(), KINDS
    if ending.endswith(".gz"):
        if head.startswith(b"\x1f\x8b"):
            try:
                head, ending = zlib.decompressobj(wbits=31).decompress(head, HEAD), ending.removesuffix(".gz")
            except zlib.error:
                raise DownloadError(f"{name} is damaged: it begins as gzip and cannot be unpacked") from None
        else:
            kinds = {("",): (rb"\x1f\x8b", "gzip")}
    begins, kind = next(kind for endings, kind in kinds.items() if ending.endswith(endings))
    if not re.match(begins, head):
        came = f"begins with {head[:60]!r}" if head else "is empty"
        raise DownloadError(f"not {kind}, as the name {name} promises: what came {came}")


def count_rows(path: str | Path) -> int | None:
    """Rows of a Parquet file or of the first table of a FITS file, from the header alone; None for other files."""
    import pyarrow.parquet as pq
    from astropy.io import fits

    try:
        if str(path).lower().endswith(".parquet"):
            return pq.read_metadata(path).num_rows
        with fits.open(path) as hdus:
            return next((int(hdu.header["NAXIS2"]) for hdu in hdus if "TFIELDS" in hdu.header), None)
    except Exception:  # a count is a courtesy; the reader of the table is the one to complain
        return None


def write_manifest(
    manifest: str | Path, dataset: str, entry: dict[str, Any], file: Path, length: int, digest: str, /, **origin: Any
) -> dict[str, Any]:
    """Write (and return) what a dataset's file is; `origin` tells where it came from, and when if that was not now."""
    record = {
        "dataset": dataset,
        "file": file.name,
        "bytes": length,
        "sha256": digest,
        "rows": count_rows(file),
        "retrieved": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **{key: entry.get(key) for key in ("licence", "doi", "citation")},
        **origin,
    }
    text = json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False)
    Path(manifest).write_text(text + "\n", encoding="utf-8")
    return record


def is_due(path: str | Path, entry: Mapping[str, Any]) -> bool:
    """Whether a raw file that is there has no manifest, or one that tells of another file than it or the config.

    Compared are size and date, which an edit changes (Snakemake touches a file and then its manifest), and what the
    config's `entry` says: sha256, bytes, and where the file comes from (path, shipped, `query` as text, or else one of
    `urls`) unless it gives a sha256.
    """
    path = Path(path)
    if not path.is_file():
        return False
    manifest, stat = path.with_name(f"{path.name}.manifest.json"), path.stat()
    record = read_record(manifest)
    if stat.st_size != record.get("bytes") or not 0 <= manifest.stat().st_mtime_ns - stat.st_mtime_ns <= TOUCHED_NS:
        return True
    if entry.get("bytes") not in (None, record["bytes"]):
        return True
    if entry.get("sha256"):
        return bool(entry["sha256"].lower() != record.get("sha256"))
    key = next((key for key in ("path", "shipped", "query") if entry.get(key)), "url")
    sources = [entry[key]] if key != "url" else entry["urls"]
    return bool(sources) and record.get(key) not in sources


def read_manifest(path: str | Path) -> dict[str, Any]:
    """What a raw file's manifest says of it; DownloadError where it is damaged."""
    record = read_record(Path(path))
    if not record.get("sha256"):
        raise DownloadError(f"{path}: damaged; delete it and the file beside it to have both brought anew")
    return record


def read_record(path: Path) -> dict[str, Any]:
    """What a JSON file says; nothing where there is none, or one cut short by a kill."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
