"""The house in order: anatomy of the rules, pinned environments, no addresses of machines, docs in step."""

from __future__ import annotations

import ast
import os
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sizes
import yaml
from snakemake_run import ROOT

from gaia_offsets.engine import products

SCRIPTS = ROOT / "workflow/scripts"
PICTURES = {".png", ".pdf", ".fits", ".gz", ".parquet"}


def rules() -> Iterator[tuple[str, str]]:
    """Name and text of every rule."""
    for path in sorted([ROOT / "workflow/Snakefile", *(ROOT / "workflow/rules").glob("*.smk")]):
        # One that is made for each kind of sample stands in a loop, and its name in a call of `family`.
        text = re.sub(
            r'^    rule:\n((?:.*\n)*?)        name:\n            family\("(\w+)", OF\)\n((?:(?:        .*)?\n)*)',
            lambda rule: f"rule {rule[2]}:\n" + re.sub("^    ", "", rule[1] + rule[3], flags=re.MULTILINE),
            path.read_text(encoding="utf-8"),
            flags=re.MULTILINE,
        )
        blocks = re.split(r"^rule (\w+):\n", text, flags=re.MULTILINE)[1:]
        yield from zip(blocks[::2], blocks[1::2], strict=True)


RULES = dict(rules())
SCRIPTED = {name: text for name, text in RULES.items() if "    script:\n" in text}


def files() -> list[Path]:
    """Every text file that git tracks; what else lies in the folder (logs, results) is the user's."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("no git checkout: nothing tells the project's files from the user's")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.suffix not in PICTURES and path.is_file()]


@pytest.mark.parametrize("name", RULES)
def test_a_rule_says_what_it_makes(name: str) -> None:
    assert re.match(r'    """[A-Z][^"]{15,}[.\])]"""\n', RULES[name])


@pytest.mark.parametrize("name", SCRIPTED)
def test_a_rule_with_a_script_has_its_parts(name: str) -> None:
    text = SCRIPTED[name]
    script = re.search(r'script:\n        "\.\./scripts/(\w+\.py)"', text)[1]
    assert script == f"{name}.py" and (ROOT / "workflow/scripts" / script).is_file()
    assert f'code=digest("{script}"),' in text
    assert re.search(rf'log:\n        "<logs>/{name}/', text)
    assert re.search(rf'benchmark:\n        "<benchmarks>/{name}/.*\.jsonl"', text)
    env = re.search(r'conda:\n        "\.\./\.\./(envs/\w+\.yaml)"', text)
    assert (ROOT / env[1]).is_file()
    assert "run:" not in text and "lambda" not in text


def test_every_script_belongs_to_a_rule() -> None:
    assert {path.stem for path in (ROOT / "workflow/scripts").glob("*.py")} == set(SCRIPTED)


def test_captions_of_the_report_exist_and_call_simulated_stars_so() -> None:
    rooms = [path.read_text(encoding="utf-8") for path in (ROOT / "workflow/rules").glob("*.smk")]
    named = {name for text in rooms for name in re.findall(r'caption="\.\./report/([\w.]+)"', text)}
    named |= {f"{caption}.rst" for caption, _ in products.FIGURES.values()} | {f"{name}.rst" for name in products.PAGES}
    named |= {f"{name}.rst" for name in ("headline", *products.OVERVIEWS)}
    captions = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "workflow/report").glob("*.rst")}
    assert named | {"workflow.rst"} == set(captions)
    assert [
        name for name in named if not re.search(r"tars are simulated|says so\s+are simulated", captions[name])
    ] == []


# ---------------------------------------------------------------- sizes


def test_nothing_grows() -> None:
    """What must, is written anew by `make sizes`."""
    held = yaml.safe_load(sizes.FILE.read_text(encoding="utf-8"))
    now = sizes.measure()
    assert {kind: list(entries) for kind, entries in now.items()} == {kind: list(held[kind]) for kind in held}
    grown = [
        f"{kind} {name}: {held[kind][name]} -> {value}"
        for kind, entries in now.items()
        for name, value in entries.items()
        if value > held[kind][name]
    ]
    assert grown == []
    assert now["lines"]["package"] > 5000 and now["words"]["docs"] > 5000  # or this test would measure nothing


