"""What a run is made of: inputs, products, settings and software with digests; what its users acknowledge and cite."""

import hashlib
import platform
import re
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
    sums = {}
    for file in map(Path, files):
        with open(file, "rb") as stream:
            name = file.name if file.is_absolute() else file.as_posix()
            sums[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return sums


def manifest(path: str | Path) -> dict[str, Any]:
    """What a raw file's manifest says of it, without date and paths."""
    record = read_manifest(path)
    return {key: record[key] for key in KEPT if record.get(key) is not None}


# ---------------------------------------------------------------- citations


def cited(settings: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    """(citation, what for, DOI if the config names one) of everything that the samples of a run rest on.

    The citation is empty where none is named. `settings` are those of about.run_settings, `known` is
    workflow/resources/citations.yaml.
    """
    for citation in known["method"]:
        yield citation, "the method", None
    for what, entry in _used(settings, known):
        for citation in entry.get("cite", ()):
            yield citation, what, None
    for section, noun in (("datasets", "dataset"), ("corrections", "correction")):
        for name, entry in settings[section].items():
            citation = " ".join((entry.get("citation") or "").split())
            if not entry.get("simulated") and (citation or entry.get("kind") != "none"):
                yield citation, f"{noun} {name}", entry.get("doi")
    for citation in known["software"]:
        yield citation, "software", None


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


def read_bibliography(path: str | Path) -> dict[str, str]:
    """The entries of workflow/resources/references.bib by citation, which stands as a comment above each."""
    blocks = Path(path).read_text(encoding="utf-8").strip().split("\n\n")[1:]
    entries = (block.split("\n", 1) for block in blocks)
    return {comment.removeprefix("% "): entry for comment, entry in entries}


def references(entries: Iterable[tuple[str, str, str | None]], bibliography: Mapping[str, str]) -> list[dict[str, Any]]:
    """One reference a citation: citation, why (a list), doi, its entry of BibTeX and the key of that."""
    cites: dict[str, dict[str, Any]] = {}
    for citation, what, doi in entries:
        if citation:
            reference = cites.setdefault(citation, {"citation": citation, "why": [], "doi": None})
            reference["why"] += [what] if what not in reference["why"] else []
            reference["doi"] = reference["doi"] or doi
    for citation, reference in cites.items():
        entry = bibliography.get(citation) or _note(reference)
        doi = re.search(r"^  doi = {(.+)},$", entry, re.MULTILINE)
        reference["doi"] = reference["doi"] or (doi and doi[1])
        reference |= {"bibtex": entry, "key": re.match(r"@\w+{(\w+),", entry)[1]}
    return list(cites.values())


def _note(reference: Mapping[str, Any]) -> str:
    """An entry for a citation that is not in the bibliography, under the name of what it is for."""
    text = re.sub(r"([&%#_$])", r"\\\1", reference["citation"])
    doi = f"  doi = {{{reference['doi']}}},\n" if reference["doi"] else ""
    return f"@misc{{{reference['why'][0].replace(' ', '_')},\n  note = {{{text}}},\n{doi}}}"


def bibtex(cites: Sequence[Mapping[str, Any]]) -> str:
    """The references as BibTeX, and this workflow."""
    ours = (
        "@misc{gaia_offsets,\n  author = {{The maintainers of this workflow}},\n"
        f"  title = {{Gaia parallax offsets, a reproducible workflow}},\n  note = {{Version {VERSION}}},\n}}"
    )
    return "\n\n".join([*(reference["bibtex"] for reference in cites), ours]) + "\n"
