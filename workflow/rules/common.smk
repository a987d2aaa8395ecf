"""Checked config, wildcards and the few functions that rules use."""

import re
from operator import attrgetter
from pathlib import Path

from gaia_offsets import adql
from gaia_offsets import releases
from gaia_offsets.about import describe, run_settings
from gaia_offsets.columns import DISTANCES, GAIA, LEARNED, TMASS
from gaia_offsets.fingerprint import fingerprint
from gaia_offsets.samples import FIGURES, PAGES, Sample, alike
from gaia_offsets.secret import split_login
from snakemake import __version__ as ENGINE

try:
    checks.choose_samples(config, workflow.overwrite_configfiles, OWN_CONFIG)
    config = checks.resolve(
        checks.merge(checks.load_yaml(SCRIPTS / "../settings.yaml"), config),
        checks.load_yaml(SCRIPTS / "../schemas/config.schema.yaml"),
    )
    RUN = checks.run_name(config, workflow.overwrite_configfiles, OWN_CONFIG)
except checks.ConfigError as faults:
    raise WorkflowError(f"The config has faults (keys are explained in docs/config.md):\n{faults}") from None

SAMPLES = config["run"]["samples"]
KNOWN = {name: Sample(config, name) for name in config["samples"]}
# Longest time [min] of a job that waits for a TAP service.
WAITING = 1 + int(
    config["archive"]["attempts"] * (config["archive"]["timeout_s"] + config["archive"]["max_wait_s"]) / 60
)
# Resources of such a job (archive.service reads them). Text, because Snakemake rounds fractions.
PATIENCE = {
    f"archive_{name}": str(config["archive"][name])
    for name in ("maxrec", "timeout_s", "stall_s", "poll_s", "attempts", "max_wait_s")
}


def addresses(url):
    """The addresses of a TAP service, the first one first."""
    return [url] if isinstance(url, str) else url


# A param is the first address alone: finished chunks stay valid when a mirror comes or goes.
ARCHIVE, *MIRRORS = addresses(config["archive"]["url"])
PATIENCE["archive_mirrors"] = " ".join(MIRRORS)
DOWNLOADS = {f"downloads_{name}": str(value) for name, value in config["downloads"].items()}
NONE = "-"  # a name that no dataset has
RETRIEVED = [name for name, entry in config["datasets"].items() if not (entry.get("query") or entry.get("simulated"))]
QUERIED = [name for name, entry in config["datasets"].items() if entry.get("query")]
FRAMES = ["equatorial", "galactic"]
PARALLAXES = ["raw", "corrected"]
TABLES = [
    *("cutflow", "scatter", "global_offsets", "zero_point_scale", "histograms", "trends"),
    *("map_equatorial", "map_galactic", "smooth_equatorial", "smooth_galactic", "smooth_dependence"),
    *("errors", "cross_validation", "corrections"),
]
DATASET_KINDS = ["ecsv", "fits", "csv", "mrt", "vot", "parquet", "moc.fits"]
EXTENDED_KINDS = ["ecsv", "fits", "parquet"]
CORRECTED = [
    f"<results>/{entry['sample']}/corrected/{name}.{checks.catalogue_ending(entry['path'])}"
    for name, entry in config["catalogues"].items()
]


def own_file(key, path, folder="config"):
    """A file of this workflow, below a folder of it; asked for while this page is parsed, which tells where it is."""
    try:
        return workflow.source_path(f"../../{folder}/{path}")
    except (OSError, WorkflowError):
        where = f"in the folder of the run ({Path.cwd()}) nor in the workflow's {folder}/"
        raise WorkflowError(f"The config has faults:\n{key}: there is no file {path} {where}") from None


SHIPPED = {
    name: own_file(f"datasets.{name}.shipped", f"data/{entry['shipped']}")
    for name, entry in config["datasets"].items()
    if entry.get("shipped")
}
if workflow.is_main_process and (lacking := [*checks.path_faults(config), *checks.table_faults(config, SHIPPED)]):
    raise WorkflowError("\n".join(["The config has faults:", *lacking]))
if workflow.is_main_process:
    for line in checks.table_notes(config):
        print(line, file=sys.stderr)
CLAIMS = {  # the user's file before ours
    name: sample["claims"] if Path(sample["claims"]).is_file() else own_file(f"samples.{name}.claims", sample["claims"])
    for name, sample in config["samples"].items()
    if sample["claims"]
}
CORRECTION_FILES = {name: entry["dataset"] for name, entry in config["corrections"].items() if "dataset" in entry}
CORRECTION_FILES |= {  # the user's file before ours
    name: (
        entry["file"]
        if Path(entry["file"]).is_file()
        else own_file(f"corrections.{name}.file", entry["file"], "workflow/scripts/gaia_offsets/data")
    )
    for name, entry in config["corrections"].items()
    if "file" in entry
}


