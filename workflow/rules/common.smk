"""Checked config, wildcards and the few functions that rules use; what a sample is stands in gaia_offsets/engine/samples.py."""

from operator import attrgetter
from pathlib import Path

from gaia_offsets.archive.rawfile import is_due
from gaia_offsets.core.columns import FRAMES, PARALLAXES
from gaia_offsets.core.files import CITATIONS, LITERATURE, REFERENCES, content
from gaia_offsets.core.log import say
from gaia_offsets.core.yamlfile import merge
from gaia_offsets.engine import products, samples
from gaia_offsets.engine.about import run_settings
from gaia_offsets.engine.config.complete import resolve
from gaia_offsets.engine.config.read import choose_samples, over_own, run_name
from gaia_offsets.engine.config.sections import catalogue_ending
from gaia_offsets.engine.config.shorthand import validation_runs
from gaia_offsets.engine.config.tables_at_hand import own_faults, path_faults, table_faults, table_notes
from gaia_offsets.engine.fingerprint import fingerprint
from gaia_offsets.engine.products import DATASET_KINDS, EXTENDED_KINDS, alike
from gaia_offsets.engine.samples import Sample
from snakemake import __version__ as ENGINE

CONFIGS = workflow.overwrite_configfiles

try:
    if workflow.modifier.skip_configfile:  # as a module
        config, CONFIGS = over_own(config, OWN_CONFIG), CONFIGS or workflow.configfiles
    choose_samples(config, CONFIGS, OWN_CONFIG)
    config = resolve(
        merge(load_yaml(SCRIPTS / "../settings.yaml"), config),
        load_yaml(SCRIPTS / "../schemas/config.schema.yaml"),
    )
    RUN = config["run"]["name"] = run_name(config, CONFIGS, OWN_CONFIG)
except ConfigError as faults:
    raise WorkflowError(f"The config has faults (keys are explained in docs/config.md):\n{faults}") from None
if faults := [*own_faults(config)] or workflow.is_main_process and [*path_faults(config), *table_faults(config)]:
    raise WorkflowError("\n".join(["The config has faults:", *map(str, faults)]))
if workflow.is_main_process:
    say(*table_notes(config))

SAMPLES, DATASETS = config["run"]["samples"], config["datasets"]
KNOWN = {name: Sample(config, name) for name in config["samples"]}
TITLES = [sample.block["title"] for sample in KNOWN.values()]
TITLES = {s.name: t + f" ({s.name})" * (TITLES.count(t) > 1) for s, t in zip(KNOWN.values(), TITLES)}
# Longest time [min] of a job that waits for a TAP service; how patient it is, its script reads from the config.
WAITING = 1 + int(
    config["archive"]["attempts"] * (config["archive"]["timeout_s"] + config["archive"]["max_wait_s"]) / 60
)
NONE = "-"  # a name that no dataset has
RETRIEVED = [name for name, entry in DATASETS.items() if not (entry.get("query") or entry.get("simulated"))]
QUERIED = [name for name, entry in DATASETS.items() if entry.get("query")]
PRODUCTS = [file for name in SAMPLES for file in KNOWN[name].products]
CORRECTED = [
    f"<results>/{entry['sample']}/corrected/{name}.{catalogue_ending(entry['path'])}"
    for name, entry in config["catalogues"].items()
]
OVERVIEWS = dict([*products.OVERVIEWS.items()][: None if len(SAMPLES) > 1 else 1])
SKIES = validation_runs(config)
VALIDATED = [name for name, _, _ in SKIES]


pathvars:
    run=RUN,


PATHVARS = workflow.pathvars  # those of this workflow, which may be a module of another


wildcard_constraints:
    sample="|".join(config["samples"]),
    dataset="|".join(DATASETS),
    survey="|".join(config["surveys"]) or NONE,
    grid=r"(_nside\d+)?",
    file=r"[A-Za-z0-9_.+-]+?(?<!\.manifest\.json)",


def digest(script):
    """Hash of a script and of the modules of gaia_offsets behind it: an edit of one re-runs what depends on it."""
    return "" if workflow.subprocess_exec else fingerprint(SCRIPTS, script)  # a job's own process compares nothing


