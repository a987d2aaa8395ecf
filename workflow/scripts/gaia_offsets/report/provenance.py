"""What a run is made of: inputs, products, settings and software with digests; what its users acknowledge and cite."""

import hashlib
import platform
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gaia_offsets.archive.rawfile import read_manifest
from gaia_offsets.core.version import VERSION, code_version

PACKAGES = (  # of the environment of all rules but those that fetch or learn
    *("astropy", "bokeh", "gaiadr3-zeropoint", "healpy", "jinja2", "matplotlib", "mocpy", "numpy"),
    *("pandas", "pyarrow", "pygaia", "pyyaml", "scipy"),
)
KEPT = ("dataset", "file", "bytes", "sha256", "rows", "url", "query", "shipped", "licence", "doi", "citation")
# Authors, year, journal, volume, page: "Lindegren et al. 2021b, A&A 649, A4".
CITATION = re.compile(r"(?P<authors>\D+) (?P<year>\d{4}[a-z]?), (?P<journal>[^,]+) (?P<volume>\d+), (?P<page>\w+)")


def software(engine: str) -> dict[str, Any]:
    """The workflow's version (and commit, of a clean checkout), the engine, Python and the packages behind numbers."""
    packages = {name: version(name) for name in PACKAGES}
    return {
        "workflow": f"gaia-offsets {code_version()}",
        "engine": engine,
        "python": platform.python_version(),
        "packages": packages,
    }


def digests(files: Iterable[str | Path]) -> dict[str, str]:
    """SHA-256 by path; a path that is not below the folder of the run is told by its name."""
    found = {}
    for file in map(Path, files):
        with open(file, "rb") as stream:
            name = file.name if file.is_absolute() else file.as_posix()
            found[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def manifest(path: str | Path) -> dict[str, Any]:
    """What a raw file's manifest says of it, without date and paths."""
    record = read_manifest(path)
    return {key: record[key] for key in KEPT if record.get(key) is not None}


# ---------------------------------------------------------------- citations


def cited(settings: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    """(citation, what for, DOI) of everything that the samples of a run rest on; an empty citation where none is named.

    `settings` are those of about.run_settings, `known` is workflow/resources/citations.yaml.
    """
    dois = known["doi"]
    for citation in known["method"]:
        yield citation, "the method", dois.get(citation)
    for what, entry in _used(settings, known):
        for citation in entry.get("cite", ()):
            yield citation, what, dois.get(citation)
    for section, noun in (("datasets", "dataset"), ("corrections", "correction")):
        for name, entry in settings[section].items():
            citation = " ".join((entry.get("citation") or "").split())
            if not entry.get("simulated") and (citation or entry.get("kind") != "none"):
                yield citation, f"{noun} {name}", entry.get("doi") or dois.get(citation)
    for citation in known["software"]:
        yield citation, "software", dois.get(citation)


def acknowledged(settings: Mapping[str, Any], known: Mapping[str, Any]) -> list[str]:
    """Texts of acknowledgement for the real data that the samples of a run rest on."""
    names = dict.fromkeys(name for _, entry in _used(settings, known) for name in entry.get("acknowledge", ()))
    return [known["acknowledgements"][name] for name in names]


def _used(settings: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What for, and the entry of `known` with texts and citations, for each part of the real samples."""
    for name, sample in settings["samples"].items():
        if sample["simulated"]:
            continue
        yield f"Gaia {sample['release'].upper()}", known["releases"].get(sample["release"], {})
        match = sample["crossmatch"]
        for part, entry in known["crossmatch"].items():
            if match["backend"] == "archive" or (match["backend"] == "local" and match.get(part)):
                yield f"sample {name}", entry
        if name not in settings["datasets"]:  # else its texts come with the dataset
            yield f"sample {name}", known["names"].get(name, {})
    for name, dataset in settings["datasets"].items():
        if dataset.get("simulated"):
            continue
        yield f"dataset {name}", known["names"].get(name, {})
        address = (dataset.get("query") or {}).get("url") or dataset.get("url") or ""
        for part, entry in known["services"].items():
            if part in address:
                yield f"dataset {name}", entry


def references(entries: Iterable[tuple[str, str, str | None]]) -> list[dict[str, Any]]:
    """One reference a citation: citation, why (a list), doi, key of BibTeX and its fields."""
    found: dict[str, dict[str, Any]] = {}
    for citation, what, doi in entries:
        if citation:
            entry = found.setdefault(citation, {"citation": citation, "why": [], "doi": None, "key": ""})
            entry["why"] += [what] if what not in entry["why"] else []
            entry["doi"] = entry["doi"] or doi
    keys: set[str] = set()
    for citation, entry in found.items():
        entry["fields"] = fields(citation, entry["doi"])
        entry["key"] = _key(citation, keys)
        keys.add(entry["key"])
    return list(found.values())


def fields(citation: str, doi: str | None) -> dict[str, str]:
    """Fields of BibTeX; a citation of another form than CITATION is a note."""
    match = CITATION.fullmatch(citation)
    if match is None:
        found = {"note": citation}
    else:
        names = re.split(r", | & ", match["authors"].removesuffix(" et al."))
        others = ["others"] if match["authors"].endswith(" et al.") else []
        found = {
            "author": " and ".join([*(f"{{{name}}}" for name in names), *others]),
            "year": match["year"][:4],
            "journal": match["journal"],
            "volume": match["volume"],
            "pages": match["page"],
        }
    return {name: re.sub(r"([&%#_$])", r"\\\1", value) for name, value in found.items()} | ({"doi": doi} if doi else {})


def _key(citation: str, taken: set[str]) -> str:
    """First author and year in plain letters, and the page where that is taken."""
    plain = (
        unicodedata.normalize("NFKD", citation.removeprefix("Gaia Collaboration, ")).encode("ascii", "ignore").decode()
    )
    author, year = re.match(r"[^,&]*?(?= et al|,| &| \d{4}|$)", plain)[0], re.search(r"\d{4}[a-z]?\b", plain)
    key = re.sub(r"\W", "", author).lower() + (year[0] if year else "")
    page = re.sub(r"\W", "", plain.split()[-1])
    return key if key not in taken else f"{key}_{page}"


def bibtex(entries: Sequence[Mapping[str, Any]]) -> str:
    """The references as BibTeX, and this workflow."""
    found = [
        ("article" if "journal" in entry["fields"] else "misc", entry["key"], entry["fields"]) for entry in entries
    ]
    ours = {"author": "{The maintainers of this workflow}", "title": "Gaia parallax offsets, a reproducible workflow"}
    found.append(("misc", "gaia_offsets", {**ours, "note": f"Version {VERSION}"}))
    blocks = []
    for kind, key, values in found:
        lines = "".join(f"  {name} = {{{value}}},\n" for name, value in values.items())
        blocks.append(f"@{kind}{{{key},\n{lines}}}\n")
    return "\n".join(blocks)