wildcard_constraints:
    sample="|".join(config["samples"]),
    dataset="|".join(config["datasets"]),
    run=re.escape(RUN),
    survey="|".join(config["surveys"]) or NONE,
    grid=r"(_nside\d+)?",
    file=r"[A-Za-z0-9_.+-]+?(?<!\.manifest\.json)",


def digest(script):
    """Hash of a script and of the modules of gaia_offsets behind it: an edit of one re-runs what depends on it."""
    return "" if workflow.subprocess_exec else fingerprint(SCRIPTS, script)  # a job's own process compares nothing


def by_input(base, per_mb, most=None):
    """Memory [MB] or longest time [min] of a job, by the size of its input; a second attempt gets twice as much.

    `most` is what a job never exceeds that goes through its table piece by piece.

    Memory is the largest seen with 7.1 million simulated spectra and a fifth more, time is several times what it took
    there on two cores (docs/method.md, "What a run costs"). What is not there yet does not count: a job is asked again
    when its input is complete, and a group of jobs (profiles/slurm) has to be asked before.
    """

    def resource(wildcards, input, attempt):
        # Not input.size_mb: while the input is not there yet it leaves a coroutine behind that Python complains about.
        sizes = (Path(file).stat().st_size for file in input if Path(file).exists())
        needed = base + per_mb * sum(sizes) / 1e6
        return int(attempt * (min(needed, most) if most else needed))

    return resource


def dataset_file(name):
    """Where a dataset lies: a table of a simulated survey or a retrieved file; nothing later knows which."""
    entry = config["datasets"][name]
    if entry.get("simulated"):
        table, ending = entry["simulated"]["table"], {"targets": "fits", "red_clump": "fits"}
        return f"<resources>/simulated/{entry['simulated']['survey']}/{table}.{ending.get(table, 'parquet')}"
    return f"<resources>/raw/{name}/{entry['file']}"


def shipped_file(wildcards):
    """The workflow's own file of a dataset that has one, and none of the user's."""
    return [] if config["datasets"][wildcards.dataset].get("path") else SHIPPED.get(wildcards.dataset, [])


def local_stamp(wildcards):
    """Size and date of the user's file of a dataset: another one is fetched anew, be it newer or older."""
    path = config["datasets"][wildcards.dataset].get("path")
    found = Path(path).stat() if path and Path(path).is_file() else None
    return found and [found.st_size, found.st_mtime_ns]


def dataset_facts(wildcards):
    """What retrieve needs to know of a dataset and its manifest tells; a change of anything else fetches nothing again."""
    entry = config["datasets"][wildcards.dataset]
    kept = (
        "path",
        "shipped",
        "url",
        "mirrors",
        "token",
        "page",
        "sha256",
        "bytes",
        "description",
        "licence",
        "doi",
        "citation",
    )
    return {key: entry[key] for key in kept if entry.get(key) is not None}


def raw_datasets(wildcards, tables):
    """Names of the datasets behind a sample's tables, by their place in the sample, that are raw files."""
    blocks = checks.table_blocks(config["samples"][wildcards.sample])
    names = dict.fromkeys(blocks[table]["dataset"] for table in tables if table in blocks)
    return [name for name in names if not config["datasets"][name].get("simulated")]


def manifests(*tables):
    """An input function: the manifests of the raw files that are read.

    A file that someone put there has none: `retrieve` looks at it first. The rule checks file, manifest and raw_facts.
    """

    def of_sample(wildcards):
        return [f"{dataset_file(name)}.manifest.json" for name in raw_datasets(wildcards, tables)]

    return of_sample


def raw_facts(*tables):
    """A params function: what the config says of these raw files, by dataset."""
    kept = ("path", "shipped", "sha256", "bytes")

    def facts(entry):
        query = {"query": adql.table_query(entry["query"])} if entry.get("query") else {}
        urls = [split_login(url)[0] for url in (entry.get("url"), *(entry.get("mirrors") or ())) if url]
        return {"urls": urls} | {key: entry[key] for key in kept if entry.get(key) is not None} | query

    def of_sample(wildcards):
        return {name: facts(config["datasets"][name]) for name in raw_datasets(wildcards, tables)}

    return of_sample


