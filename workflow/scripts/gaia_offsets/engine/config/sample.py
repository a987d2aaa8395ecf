"""Faults of a sample: names that lead nowhere, columns that nothing gives, what its match or reference lacks."""

from __future__ import annotations

from collections.abc import Iterator

from gaia_offsets.core import releases
from gaia_offsets.core.columns import LABELS, STANDARD
from gaia_offsets.core.words import did_you_mean, near
from gaia_offsets.engine.config import values
from gaia_offsets.engine.config.corrections import inflate_faults, not_of_release
from gaia_offsets.engine.config.fault import Config, Fault, below, unknown
from gaia_offsets.publish.fields import CORRECTED, OUTPUT, TRUE_ERROR, named_like

# Columns that come only after the cuts.
AFTER_THE_CUTS = ("zero_point", "parallax_corrected", "offset_raw", "offset_corrected")


def table_blocks(sample: Config) -> dict[str, Config]:
    """The blocks of a sample that name a dataset, by their path below the sample."""
    blocks = {"targets": sample.get("targets")}
    match = sample["crossmatch"]
    blocks |= {f"crossmatch.{key}": match.get(key) for key in ("gaia", "tmass", "distances")}
    if match["backend"] == "hats":
        del blocks["crossmatch.gaia"]  # its sources are those of a catalogue, not of a dataset
    blocks["reference.group"] = sample["reference"].get("group")
    blocks["red_clump"] = sample.get("red_clump")
    return {path: block for path, block in blocks.items() if block and (path != "red_clump" or block.get("dataset"))}


def sample_faults(_: str, sample: Config, config: Config) -> Iterator[Fault]:
    """Faults of a sample, but for its `measure`."""
    for where, block in table_blocks(sample).items():
        yield from unknown(f"{where}.dataset", block.get("dataset"), config["datasets"], "datasets")
    if sample.get("red_clump"):
        yield from below("red_clump", _red_clump_faults(sample["red_clump"], config["samples"]))
    yield from unknown("release", sample["release"], config["releases"], "releases")
    yield from _correction_faults(sample, config)
    yield from inflate_faults(sample, sample["release"])
    if sample.get("claims"):
        yield from values.path_faults("claims", sample["claims"])
    release = config["releases"].get(sample["release"], {})
    yield from _solution_faults(sample, release)
    yield from _crossmatch_faults(sample, release)
    yield from _column_faults(sample)
    yield from _corrected_faults(sample, config)
    yield from _unknown_columns(sample, release, config["corrections"])
    yield from _cut_faults(sample, config["releases"])
    yield from below("reference", values.reference_faults(sample["reference"]))


def _red_clump_faults(block: Config, samples: Config) -> Iterator[Fault]:
    name = block.get("sample")
    if not name:
        if not block.get("dataset"):
            yield Fault("dataset", "missing; name a catalogue, or a sample of red clump stars")
        return
    if block.get("dataset"):
        yield Fault("sample", "a catalogue is named as well (dataset); keep one of them")
    yield from unknown("sample", name, samples, "samples")
    kind = samples[name]["reference"]["kind"] if name in samples else None
    if kind in ("learned_magnitude", "group_distance"):
        text = f"the parallaxes of {name} are of kind {kind}; Fig. 3 takes each star's own that owe Gaia nothing"
        yield Fault("sample", text)


def _correction_faults(sample: Config, config: Config) -> Iterator[Fault]:
    """Corrections that are none, are of other releases, or are there anyway."""
    corrections, official = config["corrections"], sample["official"]
    for where, name in (("official", official), *(("also", name) for name in sample["also"])):
        if name not in corrections:
            yield from unknown(where, name, corrections, "corrections")
        elif where == "also" and (name == official or corrections[name]["kind"] == "none"):
            yield Fault(where, f"{name!r} is there anyway, as the official correction or as no correction")
        else:
            yield from (Fault(where, text) for text in not_of_release(config, sample["release"], name))


def _solution_faults(sample: Config, release: Config) -> Iterator[Fault]:
    """Classes of solutions that the release has not, and none of its standard class."""
    whose, coding = f"releases.{sample['release']}", releases.coding(release)
    classes, kept = releases.classes(coding), sample.get("solutions") or ()
    for name in kept:
        if name not in classes:
            yield Fault("solutions", f"{name!r} is no class of {whose}{did_you_mean(name, classes)}")
    if kept and coding["standard"] not in kept:
        text = f"lacks {coding['standard']}, the class of Table 1 and the maps ({whose}.solution.standard)"
        yield Fault("solutions", text)


def _crossmatch_faults(sample: Config, release: Config) -> Iterator[Fault]:
    """What the backend needs of the sample and of its release."""
    match, backend, by = sample["crossmatch"], sample["crossmatch"]["backend"], sample["crossmatch"].get("by")
    around = ["epoch", "radius_arcsec", "tmass_radius_arcsec"]
    needed = {"local": ["gaia", *around], "hats": ["hats", *around], "archive": ["by"]}.get(backend, [])
    if backend == "archive" and by in ("position", "identifier"):
        needed += ["epoch", "radius_arcsec"]
    for key in needed:
        if match.get(key) is None:
            yield Fault(f"crossmatch.{key}", f"missing; backend {backend} needs it")
    if backend == "archive":
        hop = {"dr2_source_id": ["dr2_neighbourhood"], "dr3_source_id": ["dr3_neighbourhood"]}
        for table in ("gaia_source", *hop.get(by, ())):
            if not release.get(table):
                text = f"releases.{sample['release']} names no table {table}, which backend archive needs"
                yield Fault("release", text)


