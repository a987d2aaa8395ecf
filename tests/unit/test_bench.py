"""`make bench`: how often a job is run, what its page says, and that the page in docs/ is one that it wrote."""

import json
import os
import subprocess
import sys
from pathlib import Path

import bench
import bench_jobs
import pytest
from unit.shared import ROOT


@pytest.mark.parametrize(
    ("seconds", "counted"),
    [
        ([9.0, 1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0]),  # the first warms up
        ([9.0, 6.0, 5.0, 3.0], [6.0, 5.0]),  # enough
        ([40.0, 41.0], [40.0]),  # too long for a warm-up
    ],
)
def test_a_job_is_repeated_while_it_is_short(seconds: list[float], counted: list[float]) -> None:
    runs = iter(seconds)
    assert bench_jobs.repeated(lambda: next(runs)) == counted


def test_a_process_is_measured_and_its_failure_told() -> None:
    # From a small process, as in `make bench`: a peak begins at that of the process which starts the other one.
    job = "x = bytearray(300 << 20); print(len(x))"
    code = f"import bench, json, sys; print(json.dumps(bench.process([sys.executable, '-c', {job!r}])))"
    paths = {**os.environ, "PYTHONPATH": str(ROOT / "tools")}
    found = subprocess.run([sys.executable, "-c", code], env=paths, capture_output=True, text=True, check=True)
    took, cpu, gib, said = json.loads(found.stdout)
    assert said == f"{300 << 20}\n" and 0.29 < gib < 0.5 and took > 0 and cpu > 0
    with pytest.raises(SystemExit, match="ZeroDivisionError"):
        bench.process([sys.executable, "-c", "1 / 0"])


def test_the_exponent_is_that_of_a_power_law() -> None:
    rows = [bench.Row("job", size, 3e-6 * size**1.25, 3, 1.0) for size in (10_000, 100_000, 1_000_000)]
    assert bench.exponent(rows) == pytest.approx(1.25)


def test_the_page_says_what_was_measured_and_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [bench.Row("ours", 100, 1.5, 3, 0.25, cpu=2.0), bench.Row("theirs", 100)]
    facts = {"meaning": "A job.", "date": "2026-01-02", "command": "make bench", "versions": "numpy 1.0", "rows": rows}
    text = bench.page({"apply": facts})
    assert "`apply`: A job. 2026-01-02, `make bench`; numpy 1.0." in text
    assert "| apply | ours | 100 | 1.50 | 2.00 | 3 | 0.25 |  |\n| apply | theirs | 100 | missing |  |  |  |  |" in text
    assert ".png" not in text  # nothing was measured at several sizes
    assert "benchmark_rules.png" in bench.page({"rules": facts})


def test_the_page_in_the_docs_was_written_by_it() -> None:
    text = (ROOT / "docs/benchmark.md").read_text(encoding="utf-8")
    assert text.startswith(bench.HEAD)
    named = {line.split("`")[1] for line in text.splitlines() if line.startswith("- `")}
    assert named and named <= {*bench.BENCHMARKS}
    assert {name for name in bench.FIGURES if f"benchmark_{name}.png" in text} == named & {*bench.FIGURES}
