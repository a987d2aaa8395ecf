"""What a published map says about its sample: from the checked config to the metadata that do not depend on a star."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gaia_offsets.core.releases import coding
from gaia_offsets.engine.config.corrections import corrections_behind
from gaia_offsets.engine.config.sample import table_blocks
from gaia_offsets.publish.fields import zero_point_words

METHOD = "Wang, Yuan & Huang 2022, AJ 163, 149"
SIGN = (
    "offset = Gaia minus reference: subtract it from a parallax; domega_noncorr from the published parallax, or "
    "domega_corr from the parallax that has {correction} subtracted already; never both"
)
SMOOTH = (
    "posterior mean of a Gaussian process over the pixels, from stars weighted by their errors; "
    "its error is the posterior standard deviation"
)
NOBODY = "not named; publish.authors of the config names them"
SYSTEMATIC_UAS = 10.3
SYSTEMATIC_SOURCE = "small-scale covariance of Gaia EDR3 parallaxes, Maiz Apellaniz et al. 2021, A&A 649, A13"
BESIDE_THE_MAP = ("also", "claims", "comparison", "red_clump")  # blocks of a sample that no offset depends on


def describe(config: Mapping[str, Any], name: str, behind: Sequence[str] = ("gaussian", "map")) -> dict[str, Any]:
    """Facts of a sample for the metadata of its maps, from the checked config.

    `behind` names the parts of `measure` behind the map; bins of figures are not, nor are other resolutions.
    """
    sample = {key: value for key, value in config["samples"][name].items() if key not in BESIDE_THE_MAP}
    publish, gaussian = config["publish"], sample["measure"]["gaussian"]
    sample["measure"] = {
        key: {part: value for part, value in sample["measure"][key].items() if part != "more_nsides"} for key in behind
    }
    used = {block["dataset"]: config["datasets"][block["dataset"]] for block in table_blocks(sample).values()}
    surveys = [entry["simulated"]["survey"] for entry in used.values() if entry.get("simulated")]
    origins = {survey: config["surveys"][survey] for survey in surveys}
    estimator = {
        "density_power": f"mean of the Gaussian core by minimum density power divergence, beta {gaussian['beta']}",
        "histogram": f"mean of a Gaussian fitted by least squares to a histogram of {gaussian['histogram_bins']} bins",
    }[gaussian["method"]] + "; its error is sd / sqrt(n)"
    release = f"Gaia {sample['release'].upper()}"
    # In one line each: a header of FITS takes no other, and YAML's text blocks end with a line break.
    cited = (" ".join(entry["citation"].split()) for entry in used.values() if entry.get("citation"))
    citations = dict.fromkeys([METHOD, *cited])
    warning = "SIMULATED stars, not for use on real ones: " if sample["simulated"] else ""
    known = publish["systematic_uas"] == SYSTEMATIC_UAS
    # A column by its own name, which `apply --correction column:NAME` knows.
    official = config["corrections"][sample["official"]].get("column") or sample["official"]
    return {
        "title": f"{warning}Parallax offsets of {release} from {sample['title']}",
        "authors": publish.get("authors") or NOBODY,
        "method": METHOD,
        "citation": "; ".join(citations),
        "sample": name,
        "sample_title": sample["title"],
        "simulated": sample["simulated"],
        "release": release,
        "official": official,
        "solution": coding(config["releases"][sample["release"]])["standard"],
        "estimator": SMOOTH if "smooth" in behind else estimator,
        "systematic_uas": float(publish["systematic_uas"]),
        "systematic_source": SYSTEMATIC_SOURCE if known else "publish.systematic_uas of the config",
        "sign": SIGN.format(correction=zero_point_words(official)),
        "inputs": "; ".join(_inputs(used, sample["crossmatch"]["backend"])),
        "config_digest": settings_digest(
            sample, used, origins, publish["systematic_uas"], corrections_behind(config, [sample["official"]])
        ),
    }


def _inputs(used: Mapping[str, Mapping[str, Any]], backend: str) -> Iterator[str]:
    """The data behind a map, with the first digits of a SHA-256 that the config gives."""
    yield from dict.fromkeys(
        f"simulated survey {entry['simulated']['survey']}"
        if entry.get("simulated")
        else f"{name}: {entry['file']}" + (f" (sha256 {entry['sha256'][:16]})" if entry.get("sha256") else "")
        for name, entry in used.items()
    )
    if backend == "archive":
        yield "answers of the Gaia archive"


def settings_digest(*settings: Any) -> str:
    """Sixteen hexadecimal digits that change with the settings; local paths of files do not count."""
    text = json.dumps([_plain(entry) for entry in settings], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_settings(config: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The parts of the checked config that these samples rest on, without paths of one's own machine.

    Beside the sections of the config stands `digests`: what the metadata of each sample's maps call config_digest.
    """
    samples = {name: config["samples"][name] for name in names}
    blocks = [block for sample in samples.values() for block in table_blocks(sample).values()]
    datasets = {block["dataset"]: config["datasets"][block["dataset"]] for block in blocks}
    surveys = {entry["simulated"]["survey"] for entry in datasets.values() if entry.get("simulated")}
    corrections = [name for sample in samples.values() for name in (sample["official"], *sample["also"])]
    parts = {
        "samples": samples,
        "datasets": datasets,
        "surveys": {name: config["surveys"][name] for name in sorted(surveys)},
        "corrections": {name: config["corrections"][name] for name in corrections_behind(config, corrections)},
        "releases": {sample["release"]: config["releases"][sample["release"]] for sample in samples.values()},
        "publish": config["publish"],
    }
    if any(sample["crossmatch"]["backend"] == "archive" for sample in samples.values()):
        parts["archive"] = {"url": config["archive"]["url"]}
    return {**_plain(parts), "digests": {name: describe(config, name)["config_digest"] for name in names}}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items() if key != "path"}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value
