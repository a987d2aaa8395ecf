"""What runs again after an edit: what depends on the code or the setting, and nothing else."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import parsed_workflow as parsed
import pytest
from snakemake_run import ROOT, TOY, jobs_of, run_snakemake

from gaia_offsets import fingerprint

MEASURE = {"measure_global", "measure_trends", "measure_map"}
DRAW = {"draw_offsets", "draw_trends", "draw_maps", "draw_counts"}
PUBLISH = {"publish_dataset", "publish_maps", "describe_pixels", "write_readme"}
BEFORE = {"simulate", "crossmatch_tables", "select_stars", "correct_parallaxes"}
# Their inputs, or those of what they read, are files of config/, whose path is another one in a copy.
TIED = {"check_claims", "draw_claims", "compare_samples", "draw_samples", "tell_results"}

SCRIPTS = ROOT / "workflow/scripts"
MODULES = sorted(path.stem for path in (SCRIPTS / "gaia_offsets").glob("*.py") if path.stem != "__init__")
CODE = "\nADDED = 1\n"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the workflow, with the files' times, that may be edited."""
    for name in ("workflow", "config", "envs", "profiles"):
        shutil.copytree(ROOT / name, tmp_path / "tree" / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "Snakefile", tmp_path / "tree")
    return tmp_path / "tree"


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


# ---------------------------------------------------------------- every module, by the params of the rules


def imported(path: Path) -> set[str]:
    """Modules of ours that a file names in its import lines, by a look at the text."""
    text = re.sub(r"\(([^()]*)\)", lambda found: found[0].replace("\n", " "), path.read_text(encoding="utf-8"))
    names = set(re.findall(r"^\s*from gaia_offsets\.(\w+) import", text, re.MULTILINE))
    for line in re.findall(r"^\s*from gaia_offsets import (.+)$", text, re.MULTILINE):
        names |= set(re.findall(r"\w+", re.sub(r" as \w+", "", line)))
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


def codes(folder: Path, tree: Path) -> dict[str, str]:
    """The hash of the code behind every rule that has a script."""
    fingerprint._code_and_imports.cache_clear()  # one process parses the edited tree again
    return {rule: params["code"] for rule, params in parsed.parse(folder, root=tree).items() if "code" in params}


@pytest.mark.parametrize("module", MODULES)
def test_an_edit_of_a_module_changes_the_rules_that_import_it(module: str, copy: Path, tmp_path: Path) -> None:
    path = copy / f"workflow/scripts/gaia_offsets/{module}.py"
    first = codes(tmp_path, copy)
    append(path, "\n# A comment.\n")
    path.write_text(path.read_text().replace('"""', '"""Another docstring. ', 1))
    assert codes(tmp_path, copy) == first
    append(path, CODE)
    second = codes(tmp_path, copy)
    assert {rule for rule in first if first[rule] != second[rule]} == users(module)


@pytest.mark.parametrize(
    ("template", "rules"),
    [
        ("claims.html.j2", {"draw_claims"}),
        ("verdicts.html.j2", {"draw_claims", "tell_results"}),  # those that include it
        ("page.html.j2", {"draw_budget", "draw_claims", "draw_samples", "tell_results"}),  # those that extend it
    ],
)
def test_an_edit_of_a_template_changes_the_rules_of_its_pages(
    template: str, rules: set[str], copy: Path, tmp_path: Path
) -> None:
    first = codes(tmp_path, copy)
    append(copy / "workflow/templates" / template, "<!-- -->")
    second = codes(tmp_path, copy)
    assert {rule for rule in first if first[rule] != second[rule]} == rules


def test_modules_and_scripts_of_one_name_are_told_apart(copy: Path, tmp_path: Path) -> None:
    first = codes(tmp_path, copy)
    append(copy / "workflow/scripts/simulate.py", CODE)
    script = codes(tmp_path, copy)
    append(copy / "workflow/scripts/gaia_offsets/simulate.py", CODE)
    both = codes(tmp_path, copy)
    assert len({first["simulate"], script["simulate"], both["simulate"]}) == 3