def sample_tables(wildcards):
    """The tables that a sample's cross-match with local tables reads, by their role."""
    match = config["samples"][wildcards.sample]["crossmatch"]
    blocks = {role: match.get(role) for role in ("gaia", "tmass", "distances")}
    files = {role: dataset_file(block["dataset"]) for role, block in blocks.items() if block}
    if match["backend"] == "hats":
        files["gaia"] = f"<resources>/{wildcards.sample}/hats/gaia.parquet"
    return {"targets": targets_file(wildcards), **files}


def targets_file(wildcards):
    """The targets table of a sample."""
    return dataset_file(config["samples"][wildcards.sample]["targets"]["dataset"])


def group_file(wildcards):
    """The table of groups of a sample whose reference is a distance of a group."""
    group = config["samples"][wildcards.sample]["reference"].get("group")
    return dataset_file(group["dataset"]) if group else []


def identifiers_file(wildcards):
    """What the identifiers of a sample's targets are, where the archive is asked by them and nobody knows."""
    by = config["samples"][wildcards.sample]["crossmatch"].get("by")
    return f"<resources>/{wildcards.sample}/archive/identifiers.json" if by == "identifier" else []


def catalogue_cuts(wildcards):
    """The cuts of a sample that may be made before the archive is asked: those on columns that it does not give.

    Only these stand in the params of prepare_targets, so that a new limit in `ruwe` fetches nothing again.
    """
    given = {*GAIA, *TMASS, *DISTANCES, *(release_block(wildcards).get("more_columns") or ())}
    return [cut for cut in config["samples"][wildcards.sample]["cuts"] if cut["column"] not in given]


def queried(wildcards):
    """A queried dataset with the first address of its service alone."""
    entry = config["datasets"][wildcards.dataset]
    return {**entry, "query": {**entry["query"], "url": addresses(entry["query"]["url"])[0]}}


def query_block(wildcards):
    """Its query."""
    return queried(wildcards)["query"]


def query_mirrors(wildcards):
    """The other addresses of its service."""
    return " ".join(addresses(config["datasets"][wildcards.dataset]["query"]["url"])[1:])


def query_parts(wildcards):
    """The parts in which a dataset is asked for."""
    partition = config["datasets"][wildcards.dataset]["query"].get("partition") or {}
    folder = f"<resources>/raw/{wildcards.dataset}/parts"
    return [f"{folder}/{part}.parquet" for part in range(partition.get("parts", 1))]


def release_block(wildcards):
    """The release of a sample."""
    return config["releases"][config["samples"][wildcards.sample]["release"]]


def release_names(wildcards):
    """Epoch of a sample's release and the service's names of its tables and columns."""
    names = releases.asked_names(release_block(wildcards))
    # The cross-match asks no table of quasars.
    names |= {key: {**names[key]} for key in ("bridged",) if key in names}
    for tables in (names, names.get("bridged", {})):
        tables.pop("agn_cross_id", None)
    return names


def release_coding(wildcards):
    """How a sample's release codes its solutions."""
    coding = releases.coding(release_block(wildcards))
    return {key: value for key, value in coding.items() if key != "column"}  # that of the archive's table


def solutions(wildcards):
    """The classes of solutions that are measured, the standard one first, and the column of each one's colour."""
    return releases.measured(release_coding(wildcards))


def standard_solution(wildcards):
    """The class of solutions of Table 1 and the maps."""
    return release_coding(wildcards)["standard"]


def standard_colour(wildcards):
    """The column of the colour of that class."""
    return solutions(wildcards)[standard_solution(wildcards)]


def kept_solutions(wildcards):
    """The classes of solutions that come into the tracers table."""
    return config["samples"][wildcards.sample].get("solutions") or list(solutions(wildcards))


def release_epoch(wildcards):
    """Julian year of the positions of a sample's release."""
    return release_block(wildcards)["epoch"]


def local_columns(wildcards):
    """The column maps of the tables of a cross-match with local tables, by role."""
    sample = config["samples"][wildcards.sample]
    match = sample["crossmatch"]
    blocks = {"targets": sample["targets"], **{role: match.get(role) for role in ("gaia", "tmass", "distances")}}
    if match["backend"] == "hats":
        blocks["gaia"] = match["hats"]
    kinds = checks.column_kinds(sample, config["corrections"])
    return {role: checks.with_kinds(block.get("columns"), kinds) for role, block in blocks.items() if block}


