"""Bring one raw file of the config's `datasets` here, checked, with a manifest of where it came from."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from gaia_offsets.archive.download import Transfer
from gaia_offsets.archive.rawfile import DownloadError, check_file, read_record, write_manifest
from gaia_offsets.archive.secret import Token
from gaia_offsets.core.faults import open_log
from gaia_offsets.core.files import own_file
from gaia_offsets.core.log import say


def by_hand(dataset: str, entry: dict[str, Any], destination: Path) -> str:
    """What to do where the config names no address."""
    what = f"{destination.name} ({entry['description']})" if "description" in entry else destination.name
    where = entry.get("page", "its publisher, of whom the config names no page,")
    return (
        f"datasets.{dataset}: no address is known; fetch {what} from {where} yourself, put it at any place and set "
        f"datasets.{dataset}.path to it in the config, or put it at {destination}; then run again"
    )


def retrieve(
    dataset: str, entry: dict[str, Any], manifest: str | Path, transfer: Transfer, *, local: str | Path | None = None
) -> dict[str, Any]:
    """Bring one dataset of the config to `transfer.destination` and write (and return) its manifest.

    `entry` is the dataset's section of the config, which gives the transfer its digest, size and token; `local` is the
    user's own copy of the file, if any. A file already there that is still the right one is kept, whoever put it there.

    Raises DownloadError (one line) where the file cannot be had.
    """
    destination, manifest, report = transfer.destination, Path(manifest), transfer.report
    entry = {key: value for key, value in entry.items() if value is not None}
    addresses = [address for address in (entry.get("url"), *entry.get("mirrors", ())) if address]
    size, earlier = entry.get("bytes"), read_record(manifest)
    before = earlier.get("sha256") if earlier.get("url") in addresses else None
    known = entry.get("sha256") or before
    origin: dict[str, str] = {}
    if local is None and destination.is_file() and (known or not addresses):
        try:
            length, digest = check_file(destination, destination.name, sha256=known, size=size)
            origin = {"path": str(destination)}
            if earlier.get("sha256") == digest:
                origin = {key: earlier[key] for key in ("path", "shipped", "url", "retrieved") if key in earlier}
            report(f"{destination}: {length} bytes, sha256 {digest}; kept as it is (delete it to have it fetched anew)")
        except DownloadError as error:
            if not addresses:
                message = f"datasets.{dataset}: {destination}: {error}; replace the file or correct the config"
                raise DownloadError(message) from error
            report(f"{destination}: {error}; fetched anew")
    if not origin:
        if local is None and not addresses:
            raise DownloadError(by_hand(dataset, entry, destination))
        transfer = replace(transfer, sha256=entry.get("sha256"), size=size, token=Token.of(entry))
        try:
            url, length, digest = transfer.fetch(*(addresses if local is None else [Path(local).absolute().as_uri()]))
        except DownloadError as error:
            raise DownloadError(f"datasets.{dataset}: {error}") from error
        # A shipped file has no address that holds on another machine: its name says which it is.
        own = next(({key: str(entry[key])} for key in ("path", "shipped") if key in entry), {"path": str(local)})
        origin = {"url": url} if local is None else own
        if before and earlier["url"] == url and before != digest:
            was = f"sha256 was {before} on {earlier.get('retrieved')}"
            report(f"{url}: the file behind this address has changed: {was}, is {digest} now")
    return write_manifest(manifest, dataset, entry, destination, length, digest, **origin)


if __name__ == "__main__":
    open_log(snakemake.log[0])
    entry, downloads = snakemake.params.entry, snakemake.config["downloads"]
    retrieve(
        snakemake.wildcards.dataset,
        entry,
        snakemake.output.manifest,
        Transfer(
            Path(snakemake.output.file),
            largest=1e9 * downloads["largest_gb"],
            slowest=1e3 * downloads["slowest_kb_s"],
            report=say,
        ),
        local=entry.get("path") or ("shipped" in entry and own_file("shipped", entry["shipped"])) or None,
    )
