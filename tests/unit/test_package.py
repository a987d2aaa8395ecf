"""The names that the package offers a user's Python."""

from __future__ import annotations

import subprocess
import sys

import pytest
from unit.shared import ROOT

import gaia_offsets


@pytest.mark.parametrize("name", gaia_offsets.__all__)
def test_a_public_name_is_there_and_is_told(name: str) -> None:
    assert getattr(gaia_offsets, name).__doc__ and f"`{name}`" in gaia_offsets.__doc__


def test_others_are_not_and_the_package_alone_loads_no_numpy() -> None:
    with pytest.raises(AttributeError, match="no attribute 'correct_paralax'"):
        _ = gaia_offsets.correct_paralax
    code = "import sys, gaia_offsets; sys.exit('numpy' in sys.modules)"
    env = {"PYTHONPATH": str(ROOT / "workflow/scripts")}
    assert subprocess.run([sys.executable, "-c", code], env=env).returncode == 0