def target_columns(wildcards):
    """The column map of a sample's targets, and what those of its own are: names of groups, zero points."""
    sample = config["samples"][wildcards.sample]
    return checks.with_kinds(sample["targets"].get("columns"), checks.column_kinds(sample, config["corrections"]))


def sample_corrections(wildcards):
    """The corrections that a sample names and those that they stand on, by name; maps with what the sample is."""
    sample = config["samples"][wildcards.sample]
    blocks = checks.corrections_behind(config, [sample["official"], *sample["also"]])
    own = {key: sample[key] for key in ("release", "simulated")}
    return {name: block | (own if block["kind"] == "map" else {}) for name, block in blocks.items()}


def compared_corrections(wildcards):
    """Names of a sample's corrections, by the parallax that they make: none (raw), the official one (corrected), others."""
    sample = config["samples"][wildcards.sample]
    official = config["corrections"][sample["official"]]["kind"] != "none"
    named = {"corrected": sample["official"]} if official else {}
    return {"raw": "none", **named, **{name: name for name in sample["also"]}}


def experimental_corrections(wildcards):
    """Why some of these are experimental, by name."""
    blocks = {name: config["corrections"][name] for name in compared_corrections(wildcards).values()}
    return {name: block["experimental"] for name, block in blocks.items() if "experimental" in block}


def correction_files(wildcards):
    """The files that these read."""
    names = [name for name in sample_corrections(wildcards) if name in CORRECTION_FILES]
    return {f"correction_{name}": CORRECTION_FILES[name] for name in names}


def map_facts(wildcards):
    """What the published map says about its sample."""
    return describe(config, wildcards.sample)


def smooth_facts(wildcards):
    """What the smooth map says about its sample."""
    return describe(config, wildcards.sample, behind=("map", "smooth"))


def matched_file(wildcards):
    """The observed spectra of a sample with their Gaia and 2MASS counterparts."""
    match = config["samples"][wildcards.sample]["crossmatch"]
    made = "local" if match["backend"] == "hats" else match["backend"]
    return f"<resources>/{wildcards.sample}/crossmatch.{made}.parquet"


def learned_file(wildcards):
    """The magnitudes that a sample has learned, one row a row of its cross-match."""
    learned = config["samples"][wildcards.sample]["reference"]["kind"] == LEARNED
    return f"<resources>/{wildcards.sample}/learned.parquet" if learned else []


def comparison(wildcards):
    """What of a sample's comparison with other catalogues is about magnitudes."""
    block = config["samples"][wildcards.sample]["comparison"]
    return {name: block[name] for name in ("min_snr", "max_logg", "max_ebv_training")}


def learning(wildcards):
    """What of a sample's reference the learned magnitudes rest on."""
    reference = config["samples"][wildcards.sample]["reference"]
    return {key: reference.get(key) for key in ("apparent_magnitude", "extinction", "learn")}


def red_clump_file(wildcards):
    """The red clump catalogue of a sample that has one, or the stars of the sample that stands for it."""
    block = config["samples"][wildcards.sample]["red_clump"]
    return f"<resources>/{block['sample']}/stars.parquet" if block.get("sample") else dataset_file(block["dataset"])


def red_clump_epoch(wildcards):
    """Julian year of its positions."""
    sample = config["samples"][wildcards.sample]
    if other := sample["red_clump"].get("sample"):
        return config["releases"][config["samples"][other]["release"]]["epoch"]
    return sample["crossmatch"].get("epoch", 2000.0)


def of_sample(what):
    """An input or params function: that attribute of the sample (class Sample)."""

    def get(wildcards):
        return getattr(KNOWN[wildcards.sample], what)

    return get


def catalogue_map(wildcards):
    """The map that corrects a catalogue."""
    catalogue = config["catalogues"][wildcards.catalogue]
    return f"<results>/{{sample}}/dataset/{catalogue['frame']}{'_smooth' if catalogue.get('smooth') else ''}.ecsv"


def claims_file(wildcards):
    """The published statements that a sample is tested against, where it has some."""
    return {"claims": CLAIMS[wildcards.sample]} if wildcards.sample in CLAIMS else {}


def sample_facts(wildcards=None):
    """Of each sample of the run name and title, whether its stars are simulated, its standard class and that's colour."""
    facts = []
    for name in SAMPLES:
        coding = releases.coding(config["releases"][config["samples"][name]["release"]])
        about = {"standard": coding["standard"], "colour": coding["colours"][coding["standard"]]}
        facts.append(
            {"name": name, **{key: config["samples"][name][key] for key in ("title", "simulated", "official")}, **about}
        )
    return facts