def _column_faults(sample: Config) -> Iterator[Fault]:
    """Columns of a sample's own whose names look like those of ours, and units that are not converted."""
    for where, block in table_blocks(sample).items():
        for name, entry in (block.get("columns") or {}).items():
            path = f"{where}.columns.{name}"
            if name in STANDARD:
                yield from values.unit_faults(path, name, entry)
            elif isinstance(entry, dict) and entry.get("unit"):
                yield Fault(f"{path}.unit", f"only standard columns are converted{did_you_mean(name, STANDARD)}")
            elif near(name, STANDARD, 0.85):
                meant = did_you_mean(name, STANDARD)
                yield Fault(path, f"not a standard column{meant} (else choose another name)")


def _corrected_faults(sample: Config, config: Config) -> Iterator[Fault]:
    """Columns of `gaia-offsets apply` of which a zero point would be subtracted, or that would grow, once more."""
    official = config["corrections"].get(sample["official"], {}).get("kind") != "none"
    subtracted = official and (f"{sample['official']} would be subtracted", "official: none")
    inflated = sample.get("inflate") and ("inflate would enlarge it", "no inflate")
    ours = ((CORRECTED, "parallax", subtracted), (OUTPUT[0], "parallax", subtracted))
    for where, block in table_blocks(sample).items():
        for field, name, again in (*ours, (TRUE_ERROR, "parallax_error", inflated)):
            entry = (block.get("columns") or {}).get(name)
            column = str(entry.get("column") if isinstance(entry, dict) else entry)
            if again and named_like(field.name, [column]):
                whose = f"{column!r} is corrected already, and {again[0]} once more"
                yield Fault(f"{where}.columns.{name}", f"{whose}: take the published {name}, or {again[1]}")


def _cut_faults(sample: Config, known: Config) -> Iterator[Fault]:
    """Cuts of classes that no release has, of columns that come later, and of wrong values."""
    classes = {releases.STANDARD}.union(*(releases.classes(releases.coding(release)) for release in known.values()))
    for number, cut in enumerate(sample["cuts"]):
        solution = cut.get("solution")
        if solution is not None and solution not in classes:
            text = f"{solution!r} is a class of no release{did_you_mean(solution, classes)}"
            yield Fault(f"cuts.{number}.solution", text)
        if cut["column"] in AFTER_THE_CUTS:
            yield Fault(f"cuts.{number}.column", f"{cut['column']!r} is computed after the cuts")
        yield from below(f"cuts.{number}", values.cut_faults(cut))


def _unknown_columns(sample: Config, release: Config, corrections: Config) -> Iterator[Fault]:
    """Columns that the sample uses and that are neither ours nor named in its column maps."""
    match = sample["crossmatch"]
    blocks = [*table_blocks(sample).values(), match.get("hats") or {}]
    fetched = (release.get("more_columns") or ()) if match["backend"] == "archive" else ()
    known = {*STANDARD, *fetched}.union(*(block.get("columns") or {} for block in blocks))
    for path, column in _used_columns(sample, corrections):
        if column not in known:
            text = f"{column!r} is neither a standard column nor named in the sample's columns"
            yield Fault(path, f"{text}{did_you_mean(column, known)}")


def _used_columns(sample: Config, corrections: Config) -> Iterator[tuple[str, str]]:
    """Columns that a sample uses, by the paths that name them."""
    for name in (sample["official"], *sample["also"]):
        if column := corrections.get(name, {}).get("column"):
            yield f"official or also, {name}", column
    if one := sample.get("one_row_per"):
        columns = (*one["columns"], one.get("prefer"), one.get("ties"))
        yield from (("one_row_per", column) for column in columns if column)
    yield from ((f"cuts.{number}.column", cut["column"]) for number, cut in enumerate(sample["cuts"]))
    yield from reference_columns(sample["reference"])


def reference_columns(reference: Config) -> Iterator[tuple[str, str]]:
    """Paths below the sample and the columns that the reference parallax is made of."""
    extinction, learn = reference.get("extinction") or {}, reference.get("learn") or {}
    for key in ("absolute_magnitude", "apparent_magnitude"):
        if isinstance(reference.get(key), str):
            yield f"reference.{key}", reference[key]
    for key in ("column", "blue", "red", "intrinsic"):
        if isinstance(extinction.get(key), str):
            yield f"reference.extinction.{key}", extinction[key]
    if reference["kind"] == "learned_magnitude":
        labels = enumerate(learn.get("labels") or LABELS)
        yield from ((f"reference.learn.labels.{number}", name) for number, name in labels)
        if learn.get("check"):
            yield "reference.learn.check", learn["check"]
        cuts = enumerate(learn.get("cuts") or ())
        yield from ((f"reference.learn.cuts.{number}.column", cut["column"]) for number, cut in cuts)
