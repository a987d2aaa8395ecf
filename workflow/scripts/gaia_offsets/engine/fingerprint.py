"""What code a rule's result depends on: a hash of its script, and of our modules and templates that it uses."""

from __future__ import annotations

import ast
import hashlib
import re
from functools import cache
from pathlib import Path

PACKAGE = "gaia_offsets"
SILENT = f"{PACKAGE}.core.faults"  # how a script ends changes no result


def fingerprint(folder: str | Path, script: str) -> str:
    """Sixteen hexadecimal digits of the code behind a script: its own, our modules that it imports and their templates.

    `script` is a path below `folder`, which also holds the package; `templates` lies beside `folder`. Comments,
    docstrings and the layout do not count, so that a better comment runs nothing again. Modules are told apart by
    their path, not by their file name.
    """
    folder = Path(folder)
    codes, queue = {}, [folder / script]
    while queue:
        path = queue.pop()
        if path not in codes:
            codes[path], imported = _code_and_imports(folder, path, path.read_bytes())
            queue += imported
    lines = sorted(f"{path.relative_to(folder.parent).as_posix()} {code}" for path, code in codes.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@cache  # forty rules share a dozen modules
def _code_and_imports(folder: Path, path: Path, content: bytes) -> tuple[str, tuple[Path, ...]]:
    """Hash of a file's code without comments and docstrings, and our files that it imports or names anywhere."""
    if path.suffix == ".j2":
        names = re.findall(r'{%-?\s*(?:extends|include|import|from)\s+"([^"]+)"', content.decode())
        return hashlib.sha256(content).hexdigest(), tuple(path.with_name(name) for name in names)
    code, names, templates = _parsed(path.relative_to(folder), content)
    paths = [folder.joinpath(*name.split(".")) for name in names]
    modules = [path / "__init__.py" if path.is_dir() else path.with_suffix(".py") for path in paths]
    named = (folder.parent / "templates" / name for name in templates)
    return code, tuple(path for path in (*modules, *named) if path.is_file())


@cache
def _parsed(path: Path, content: bytes) -> tuple[str, list[str], list[str]]:
    """Hash of the code, our modules and the templates that it names; `path` is relative to the scripts."""
    tree = ast.parse(content)
    names, templates = [PACKAGE], []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            above = path.parts[: -node.level] if node.level else ()  # from . import x
            module = ".".join([*above, *([node.module] if node.module else [])])
            names += [module, *(f"{module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.Constant) and str(node.value).endswith(".j2"):
            templates.append(node.value)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            # A body of nothing but a docstring is a `pass`.
            node.body[0] = ast.Pass()
    ours = [name for name in dict.fromkeys(names) if name.split(".")[0] == PACKAGE and name != SILENT]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), ours, templates