def by_input(base, per_mb):
    """Memory [MB] or longest time [min] of a job, by the size of its input; a second attempt gets twice as much.

    For rules to which the profiles' default does not fit. Memory is the largest seen with 7.1 million simulated spectra or
    30 million simulated tracers and a fifth more, time is several times what it took there on two cores
    (docs/contributing.md, "What a run costs"). What is not there yet does not count: a job is asked again when its input is
    complete, and a group of jobs (profiles/slurm) has to be asked before.
    """

    def resource(wildcards, input, attempt):
        # Not input.size_mb: while the input is not there yet it leaves a coroutine behind that Python complains about.
        needed = base + per_mb * sum(Path(file).stat().st_size for file in input if Path(file).exists()) / 1e6
        return int(attempt * needed)

    return resource


def of(what):
    """An input or params function: that attribute of the sample (class Sample)."""

    def get(wildcards):
        return getattr(KNOWN[wildcards.sample], what)

    return get


def dataset_facts(wildcards):
    """What retrieve needs to know of a dataset."""
    return samples.dataset_facts(DATASETS[wildcards.dataset])


def local_stamp(wildcards):
    """Size and date of the user's file of a dataset: another one is fetched anew, be it newer or older."""
    path = DATASETS[wildcards.dataset].get("path")
    found = Path(path).stat() if path and Path(path).is_file() else None
    return found and [found.st_size, found.st_mtime_ns]


def looked_at(wildcards):
    """No input; but a raw file that someone put there or edited becomes due, whatever Snakemake remembers of it."""
    file = PATHVARS.apply(samples.dataset_file(config, wildcards.dataset))
    if workflow.is_main_process and is_due(file, samples.raw_facts(DATASETS[wildcards.dataset])):
        workflow.dag.forcefiles.add(file)
    return []


def queried(wildcards):
    """A queried dataset with the first address of its service alone: chunks stay valid when a mirror comes or goes."""
    query = DATASETS[wildcards.dataset]["query"]
    return {**DATASETS[wildcards.dataset], "query": {**query, "url": first_address(query["url"])}}


def first_address(url):
    """The first of the addresses of a TAP service."""
    return url if isinstance(url, str) else url[0]


def query_block(wildcards):
    """Its query."""
    return queried(wildcards)["query"]


def query_parts(wildcards):
    """The parts in which a dataset is asked for."""
    partition = DATASETS[wildcards.dataset]["query"].get("partition") or {}
    folder = f"<resources>/raw/{wildcards.dataset}/parts"
    return [f"{folder}/{part}.parquet" for part in range(partition.get("parts", 1))]


def catalogue_map(wildcards):
    """The map that corrects a catalogue."""
    catalogue = config["catalogues"][wildcards.catalogue]
    return f"<results>/{{sample}}/dataset/{catalogue['frame']}{'_smooth' if catalogue.get('smooth') else ''}.ecsv"


def family(rule, names):
    """Name of the one that is made for each kind of sample (samples.alike), after its script and one of the samples."""
    return f"{rule}_of_{names[0]}"


def picture(path, caption, category, labels):
    """The files of a figure, PNG and PDF, and what the report says of it."""
    return [report(f"{path}.png", caption=f"../report/{caption}.rst", category=category, labels=labels), f"{path}.pdf"]


def titled(**labels):
    """Labels in the report, with a sample's title."""
    return lambda wildcards: {"sample": TITLES[wildcards.sample], **labels}


def figure_files(names):
    """The files of a sample's figures."""
    folder, files = "<results>/{sample}/figures", {}
    for name in names:
        caption, label = products.FIGURES[name]
        files[name] = picture(f"{folder}/{name}", caption, "Figures", titled(figure=label))
    for parallax in PARALLAXES:  # two pictures, between which the report switches
        about, name = titled(figure="6", parallax=parallax), f"fig6_map_{parallax}"
        files[name] = picture(f"{folder}/{name}", "fig6", "Map before and after correction", about)[0]
    return files


def page(path, category, labels):
    """A page, whose caption bears its name, and what the report says of it."""
    return report(path, caption=f"../report/{Path(path).stem}.rst", category=category, labels=labels)


def page_files(names):
    """The files of a sample's pages."""
    return {name: page(f"<results>/{{sample}}/{name}.html", products.PAGES[name], titled()) for name in names}


def overview_files():
    """The figures of a run's samples, their page, and the top of the report."""
    folder, category = "<results>/runs/<run>", "Samples side by side"
    files = {name: picture(f"{folder}/{name}", name, category, {"what": label}) for name, label in OVERVIEWS.items()}
    files["page"] = page(f"{folder}/samples.html", category, {"what": "global offsets, table"})
    return files | {"headline": page(f"{folder}/headline.html", "Results", {"sample": "all of the run"})}
