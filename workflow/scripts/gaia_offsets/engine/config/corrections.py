"""Corrections: what each kind needs, what it stands on, and of which releases it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gaia_offsets.core import releases
from gaia_offsets.engine.config.fault import Config, Fault, unknown
from gaia_offsets.engine.config.values import path_faults

# What each kind of correction needs and may have; the last of them name other corrections.
KINDS = {
    "package": ((), ()),
    "none": ((), ()),
    "coefficients": (("file",), ("six_parameter", "max_abs_b_deg")),
    "column": (("column",), ("unit",)),
    "map": (("dataset", "on_top_of"), ()),
}
STANDS_ON = ("on_top_of", "six_parameter")
ABOUT = ("citation", "releases", "experimental")  # what makes no number


def correction_faults(name: str, block: Config, config: Config) -> Iterator[Fault]:
    """A correction that lacks what its kind needs, has what it does not use, or stands on what it must not."""
    kind, corrections = block["kind"], config["corrections"]
    needed, optional = KINDS.get(kind, ((), ()))
    if name in ("raw", "corrected"):
        yield Fault("", "raw and corrected are names of parallaxes; choose another name")
    for key in ("file", "dataset"):
        if block.get(key):
            yield from path_faults(key, block[key])
    yield from (Fault(key, f"missing; kind {kind} needs it") for key in needed if not block.get(key))
    unused = (key for key in block if key not in ("kind", *ABOUT, *needed, *optional))
    yield from (Fault(key, f"kind {kind} does not use it") for key in unused)
    for key in STANDS_ON:
        if not (other := block.get(key)):
            continue
        yield from unknown(key, other, corrections, "corrections")
        beneath = corrections.get(other, {})
        if key == "six_parameter" and any(beneath.get(one) for one in STANDS_ON):
            yield Fault(key, f"{other!r} stands on another correction itself; name one that does not")
        elif beneath and beneath["kind"] == "map":
            yield Fault(key, f"{other!r} is a map; a map goes on a correction that is none")


def _standing(config: Config, names: Sequence[str]) -> Config:
    """The blocks of the named corrections and of all that they stand on, by name."""
    behind = list(dict.fromkeys(names))
    for name in behind:  # grows on the way
        below = (config["corrections"][name].get(key) for key in STANDS_ON)
        behind += [name for name in below if name in config["corrections"] and name not in behind]
    return {name: config["corrections"][name] for name in behind}


def corrections_behind(config: Config, names: Sequence[str]) -> Config:
    """The blocks of the named corrections and of all that they stand on, by name: what makes their numbers."""
    return {
        name: {key: value for key, value in block.items() if key not in ABOUT}
        for name, block in _standing(config, names).items()
    }


def not_of_release(config: Config, release: str, name: str) -> Iterator[str]:
    """Why a correction must not be used on a release: it, or one that it stands on, is of others."""
    for below, block in _standing(config, [name]).items():
        its = block.get("releases")
        if not its:
            its = [] if block["kind"] == "package" and not releases.is_edr3(release) else [release]
        if release not in its:
            fit = [other for other, entry in config["corrections"].items() if release in entry.get("releases", ())]
            yield (
                f"{name if below == name else f'{name} stands on {below}, which'} corrects "
                f"{' and '.join(its or releases.EDR3)}, not {release}: take {' or '.join(['none', *fit])}"
            )
            return  # what that one stands on has the same fault


def inflate_faults(block: Config, release: str) -> Iterator[Fault]:
    """Error factors of EDR3 in a block of another release."""
    if block.get("inflate") and not releases.is_edr3(release):
        its = " and ".join(releases.EDR3)
        yield Fault("inflate", f"the error factors are those of {its}, not of {release}: leave it out, or null")
