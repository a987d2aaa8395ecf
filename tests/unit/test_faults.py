"""How a rule's script ends: the message alone where the fault was foreseen, a traceback where it is ours."""

import subprocess
import sys
from pathlib import Path

import pytest
from snakemake_run import ROOT

from gaia_offsets.__main__ import main

SCRIPT = """
import errno, sys
sys.path.insert(0, {package!r})
from gaia_offsets.core.faults import open_log
from gaia_offsets.tables.read import TableError
open_log({log!r})
print("12 rows", file=sys.stderr)
{end}
"""
NO_ROOM = "No space left on device: make room there and start the same command again; finished work is kept"


def ended(end: str, folder: Path) -> tuple[int, str]:
    """Exit code and log of a script with such an end; it prints nothing anywhere else."""
    log = folder / "rule.log"
    text = SCRIPT.format(package=str(ROOT / "workflow/scripts"), log=str(log), end=end)
    done = subprocess.run([sys.executable, "-c", text], cwd=folder, capture_output=True, text=True)
    assert done.stdout == done.stderr == ""
    return done.returncode, log.read_text()


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ('raise TableError("x.csv: no column ra")', "x.csv: no column ra"),
        ('open("nowhere" * 50, "w")', f"{'nowhere' * 50}: File name too long: take a shorter name"),
        ('raise OSError(errno.ENOSPC, "No space left on device", "big.fits")', f"big.fits: {NO_ROOM}"),
        ('raise OSError(errno.ENOSPC, "No space left on device")', f"the folder of the run: {NO_ROOM}"),
        ("raise MemoryError", "not enough memory: free some, or give the job more (--set-resources RULE:mem_mb=N)"),
    ],
)
def test_a_foreseen_fault_ends_with_its_line(end: str, said: str, tmp_path: Path) -> None:
    assert ended(end, tmp_path) == (1, f"12 rows\nERROR: {said}\n")


@pytest.mark.parametrize("end", ["{}['x']", "open('nowhere')", "1 / 0"])
def test_a_bug_leaves_its_traceback(end: str, tmp_path: Path) -> None:
    code, log = ended(end, tmp_path)
    assert code == 1 and log.startswith("12 rows\nTraceback (most recent call last)") and "ERROR" not in log


def test_the_command_ends_with_the_line_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    catalogue, output = tmp_path / "a.csv", tmp_path / ("a" * 252 + ".csv")
    names = "parallax,ra,dec,ecl_lat,phot_g_mean_mag,nu_eff_used_in_astrometry,pseudocolour,astrometric_params_solved"
    catalogue.write_text(f"{names}\n1,10,10,5,14,1.4,,31\n")
    words = ["apply", "-", str(catalogue), str(output), "--base", "raw", "--correction", "lindegren2021"]
    assert main(words) == 1 and capsys.readouterr().err == f"{output}: File name too long: take a shorter name\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_where_the_log_has_no_room_the_terminal_gets_the_line(tmp_path: Path) -> None:
    text = SCRIPT.format(package=str(ROOT / "workflow/scripts"), log="/dev/full", end="")
    done = subprocess.run([sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == "" and done.stderr == f"ERROR: the folder of the run: {NO_ROOM}\n"


def test_every_script_begins_its_log_so() -> None:
    scripts = sorted((ROOT / "workflow/scripts").glob("*.py"))
    guards = [path.read_text(encoding="utf-8").partition('if __name__ == "__main__":\n')[2] for path in scripts]
    assert scripts and all(guard.startswith("    open_log(snakemake.log[0])\n") for guard in guards)
