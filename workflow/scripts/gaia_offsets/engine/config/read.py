"""Config files as they stand, and what they say of the run itself: its name and samples."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path

from gaia_offsets.core.yamlfile import YamlError, merge, read_yaml
from gaia_offsets.engine.config.fault import Config, ConfigError, Fault

FOLDER = re.compile(r"\w[\w .+-]*")
FOLDER_RULE = (
    "it takes letters, digits, _ . + - and blanks, begins with a letter, a digit or _, and has 200 bytes at most"
)


def load_yaml(*paths: str | Path) -> Config:
    """What config files say, the later over the earlier. Raises ConfigError with every fault of all of them."""
    configs, faults = [], []
    for path in paths:
        try:
            configs.append(content := read_yaml(path) or {})
            if not isinstance(content, dict):
                faults.append(f"{path}: should be a map of keys, it is a {type(content).__name__}")
        except YamlError as error:
            faults.append(str(error))
    if faults:
        raise ConfigError(faults)
    return functools.reduce(merge, configs, {})


def over_own(config: Config, own: str | Path) -> Config:
    """The config of a module, which is its user's alone, over the workflow's `own`: it runs the user's samples."""
    base = load_yaml(own)
    if isinstance(samples := config.get("samples"), dict):
        base["run"]["samples"] = list(samples)
    return merge(base, config)


def run_name(config: Config, files: Sequence[str | Path], own: str | Path) -> str:
    """Name of a run, the folder under results/runs/: run.name, else that of its last config file, else `paper`.

    `files` are those of --configfile; `own` is the workflow's config.yaml, which names no run where it is among them.
    Raises ConfigError where a file's name makes no folder.
    """
    if name := (config.get("run") or {}).get("name"):
        return name
    overlays = _overlays(files, own)
    name = overlays[-1].stem if overlays else "paper"
    if not FOLDER.fullmatch(name):
        text = f"missing; the name of {overlays[-1].name} makes no folder ({FOLDER_RULE})"
        raise ConfigError([Fault("run.name", text)])
    return name


def choose_samples(config: Config, files: Sequence[str | Path], own: str | Path) -> None:
    """Where only the workflow's own config names run.samples, puts those there that the last of `files` with some has.

    `files` are those of --configfile, `own` is the workflow's config.yaml.
    """
    run, overlays = config.get("run"), [load_yaml(file) for file in _overlays(files, own)]
    by_hand = any("samples" in (one.get("run") or {}) for one in overlays)
    if not isinstance(run, dict) or by_hand or run.get("samples") != load_yaml(own)["run"]["samples"]:
        return
    defined = [list(one["samples"]) for one in overlays if isinstance(one.get("samples"), dict)]
    if defined:
        run["samples"] = defined[-1]


def _overlays(files: Sequence[str | Path], own: str | Path) -> list[Path]:
    return [Path(file) for file in files if Path(file).resolve() != Path(own).resolve()]