def test_only_what_needs_it_is_excused_from_the_limits() -> None:
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    assert (ruff["mccabe"]["max-complexity"], ruff["pylint"]["max-args"]) == (15, 7)
    needed = {path: sorted(set(codes)) for path, codes in sizes.beyond_ruff().items()}
    assert ruff["per-file-ignores"] == needed


# ---------------------------------------------------------------- imports


def test_each_room_asks_a_question_and_no_module_imports_a_script() -> None:
    """That imports run one way import-linter tells (`make lint`)."""
    package = ROOT / "workflow/scripts/gaia_offsets"
    rooms = [path for path in package.iterdir() if path.is_dir() and path.name not in ("data", "__pycache__")]
    assert len(rooms) > 10
    for room in rooms:
        (only,) = ast.parse((room / "__init__.py").read_text(encoding="utf-8")).body
        assert "?" in only.value.value, room
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert set(linter["importlinter"]["contracts"][0]["layers"]) == {room.name for room in rooms}
    folders = {path.parent for path in package.rglob("*.py")}
    assert all((folder / "__init__.py").is_file() for folder in folders), "a wheel would leave it out"
    scripts = {path.stem for path in package.parent.glob("*.py")}
    for path in package.rglob("*.py"):
        names = re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert not scripts & set(names), f"{path.name} imports a script"


def test_an_installed_package_is_that_of_this_folder(tmp_path: Path) -> None:
    """An environment of another clone, or a copy installed there, would run other code than the one read here."""
    code = "import gaia_offsets; print(gaia_offsets.__file__)"
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("gaia_offsets is not installed in this environment")
    assert Path(done.stdout.strip()).parent == ROOT / "workflow/scripts/gaia_offsets", "run make setup in this folder"


# ---------------------------------------------------------------- environments


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_environments_pin_exact_versions(path: Path) -> None:
    env = yaml.safe_load(path.read_text())
    assert env["channels"] == ["conda-forge"]
    conda = [entry for entry in env["dependencies"] if isinstance(entry, str)]
    pip = [entry for part in env["dependencies"] if isinstance(part, dict) for entry in part["pip"]]
    assert [entry for entry in conda if not re.fullmatch(r"[a-z0-9_.-]+=\d+(\.\d+)+", entry)] == []
    assert [entry for entry in pip if not re.fullmatch(r"[A-Za-z0-9_.-]+==\d+(\.\d+)+", entry)] == []


def test_the_lock_has_a_hash_for_everything_and_holds_what_is_asked_for() -> None:
    lock = (ROOT / "envs/requirements.lock").read_text()
    entries = re.split(r"\n(?=[a-z0-9])", re.sub(r"^#.*\n", "", lock, flags=re.MULTILINE).strip())
    assert [e.split()[0] for e in entries if not re.match(r"[a-z0-9_.-]+==\S+( ; .*)? \\\n.*--hash=sha256:", e)] == []
    locked = {re.split("==", entry)[0] for entry in entries}
    asked = re.findall(r"^([A-Za-z0-9_.-]+)", (ROOT / "envs/requirements.in").read_text(), re.MULTILINE)
    assert {re.sub(r"[-_.]+", "-", name.lower()) for name in asked} - locked == set()
    assert "://" not in lock


# ---------------------------------------------------------------- addresses and docs


def test_no_machine_and_no_registry_is_named() -> None:
    # Put together here, so that this file does not name them either.
    folders = [f"/{name}/" for name in ("work", "root", "home", "Users")] + [f"{ROOT}/", f"{Path.home()}/"]
    hosts = ["pypi" + ".org", "python" + "hosted", "anaconda" + ".org", "--extra-" + "index", "--index" + "-url"]
    named = re.compile("|".join(rf"(?<![\w.*}}]){re.escape(part)}" for part in folders if len(part) > 2))
    hosted = re.compile("|".join(map(re.escape, hosts)))
    found = []
    for path in files():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if named.search(line) or hosted.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []


