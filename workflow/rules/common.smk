"""Checked config, wildcards and the few functions that rules use."""

import ast
import hashlib
import sys
from pathlib import Path

SCRIPTS = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)) / "../scripts"
sys.path.append(str(SCRIPTS))

from gaia_offsets import config as checks
from gaia_offsets.columns import DISTANCES, GAIA, TMASS
from snakemake.exceptions import WorkflowError

try:
    config = checks.resolve(config, checks.load_schema(SCRIPTS / "../schemas/config.schema.yaml"))
except checks.ConfigError as faults:
    raise WorkflowError(f"The config has faults (keys are explained in docs/config.md):\n{faults}") from None

SAMPLES = config["run"]["samples"]
QUERIED = [name for name, entry in config["datasets"].items() if entry.get("query")]
FRAMES = ["equatorial", "galactic"]
PARALLAXES = ["raw", "corrected"]
FIGURES = ["fig4_offsets", "fig5_trends", "fig6_maps", "counts", "cutflow"]
TABLES = ["cutflow", "global_offsets", "histograms", "trends", "map_equatorial", "map_galactic"]
DATASET_KINDS = ["ecsv", "fits", "csv", "mrt", "vot", "parquet", "moc.fits"]
EXTENDED_KINDS = ["ecsv", "fits", "parquet"]
CORRECTED = [
    f"results/{entry['sample']}/corrected/{name}.{checks.catalogue_ending(entry['path'])}"
    for name, entry in config["catalogues"].items()
]


wildcard_constraints:
    sample="|".join(config["samples"]),
    dataset="|".join(config["datasets"]),
    survey="|".join(config["surveys"]) or "-",
    frame="|".join(FRAMES),
    parallax="|".join(PARALLAXES),
    file=r"[A-Za-z0-9_.+-]+?(?<!\.manifest\.json)",


def digest(script):
    """Hash of the modules of gaia_offsets that a script uses, so that an edit of one re-runs what depends on it."""
    seen, queue = {}, [SCRIPTS / script]
    while queue:
        path = queue.pop()
        source = path.read_bytes()
        seen[path.name] = hashlib.sha256(source).hexdigest()
        for node in ast.walk(ast.parse(source)):
            names = []
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gaia_offsets"):
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names if alias.name.startswith("gaia_offsets")]
            found = (SCRIPTS.joinpath(*name.split(".")).with_suffix(".py") for name in names)
            queue += [module for module in found if module.is_file() and module.name not in seen]
    # The script itself is Snakemake's to watch.
    return hashlib.sha256("".join(sorted(seen.values())).encode()).hexdigest()[:16]


def dataset_file(name):
    """Where a dataset lies: a table of a simulated survey or a retrieved file; nothing later knows which."""
    entry = config["datasets"][name]
    if entry.get("simulated"):
        table, ending = entry["simulated"]["table"], {"targets": "fits", "red_clump": "fits"}
        return f"resources/simulated/{entry['simulated']['survey']}/{table}.{ending.get(table, 'parquet')}"
    return f"resources/raw/{name}/{entry['file']}"


def local_source(wildcards):
    """The local file of a dataset that has one."""
    return config["datasets"][wildcards.dataset].get("path") or []


def sample_tables(wildcards):
    """The tables that a sample's cross-match with local tables reads, by their role."""
    match = config["samples"][wildcards.sample]["crossmatch"]
    blocks = {role: match.get(role) for role in ("gaia", "tmass", "distances")}
    files = {role: dataset_file(block["dataset"]) for role, block in blocks.items() if block}
    return {"targets": targets_file(wildcards), **files}


def targets_file(wildcards):
    """The targets table of a sample."""
    return dataset_file(config["samples"][wildcards.sample]["targets"]["dataset"])


def group_file(wildcards):
    """The table of groups of a sample whose reference is a distance of a group."""
    group = config["samples"][wildcards.sample]["reference"].get("group")
    return dataset_file(group["dataset"]) if group else []


