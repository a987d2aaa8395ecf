"""The pixels of HEALPix: `hp` is healpy's module of that part alone, `boundaries` its function of that name.

`import healpy` loads matplotlib and astropy.coordinates too, which costs a short job more than all the rest of it.
"""

import sys
from importlib import import_module
from importlib.machinery import PathFinder
from types import ModuleType


def _part(name: str) -> ModuleType:
    if "healpy" in sys.modules:
        return import_module(f"healpy.{name}")
    package = ModuleType("healpy")  # a stand-in that runs nothing, for as long as the part is loaded
    package.__path__ = list(PathFinder.find_spec("healpy").submodule_search_locations)
    sys.modules["healpy"] = package
    try:
        return import_module(f"healpy.{name}")
    finally:
        del sys.modules["healpy"]  # who wants the whole gets it


hp = _part("pixelfunc")
boundaries = _part("_query_disc").boundaries
