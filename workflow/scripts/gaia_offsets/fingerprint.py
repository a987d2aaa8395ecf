"""What code a rule's result depends on: a hash of its script, of our modules behind it and of their templates."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = "gaia_offsets"
TEMPLATE = ".j2"


def fingerprint(folder: str | Path, script: str) -> str:
    """Sixteen hexadecimal digits of the code behind a script: its own and that of our modules that it imports.

    `script` is a path below `folder`, which also holds the package. Comments, docstrings and the layout do not count,
    so that a better comment runs nothing again. Modules are told apart by their path, not by their file name. A text
    that ends in .j2 names a template in the folder `templates` beside `folder`; its bytes count.
    """
    folder = Path(folder)
    found, queue = {}, [folder / script]
    while queue:
        path = queue.pop()
        if path not in found:
            found[path], imported = _code_and_imports(folder, path)
            queue += imported
    lines = sorted(f"{path.relative_to(folder.parent).as_posix()} {code}" for path, code in found.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


@cache  # forty rules share a dozen modules
def _code_and_imports(folder: Path, path: Path) -> tuple[str, tuple[Path, ...]]:
    """Hash of a file's code without comments and docstrings, and the files of ours that it imports anywhere."""
    if path.suffix == TEMPLATE:
        return hashlib.sha256(path.read_bytes()).hexdigest(), ()
    tree = ast.parse(path.read_bytes())
    names, templates = [], []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE]
        elif isinstance(node, ast.Constant) and str(node.value).endswith(TEMPLATE):
            templates.append(folder.parent / "templates" / node.value)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            # A body of nothing but a docstring is a `pass`.
            node.body[0] = ast.Pass()
    places = [folder.joinpath(*name.split(".")) for name in dict.fromkeys(names)]
    modules = [place / "__init__.py" if place.is_dir() else place.with_suffix(".py") for place in places]
    code = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return code, tuple(file for file in [*modules, *templates] if file.is_file())