def catalogue_cuts(wildcards):
    """The cuts of a sample that may be made before the archive is asked: those on columns that it does not give.

    Only these stand in the params of prepare_targets, so that a new limit in `ruwe` fetches nothing again.
    """
    given = {*GAIA, *TMASS, *DISTANCES}
    return [cut for cut in config["samples"][wildcards.sample]["cuts"] if cut["column"] not in given]


def query_parts(wildcards):
    """The parts in which a dataset is asked for."""
    partition = config["datasets"][wildcards.dataset]["query"].get("partition") or {}
    folder = f"<resources>/raw/{wildcards.dataset}/parts"
    return [f"{folder}/{part}.parquet" for part in range(partition.get("parts", 1))]


def target_key(wildcards):
    """What the targets need for their cross-match: X-Match takes positions."""
    by = config["samples"][wildcards.sample]["crossmatch"]["by"]
    return "position" if by == "xmatch" else by


def archive_key(wildcards):
    """What the archive is asked by: after X-Match, by the identifiers that it found."""
    by = config["samples"][wildcards.sample]["crossmatch"]["by"]
    return "source_id" if by == "xmatch" else by


def asked_targets(wildcards):
    """The targets that the archive is asked for: as prepared, or with the identifiers that X-Match found."""
    folder = "xmatch" if config["samples"][wildcards.sample]["crossmatch"]["by"] == "xmatch" else "archive"
    return f"<resources>/{wildcards.sample}/{folder}/targets.parquet"


def release_block(wildcards):
    """The release of a sample: epoch and the archive's names of tables and columns."""
    return config["releases"][config["samples"][wildcards.sample]["release"]]


def matched_file(wildcards):
    """The observed spectra of a sample with their Gaia and 2MASS counterparts."""
    backend = config["samples"][wildcards.sample]["crossmatch"]["backend"]
    return f"<resources>/{wildcards.sample}/crossmatch.{backend}.parquet"


def red_clump_file(wildcards):
    """The red clump catalogue of a sample that has one."""
    return dataset_file(config["samples"][wildcards.sample]["red_clump"]["dataset"])


def compared(name, block="comparison"):
    """Whether a sample gets Figs. 1 and 2 and the budget (`comparison`), or Fig. 3 (`red_clump`)."""
    sample = config["samples"][name]
    magnitude = sample["reference"].get("absolute_magnitude")
    from_magnitude = sample["reference"]["kind"] == "absolute_magnitude" and isinstance(magnitude, str)
    return bool(from_magnitude and sample.get("comparison") and sample.get(block))


def stars_are(wildcards):
    """Whose stars a sample's are: simulated, the paper's, or another sample's."""
    targets = config["samples"][wildcards.sample]["targets"]["dataset"]
    if config["datasets"][targets].get("simulated"):
        return "simulated"
    return "the paper's" if wildcards.sample == "lamost_giants" else "another sample"


def sample_titles(wildcards):
    """Title of each sample of the run and whether its stars are simulated, which the title says in any case."""
    entries = []
    for name in SAMPLES:
        sample = config["samples"][name]
        simulated = bool(config["datasets"][sample["targets"]["dataset"]].get("simulated"))
        silent = simulated and "simulated" not in sample["title"].lower()
        entries.append(
            {"title": f"{sample['title']} (simulated)" if silent else sample["title"], "simulated": simulated}
        )
    return entries


def comparison_tables(wildcards):
    """The tables behind Figs. 1 to 3 that a sample has, by name."""
    names = ["magnitudes", "training"] if compared(wildcards.sample) else []
    names += ["red_clump", "red_clump_trend"] if compared(wildcards.sample, "red_clump") else []
    return {name: f"<results>/{wildcards.sample}/tables/{name}.csv" for name in names}


COMPARED = [name for name in SAMPLES if compared(name)]
WITH_RED_CLUMP = [name for name in SAMPLES if compared(name, "red_clump")]
OVERVIEWS = ["samples", "samples_trends"] if len(SAMPLES) > 1 else ["samples"]
