"""What runs again after an edit: what depends on the code or the setting, and nothing else."""

from __future__ import annotations

import functools
import re
import shutil
from pathlib import Path
from typing import Any

import parsed_workflow as parsed
import pytest
from snakemake_run import ROOT, run_snakemake

from gaia_offsets.engine import fingerprint

MEASURE = {"measure_global", "measure_trends", "measure_map"}
DRAW = {"draw_figures"}
PUBLISH = {"publish_dataset"}
BEFORE = {"simulate", "crossmatch_tables", "select_stars", "correct_parallaxes"}

SCRIPTS = ROOT / "workflow/scripts"
MODULES = sorted(f"{path.parent.name}/{path.stem}" for path in (SCRIPTS / "gaia_offsets").glob("*/*.py"))
MODULES = [name for name in MODULES if not name.endswith("__init__")]
CODE = "\nADDED = 1\n"
SILENT = {"core/faults": {path.stem for path in SCRIPTS.glob("*.py")}}  # how a script ends changes no result


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the workflow, with the files' times, that may be edited."""
    for name in ("workflow", "config", "envs", "profiles"):
        shutil.copytree(ROOT / name, tmp_path / "tree" / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "Snakefile", tmp_path / "tree")
    return tmp_path / "tree"


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


# ---------------------------------------------------------------- every module, by the hash of the code behind a rule


@functools.cache
def imported(path: Path) -> set[str]:
    """Modules of ours, as room/module, that a file names in its import lines, by a look at the text."""
    text = re.sub(r"\(([^()]*)\)", lambda found: found[0].replace("\n", " "), path.read_text(encoding="utf-8"))
    names = {"/".join(pair) for pair in re.findall(r"^\s*from gaia_offsets\.(\w+)\.(\w+) import", text, re.MULTILINE)}
    for room, line in re.findall(r"^\s*from gaia_offsets\.(\w+) import (.+)$", text, re.MULTILINE):
        names |= {f"{room}/{name}" for name in re.findall(r"\w+", re.sub(r" as \w+", "", line))}
    return names


def users(module: str) -> set[str]:
    """Rules whose script imports a module, directly or through others."""
    found = set()
    for script in SCRIPTS.glob("*.py"):
        seen, queue = set(), imported(script)
        while queue:
            seen |= queue
            queue = set().union(*(imported(SCRIPTS / f"gaia_offsets/{name}.py") for name in queue)) - seen
        found |= {script.stem} if module in seen else set()
    return found


def codes(tree: Path) -> dict[str, str]:
    """The hash of the code behind every script, which is that of the rule of its name."""
    folder = tree / "workflow/scripts"
    return {path.stem: fingerprint.fingerprint(folder, path.name) for path in folder.glob("*.py")}