def family(rule, names):
    """Name of the one that is made for each kind of sample (samples.alike), after its script and one of the samples."""
    return f"{rule}_of_{names[0]}"


def picture(path, caption, category, **labels):
    """The files of a figure, PNG and PDF, and what the report says of it."""
    return [report(f"{path}.png", caption=f"../report/{caption}.rst", category=category, labels=labels), f"{path}.pdf"]


def figure_files(names):
    """The files of a sample's figures."""
    folder, files = "<results>/{sample}/figures", {}
    for name in names:
        caption, label = FIGURES[name]
        files[name] = picture(f"{folder}/{name}", caption, "Figures", sample="{sample}", figure=label)
    for parallax in PARALLAXES:  # two pictures, between which the report switches
        about = {"sample": "{sample}", "figure": "6", "parallax": parallax}
        name = f"fig6_map_{parallax}"
        files[name] = picture(f"{folder}/{name}", "fig6", "Map before and after correction", **about)[0]
    return files


def page_files(names):
    """The files of a sample's pages."""
    return {
        name: report(
            f"<results>/{{sample}}/{name}.html",
            caption=f"../report/{name}.rst",
            category=PAGES[name],
            labels={"sample": "{sample}"},
        )
        for name in names
    }


def overview_files():
    """The files of the figures of a run's samples, all but the first of several samples."""
    return {
        name: picture(f"<results>/runs/{{run}}/{name}", name, "Samples side by side", what=label)
        for name, label in OVERVIEWS.items()
    }


SKIES = checks.validation_runs(config)
VALIDATED = [name for name, _, _ in SKIES]
STANDARDS = sorted(
    {releases.coding(config["releases"][config["samples"][name]["release"]])["standard"] for name in VALIDATED}
)
LEARNING, VALIDATED_LEARNING = (
    [name for name in names if config["samples"][name]["reference"]["kind"] == LEARNED]
    for names in (SAMPLES, VALIDATED)
)
PAGE_FILES = [f"<results>/{name}/{page}.html" for name in SAMPLES for page in KNOWN[name].pages]
FIGURE_FILES = [
    f"<results>/{name}/figures/{figure}.{kind}"
    for name in SAMPLES
    for figure in KNOWN[name].figures
    for kind in ("png", "pdf")
]
FINER = [  # smooth maps of other resolutions
    f"<results>/{name}/dataset/{frame}_smooth_nside{nside}.{kind}"
    for name in SAMPLES
    for nside in config["samples"][name]["measure"]["smooth"]["more_nsides"]
    for frame in FRAMES
    for kind in EXTENDED_KINDS
]
HATS = [f"<results>/{name}/hats" for name in SAMPLES if config["samples"][name]["publish_hats"]]
WITH_RED_CLUMP = [name for name in SAMPLES if KNOWN[name].with_red_clump]
OVERVIEWS = {"samples": "global offsets, figure"}
if len(SAMPLES) > 1:
    OVERVIEWS |= {"samples_trends": "trends, figure", "samples_scales": "zero point and scale, figure"}
# The samples of the run and those that stand for a catalogue of red clump stars.
TOLD = list(
    dict.fromkeys([*SAMPLES, *(config["samples"][name]["red_clump"].get("sample") or name for name in WITH_RED_CLUMP)])
)


def run_manifests(wildcards):
    """The manifests of all raw files behind the run."""
    blocks = [checks.table_blocks(config["samples"][name]).values() for name in TOLD]
    names = dict.fromkeys(block["dataset"] for part in blocks for block in part)
    return [f"{dataset_file(name)}.manifest.json" for name in names if not config["datasets"][name].get("simulated")]


def run_files(wildcards):
    """What else the run read (files of corrections, answers of an archive), and the tables behind its products."""
    named = [config["samples"][name] for name in TOLD]
    corrections = [name for sample in named for name in (sample["official"], *sample["also"])]
    read = [CORRECTION_FILES.get(name) for name in checks.corrections_behind(config, corrections)]
    read += [
        f"<resources>/{name}/crossmatch.archive.parquet"
        for name, sample in zip(TOLD, named)
        if sample["crossmatch"]["backend"] == "archive"
    ]
    tables = ["tracers.parquet", "tables/global_offsets.csv"]
    tables += [f"dataset/{frame}{kind}.ecsv" for frame in FRAMES for kind in ("", "_smooth")]
    return [*filter(None, read), *(f"<results>/{name}/{table}" for name in SAMPLES for table in tables)]
