"""The names that the package offers a user's Python."""

import doctest
import pydoc
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from unit.shared import ROOT
from unit.test_apply import write_map

import gaia_offsets


def test_others_are_not_and_the_package_alone_loads_no_numpy() -> None:
    with pytest.raises(AttributeError, match="no attribute 'correct_paralax'"):
        _ = gaia_offsets.correct_paralax
    code = "import sys, gaia_offsets; sys.exit('numpy' in sys.modules)"
    env = {"PYTHONPATH": str(ROOT / "workflow/scripts")}
    assert subprocess.run([sys.executable, "-c", code], env=env).returncode == 0


@pytest.mark.parametrize("name", ["gaia_offsets", *gaia_offsets.__all__])
def test_examples_of_the_public_names_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder that holds a map of the northern sky."""
    write_map(tmp_path).rename(tmp_path / "equatorial.ecsv")
    monkeypatch.chdir(tmp_path)
    known = {"np": np, "pd": pd, **{public: getattr(gaia_offsets, public) for public in gaia_offsets.__all__}}
    finder = doctest.DocTestFinder(recurse=False)
    (test,) = finder.find(known.get(name, gaia_offsets), name, module=False, globs=known)
    failures: list[str] = []
    doctest.DocTestRunner().run(test, out=failures.append)
    assert test.examples and failures == []


def test_help_is_worth_reading() -> None:
    text = pydoc.plain(pydoc.render_doc(gaia_offsets))
    for name in gaia_offsets.__all__:
        about = getattr(gaia_offsets, name).__doc__.partition("\n")[0]
        assert f"`{name}`" in gaia_offsets.__doc__ and f" {name}(" in text and about and about in text