def test_an_edit_of_a_template_changes_the_rule_that_names_it(copy: Path, tmp_path: Path) -> None:
    first = codes(tmp_path, copy)
    append(copy / "workflow/templates/sample_readme.md.j2", "More.\n")
    second = codes(tmp_path, copy)
    assert {rule for rule in first if first[rule] != second[rule]} == {"write_readme"}


def test_layout_and_docstrings_are_no_code(tmp_path: Path) -> None:
    (tmp_path / "gaia_offsets").mkdir()
    script = tmp_path / "draw.py"

    def code(text: str) -> str:
        fingerprint._code_and_imports.cache_clear()
        script.write_text(text)
        return fingerprint.fingerprint(tmp_path, "draw.py")

    plain = code("def f(x):\n    return x + 1\n")
    assert code('"""Doc."""\n\n\ndef f(x):  # why\n    """What."""\n    return (x + 1)\n') == code(
        '"""Other."""\ndef f(x):\n    """Else."""\n    return x + 1\n'
    )
    assert code("def f(x):\n    return x - 1\n") != plain
    assert code('def f(x):\n    return "a text" or x + 1\n') != plain


# ---------------------------------------------------------------- the engine: dry runs on the finished toy


on_the_toy = pytest.mark.xdist_group("toy")


def rerun(toy: Path, tree: Path, **options: object) -> set[str]:
    plan = run_snakemake(toy, "--dry-run", configfiles=[tree / "config/toy.yaml"], root=tree, **options)
    return set(jobs_of(plan)) - {"all"}


@on_the_toy
def test_comments_everywhere_run_nothing(toy: Path, copy: Path) -> None:
    for path in (copy / "workflow/scripts").rglob("*.py"):
        append(path, "\n# A comment.\n")
    assert rerun(toy, copy) <= TIED


@on_the_toy
def test_an_edit_of_the_estimators(toy: Path, copy: Path) -> None:
    append(copy / "workflow/scripts/gaia_offsets/estimators.py", CODE)
    jobs = rerun(toy, copy)
    assert jobs >= MEASURE | DRAW | PUBLISH
    assert not jobs & (BEFORE | {"draw_cutflow"})


@on_the_toy
def test_an_edit_of_the_figures_computes_no_number_again(toy: Path, copy: Path) -> None:
    append(copy / "workflow/scripts/gaia_offsets/style.py", CODE)
    jobs = rerun(toy, copy)
    assert DRAW | {"draw_cutflow"} <= jobs
    assert not jobs & (BEFORE | MEASURE | PUBLISH)


@on_the_toy
def test_an_edit_of_a_figure_draws_that_figure_alone(toy: Path, copy: Path) -> None:
    append(copy / "workflow/scripts/draw_trends.py", CODE)
    assert rerun(toy, copy) - TIED == {"draw_trends"}


@on_the_toy
def test_an_edit_of_a_script(toy: Path, copy: Path) -> None:
    append(copy / "workflow/scripts/measure_trends.py", CODE)
    jobs = rerun(toy, copy)
    assert {"measure_trends", "draw_trends"} <= jobs
    assert not jobs & (BEFORE | {"measure_global", "measure_map", "draw_maps", "draw_offsets"})


@on_the_toy
def test_a_cut_a_title_and_a_colour_of_the_config_match_nothing_again(toy: Path) -> None:
    colour = rerun(toy, ROOT, config={"run": {"name": "toy"}, "figures": {"colour_range_uas": [-50, 50]}})
    assert colour == {"draw_maps"}
    cuts = [{"column": "snr", "op": ">", "value": 60}]
    cut = rerun(toy, ROOT, config={"run": {"name": "toy"}, "samples": {"simulated_giants": {"cuts": cuts}}})
    assert {"select_stars", "correct_parallaxes", "draw_cutflow"} | MEASURE | DRAW | PUBLISH <= cut
    assert not cut & {"simulate", "crossmatch_tables"}
    titled = rerun(toy, ROOT, config={"run": {"name": "toy"}, "samples": {"simulated_giants": {"title": "Other"}}})
    assert titled >= DRAW and not titled & (BEFORE | MEASURE)


@on_the_toy
def test_the_toy_of_this_directory_is_the_one_that_ran(toy: Path) -> None:
    assert "Nothing to be done" in run_snakemake(toy, "--dry-run", configfiles=[TOY])