def schema() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))


def test_the_config_page_is_that_of_the_schema() -> None:
    page = runpy.run_path(str(ROOT / "docs/make_config_page.py"))["page"](schema())
    assert (ROOT / "docs/config.md").read_text(encoding="utf-8") == page


def known(node: dict[str, Any], parts: list[str], whole: dict[str, Any]) -> bool:
    """Whether a dotted key leads somewhere in the schema; names of the user's choice match anything."""
    if "$ref" in node:
        node = {**whole["$defs"][node["$ref"].split("/")[-1]], **node}
    if not parts:
        return True
    options = [node, *node.get("anyOf", []), *node.get("oneOf", [])]
    inner = [option["properties"][parts[0]] for option in options if parts[0] in option.get("properties", {})]
    inner = inner or [o["additionalProperties"] for o in options if isinstance(o.get("additionalProperties"), dict)]
    return any(known(entry, parts[1:], whole) for entry in inner)


PAGES = ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES)
def test_keys_that_the_docs_name_exist(page: str) -> None:
    whole = schema()
    top = "|".join(whole["properties"])
    keys = re.findall(rf"`((?:{top})(?:\.\w+)+)(?=[:`\[ ])", (ROOT / page).read_text(encoding="utf-8"))
    keys = [key for key in keys if not key.endswith((".py", ".md", ".yaml", ".smk", ".csv", ".parquet"))]
    assert [key for key in keys if not known(whole, key.split("."), whole)] == []
    assert not known(whole, ["measure", "map", "nsides"], whole)  # or this test would find nothing


def test_files_that_the_readme_names_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = {*re.findall(r"\]\(([^)#:]+)\)", text), *re.findall(r"`((?:config|docs|envs|workflow)/[\w./]+\w)`", text)}
    assert {name for name in named if "X.yaml" not in name and not (ROOT / name).exists()} == set()
    for target in re.findall(r"`make ([\w-]+)", text):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target


def test_the_version_stands_in_one_place() -> None:
    """Others are taken from there (pyproject.toml) or agree with it."""
    version = re.search(r'^VERSION = "(.+)"$', (SCRIPTS / "gaia_offsets/core/version.py").read_text(), re.MULTILINE)[1]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == version
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", changes, re.MULTILINE)[1] == version and changes.count("\n") <= 30
    assert 'attr = "gaia_offsets.core.version.VERSION"' in (ROOT / "pyproject.toml").read_text()


# ---------------------------------------------------------------- CI and container


def test_ci_calls_the_fullest_command_of_the_readme() -> None:
    assert (ROOT / ".ci/run").read_text().endswith("\nmake test-all\n")
    assert "`make test-all`" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_actions_are_pinned_and_may_only_read() -> None:
    for path in (ROOT / ".github/workflows").glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        flow = yaml.safe_load(text)
        assert flow["permissions"] == {"contents": "read"}
        for job in flow["jobs"].values():  # but who makes a release
            assert job.get("permissions", {}) == ({"contents": "write"} if path.stem == "release" else {})
        uses = [step["uses"] for job in flow["jobs"].values() for step in job["steps"] if "uses" in step]
        assert uses and [name for name in uses if not re.fullmatch(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+", name)] == []
        for targets in re.findall(r"run: make (.+)", text):
            assert set(targets.split()) <= set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    ci = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    assert ci["jobs"]["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]


def test_the_image_gets_what_a_run_reads() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert kept >= {"Makefile", "Snakefile", "config", "envs", "profiles", "workflow", "pyproject.toml", "README.md"}
    assert [name for name in kept if not (ROOT / name).exists()] == []
