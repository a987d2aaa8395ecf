"""What a sample of the config is and reads; files by names that rules take as they are.

Imported when the workflow is parsed: standard library and modules of the package without numpy only.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from gaia_offsets.archive.table_query import rows_query
from gaia_offsets.core import releases
from gaia_offsets.core.columns import DISTANCES, FRAMES, GAIA, STANDARD, TMASS
from gaia_offsets.core.files import content, own_file
from gaia_offsets.engine.about import describe
from gaia_offsets.engine.config.corrections import corrections_behind
from gaia_offsets.engine.config.sample import table_blocks
from gaia_offsets.engine.products import Products


class Sample(Products):
    """A sample of a config that is complete and checked."""

    @cached_property
    def release(self) -> Mapping[str, Any]:
        """Its release of Gaia."""
        return self.config["releases"][self.block["release"]]

    @cached_property
    def release_names(self) -> dict[str, Any]:
        """Epoch of its release and the service's names of its tables and columns, without that of quasars."""
        names = releases.asked_names(self.release)
        names |= {key: {**names[key]} for key in ("bridged",) if key in names}
        for tables in (names, names.get("bridged", {})):
            tables.pop("agn_cross_id", None)
        return names

    @cached_property
    def epoch(self) -> float:
        """Julian year of the positions of its release."""
        return self.release["epoch"]

    @cached_property
    def coding(self) -> dict[str, Any]:
        """How its release codes its solutions, without the archive's column of them."""
        return {key: value for key, value in releases.coding(self.release).items() if key != "column"}

    @cached_property
    def solutions(self) -> dict[str, str]:
        """The classes of solutions that are measured, the standard one first, and the column of each one's colour."""
        return releases.measured(self.coding)

    @cached_property
    def kept_solutions(self) -> list[str]:
        """The classes of solutions that come into the tracers table."""
        return self.block.get("solutions") or list(self.solutions)

    @cached_property
    def standard(self) -> str:
        """The class of solutions of Table 1 and the maps."""
        return self.coding["standard"]

    @cached_property
    def standard_colour(self) -> str:
        """The column of the colour of that class."""
        return self.solutions[self.standard]

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Name, title, whether its stars are simulated, correction, standard class and its colour, products.

        `statistic` is the offset that is told of it: parallaxes at given labels are skewed, so that only their mean is
        that of a learned magnitude (docs/method.md).
        """
        own = {key: self.block[key] for key in ("title", "simulated", "official")}
        coding = self.coding
        own |= {"standard": self.standard, "colour": coding["colours"][self.standard], "correction": self.correction}
        own["statistic"] = "weighted_mean" if self.learns else "median"
        return {"name": self.name, **own, "pages": self.pages, "figures": self.figures}

    # ---------------------------------------------------------------- what it reads

    @cached_property
    def targets(self) -> str:
        """Its targets table."""
        return dataset_file(self.config, self.block["targets"]["dataset"])

    @cached_property
    def groups(self) -> str | list[str]:
        """The table of groups, where its reference is a distance of a group."""
        group = self.block["reference"].get("group")
        return dataset_file(self.config, group["dataset"]) if group else []

    @cached_property
    def raw_datasets(self) -> list[str]:
        """Names of the datasets behind it that are raw files."""
        names = dict.fromkeys(block["dataset"] for block in table_blocks(self.block).values())
        return [name for name in names if not self.config["datasets"][name].get("simulated")]

    @cached_property
    def match_tables(self) -> dict[str, str]:
        """The tables that its cross-match with local tables reads, by their role."""
        match = self.block["crossmatch"]
        blocks = {role: match.get(role) for role in ("gaia", "tmass", "distances")}
        files = {role: dataset_file(self.config, block["dataset"]) for role, block in blocks.items() if block}
        if match["backend"] == "hats":
            files["gaia"] = f"<resources>/{self.name}/hats/gaia.parquet"
        return {"targets": self.targets, **files}

    @cached_property
    def match_columns(self) -> dict[str, dict[str, Any]]:
        """The column maps of these tables, by role."""
        match = self.block["crossmatch"]
        blocks = {"targets": self.block["targets"]} | {role: match.get(role) for role in ("gaia", "tmass", "distances")}
        if match["backend"] == "hats":
            blocks["gaia"] = match["hats"]
        kinds = column_kinds(self.block, self.config["corrections"])
        return {role: with_kinds(block.get("columns"), kinds) for role, block in blocks.items() if block}

    @cached_property
    def target_columns(self) -> dict[str, Any]:
        """The column map of its targets, and what those of its own are: names of groups, zero points."""
        return self.match_columns["targets"]

    @cached_property
    def catalogue_cuts(self) -> list[dict[str, Any]]:
        """Its cuts that may be made before the archive is asked: those on columns that it does not give.

        Only these stand in the params of prepare_targets, so that a new limit in `ruwe` fetches nothing again.
        """
        given = {*GAIA, *TMASS, *DISTANCES, *(self.release.get("more_columns") or ())}
        return [cut for cut in self.block["cuts"] if cut["column"] not in given]

    @cached_property
    def identifiers(self) -> str | list[str]:
        """What its targets' identifiers are, where the archive is asked by them and nobody knows."""
        by = self.block["crossmatch"].get("by")
        return f"<resources>/{self.name}/archive/identifiers.json" if by == "identifier" else []

    @cached_property
    def matched(self) -> str:
        """Its observed spectra with their Gaia and 2MASS counterparts."""
        backend = self.block["crossmatch"]["backend"]
        return f"<resources>/{self.name}/crossmatch.{'local' if backend == 'hats' else backend}.parquet"

    @cached_property
    def learned(self) -> str | list[str]:
        """The magnitudes that it has learned, one row a row of its cross-match."""
        return f"<resources>/{self.name}/learned.parquet" if self.learns else []

    @cached_property
    def learning(self) -> dict[str, Any]:
        """What of its reference the learned magnitudes rest on."""
        return {key: self.block["reference"].get(key) for key in ("apparent_magnitude", "extinction", "learn")}

    @cached_property
    def comparison(self) -> dict[str, Any]:
        """What of its comparison with other catalogues is about magnitudes."""
        return {name: self.block["comparison"][name] for name in ("min_snr", "max_logg", "max_ebv_training")}

    @cached_property
    def clump_sample(self) -> str | None:
        """The sample that stands for its catalogue of red clump stars."""
        return self.block["red_clump"].get("sample") if self.with_red_clump else None

    @cached_property
    def red_clump(self) -> str:
        """Its red clump catalogue, or the stars of the sample that stands for it."""
        block = self.block["red_clump"]
        other = block.get("sample")
        return f"<resources>/{other}/stars.parquet" if other else dataset_file(self.config, block["dataset"])

    @cached_property
    def red_clump_epoch(self) -> float:
        """Julian year of its positions."""
        other = self.block["red_clump"].get("sample")
        return Sample(self.config, other).epoch if other else self.block["crossmatch"].get("epoch", 2000.0)

    @cached_property
    def claims(self) -> dict[str, str] | None:
        """The published statements that it is tested against: file and digest, where it has some."""
        path = self.block["claims"]
        return {"file": path, "sha256": content(own_file("claims", path))} if path else None

    # ---------------------------------------------------------------- corrections

    @cached_property
    def corrections(self) -> dict[str, dict[str, Any]]:
        """The corrections that it names and those that they stand on, by name.

        A map has what the sample is, a file of coefficients its digest: it counts by content.
        """
        blocks = corrections_behind(self.config, [self.block["official"], *self.block["also"]])
        own = {key: self.block[key] for key in ("release", "simulated")}
        more = {name: own if block["kind"] == "map" else {} for name, block in blocks.items()}
        for name, block in blocks.items():
            if "file" in block:
                more[name] = {"sha256": content(own_file("file", block["file"]))}
        return {name: block | more[name] for name, block in blocks.items()}

    @cached_property
    def correction_maps(self) -> dict[str, str]:
        """The maps that these read, which the run may have to make."""
        return {
            f"correction_{name}": block["dataset"] for name, block in self.corrections.items() if "dataset" in block
        }

    @cached_property
    def compared_corrections(self) -> dict[str, str]:
        """Names of its corrections by the parallax that they make: none (raw), the official one (corrected), others."""
        official = self.config["corrections"][self.block["official"]]["kind"] != "none"
        named = {"corrected": self.block["official"]} if official else {}
        return {"raw": "none", **named, **{name: name for name in self.block["also"]}}

    @cached_property
    def words(self) -> dict[str, str]:
        """These in words, by name: the paper that each cites, if no other cites it, else the name."""
        blocks = {name: self.config["corrections"][name] for name in self.compared_corrections.values()}
        cited = {name: (block.get("citation") or "").split(",")[0] for name, block in blocks.items()}
        alone = {text for text in cited.values() if text and [*cited.values()].count(text) == 1}
        marks = {name: " (experimental)" if "experimental" in block else "" for name, block in blocks.items()}
        return {name: (text if text in alone else name.replace("_", " ")) + marks[name] for name, text in cited.items()}

    @cached_property
    def correction(self) -> str:
        """The official one in words."""
        return self.words.get(self.block["official"], "none")

    @cached_property
    def experimental(self) -> dict[str, str]:
        """Why some of these are experimental, by their words."""
        blocks = {text: self.config["corrections"][name] for name, text in self.words.items()}
        return {text: block["experimental"] for text, block in blocks.items() if "experimental" in block}

    @cached_property
    def map_facts(self) -> dict[str, Any]:
        """What the published map says about it."""
        return describe(self.config, self.name)

    @cached_property
    def smooth_facts(self) -> dict[str, Any]:
        """What the smooth map says about it."""
        return describe(self.config, self.name, behind=("map", "smooth"))