def behind(tree: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """Modules, as room/module, whose code goes into the hash of every script."""
    look, seen, found = fingerprint._code_and_imports, set(), {}
    monkeypatch.setattr(fingerprint, "_code_and_imports", lambda *file: seen.add(file[1]) or look(*file))
    for script in (tree / "workflow/scripts").glob("*.py"):
        seen.clear()
        fingerprint.fingerprint(script.parent, script.name)
        found[script.stem] = {f"{path.parent.name}/{path.stem}" for path in seen}
    monkeypatch.undo()
    return found


def changed(first: dict[str, str], second: dict[str, str]) -> set[str]:
    return {rule for rule in first if first[rule] != second[rule]}


def test_a_rules_param_is_the_hash_of_its_script(tmp_path: Path) -> None:
    params = parsed.parse(tmp_path)
    assert {rule: entry["code"] for rule, entry in params.items() if "code" in entry} == codes(ROOT)


def test_an_edit_of_a_module_changes_the_rules_that_import_it(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = behind(copy, monkeypatch)
    for module in MODULES:
        assert {rule for rule in known if module in known[rule]} == users(module) - SILENT.get(module, set()), module
    first = codes(copy)
    for path in (copy / "workflow/scripts").rglob("*.py"):
        append(path, "\n# A comment.\n")
        path.write_text(path.read_text().replace('"""', '"""Another docstring. ', 1))
    assert codes(copy) == first
    for module in [*MODULES[::12], "core/faults"]:  # each takes as long as all that is above
        path = copy / f"workflow/scripts/gaia_offsets/{module}.py"
        before = path.read_text()
        append(path, CODE)
        assert changed(first, codes(copy)) == users(module) - SILENT.get(module, set()), module
        path.write_text(before)


def test_an_edit_of_a_template_changes_the_rules_of_its_pages(copy: Path) -> None:
    for template, rules in (
        ("page", {"compare_samples", "write_pages"}),  # extend it
        ("verdicts", {"write_pages"}),  # include it
    ):
        first = codes(copy)
        append(copy / f"workflow/templates/{template}.html.j2", "<!-- -->")
        assert changed(first, codes(copy)) == rules
    first = codes(copy)
    append(copy / "workflow/templates/sample_readme.md.j2", "More.\n")
    assert changed(first, codes(copy)) == {"publish_dataset"}


def test_modules_and_scripts_of_one_name_are_told_apart(copy: Path) -> None:
    found = {codes(copy)["simulate"]}
    for path in ("simulate.py", "gaia_offsets/simulate/survey.py"):
        append(copy / "workflow/scripts" / path, CODE)
        found.add(codes(copy)["simulate"])
    assert len(found) == 3


def test_layout_and_docstrings_are_no_code(tmp_path: Path) -> None:
    (tmp_path / "gaia_offsets").mkdir()

    def code(text: str) -> str:
        (tmp_path / "draw.py").write_text(text)
        return fingerprint.fingerprint(tmp_path, "draw.py")

    plain = code("def f(x):\n    return x + 1\n")
    assert code('"""Doc."""\n\n\ndef f(x):  # why\n    """What."""\n    return (x + 1)\n') == code(
        '"""Other."""\ndef f(x):\n    """Else."""\n    return x + 1\n'
    )
    assert plain not in (code("def f(x):\n    return x - 1\n"), code("def f(x):\n    return x + 2\n"))
    assert code('def f(x):\n    return "a text" or x + 1\n') != plain


# ---------------------------------------------------------------- the engine: plans on the finished toy


def due(toy: Path, tree: Path, config: dict[str, Any] | None = None) -> set[str]:
    return set(parsed.plan(toy, [tree / "config/toy.yaml"], config, root=tree)) - {"all"}


# Files that are edited; the rules that must run again, and those that must not.
EDITS: dict[str, tuple[str, set[str], set[str]]] = {
    "comments everywhere": ("", set(), set()),
    "estimators": ("gaia_offsets/offsets/statistics.py", MEASURE | DRAW | PUBLISH, BEFORE),
    "figures, no number": (
        "gaia_offsets/report/style.py",
        DRAW | {"write_pages", "compare_samples"},
        BEFORE | MEASURE | PUBLISH,
    ),
    "one figure": ("gaia_offsets/report/figures_smooth.py", DRAW | {"compare_samples"}, BEFORE | MEASURE | PUBLISH),
    "a script": (
        "measure_trends.py",
        {"measure_trends", "draw_figures"},
        BEFORE | {"measure_global", "measure_map", "smooth_map", "measure_errors"},
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_runs_what_depends_on_it(edit: str, toy: Path, copy: Path) -> None:
    file, again, kept = EDITS[edit]
    for path in [copy / "workflow/scripts" / file] if file else (copy / "workflow/scripts").rglob("*.py"):
        append(path, CODE if file else "\n# A comment.\n")
    jobs = due(toy, copy)
    assert again <= jobs and not jobs & kept
    assert again & MEASURE or jobs == again  # of drawing exactly these


def test_a_project_that_was_copied_or_moved_runs_nothing_again(toy: Path, copy: Path, tmp_path: Path) -> None:
    """Results and workflow are at another place: what the workflow itself has counts by content, not by path."""
    moved = shutil.copytree(toy, tmp_path / "moved", symlinks=True)
    planned = functools.partial(
        run_snakemake, moved, "-n", configfiles=[copy / "config/toy.yaml"], cores=None, root=copy
    )
    assert "Nothing to be done" in planned()
    append(copy / "workflow/resources/claims.yaml", "# A comment.\n")
    assert {"check_claims"} <= set(re.findall(r"^(\w+?)(?:_of_\w+)? +\d+$", planned(), re.MULTILINE)) - {"all", "total"}


def test_a_cut_a_title_and_a_colour_of_the_config_match_nothing_again(toy: Path) -> None:
    def changed_by(**config: Any) -> set[str]:
        return due(toy, ROOT, {"run": {"name": "toy"}, **config})

    assert changed_by() == set()
    assert changed_by(figures={"colour_range_uas": [-50, 50]}) == {
        "draw_figures",
        "write_pages",
        "compare_samples",  # shows the map
    }
    cut = changed_by(samples={"simulated_giants": {"cuts": [{"column": "snr", "op": ">", "value": 60}]}})
    assert {"select_stars", "correct_parallaxes"} | MEASURE | DRAW | PUBLISH <= cut
    assert not cut & {"simulate", "crossmatch_tables"}
    titled = changed_by(samples={"simulated_giants": {"title": "Other"}})
    assert titled >= DRAW and not titled & (BEFORE | MEASURE)