def column_kinds(sample: Mapping[str, Any], corrections: Mapping[str, Any]) -> dict[str, str]:
    """What columns of a sample's own are: names of groups (`name`), or zero points (their unit)."""
    named = (corrections[name] for name in (sample["official"], *sample["also"]) if name in corrections)
    kinds = {block["column"]: block.get("unit", "mas") for block in named if block.get("column")}
    if group := sample["reference"].get("group"):
        kinds[group["key"]] = "name"
    return {name: kind for name, kind in kinds.items() if name not in STANDARD}


def with_kinds(columns: Mapping[str, Any] | None, kinds: Mapping[str, str]) -> dict[str, Any]:
    """A map of columns, with the kind of those that have one."""
    entries = {ours: own if isinstance(own, dict) else {"column": own} for ours, own in (columns or {}).items()}
    return {ours: own | {"kind": kinds[ours]} if ours in kinds else columns[ours] for ours, own in entries.items()}


def dataset_file(config: Mapping[str, Any], name: str) -> str:
    """Where a dataset lies: a table of a simulated survey or a retrieved file; nothing later knows which."""
    entry = config["datasets"][name]
    if entry.get("simulated"):
        table, ending = entry["simulated"]["table"], {"targets": "fits", "red_clump": "fits"}
        return f"<resources>/simulated/{entry['simulated']['survey']}/{table}.{ending.get(table, 'parquet')}"
    return f"<resources>/raw/{name}/{entry['file']}"


def dataset_facts(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What `retrieve` needs to know of a dataset and its manifest tells: nothing else of it fetches it again.

    What is shipped with the workflow counts by content.
    """
    kept = ("path", "shipped", "url", "mirrors", "token", "page", "sha256", "bytes")
    kept += ("description", "licence", "doi", "citation")
    facts = {key: entry[key] for key in kept if entry.get(key) is not None}
    own = "shipped" in facts and "path" not in facts
    return facts | ({"content": content(own_file("shipped", facts["shipped"]))} if own else {})


def raw_facts(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What the config says of a raw file, as rawfile.is_due takes it."""
    urls = [url for url in (entry.get("url"), *(entry.get("mirrors") or ())) if url]
    query = rows_query(entry["query"]) if entry.get("query") else None
    return {**entry, "urls": urls, "query": query}


def run_samples(config: Mapping[str, Any]) -> list[Sample]:
    """The samples of the run and those that stand for a catalogue of red clump stars."""
    samples = [Sample(config, name) for name in config["run"]["samples"]]
    names = dict.fromkeys([s.name for s in samples] + [s.clump_sample or s.name for s in samples])
    return [Sample(config, name) for name in names]


def run_files(config: Mapping[str, Any]) -> list[str]:
    """What a run reads beside raw files (maps, answers of an archive), and the tables behind its products."""
    samples = run_samples(config)
    read = list(dict.fromkeys(path for sample in samples for path in sample.correction_maps.values()))
    read += [sample.matched for sample in samples if sample.block["crossmatch"]["backend"] == "archive"]
    tables = ["tracers.parquet", "tables/global_offsets.csv"]
    tables += [f"dataset/{frame}{kind}.ecsv" for frame in FRAMES for kind in ("", "_smooth")]
    return [*read, *(f"<results>/{name}/{table}" for name in config["run"]["samples"] for table in tables)]


def run_manifests(config: Mapping[str, Any]) -> list[str]:
    """The manifests of all raw files behind the run."""
    names = dict.fromkeys(name for sample in run_samples(config) for name in sample.raw_datasets)
    return [f"{dataset_file(config, name)}.manifest.json" for name in names]


def run_coefficients(config: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of the files of coefficients that a run reads, by their path, without that of this machine."""
    blocks = [block for sample in run_samples(config) for block in sample.corrections.values() if "file" in block]
    paths = {Path(block["file"]): block["sha256"] for block in blocks}
    return {path.name if path.is_absolute() else path.as_posix(): digest for path, digest in paths.items()}
