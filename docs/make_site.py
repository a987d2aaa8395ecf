"""Lays the pages of the site out for mkdocs, and runs the notebook for its page; `make docs` runs it."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build/docs"
# Laid out as they lie in the repository, so that the links between them hold.
PAGES = ("README.md", "CHANGELOG.md", "config/README.md", "config/data/README.md", "results/README.md", "LICENSE")
PATTERNS = ("docs/*.md", "docs/*.css", "docs/images/*.png", "docs/notebook/*", "profiles/*/profile.yaml")
# docs/numbers.md and method.md link to them
PATTERNS += ("workflow/scripts/*.py", "workflow/scripts/gaia_offsets/**/*.py", "workflow/templates/*.adql.j2")


def run_notebook(notebook: Path, pictures: Path) -> tuple[str, dict[str, Any]]:
    """A notebook as a page of Markdown with what its cells print and draw, and the variables that they leave.

    Its code cells are plain Python, run in their order in one namespace, in the notebook's folder, without Jupyter. The
    last expression of a cell is printed as Jupyter would; figures go to the folder `pictures`.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    page, space, drawn = [], {"__name__": "__main__"}, 0
    before = Path.cwd()
    os.chdir(notebook.parent)
    try:
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
            text = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                page.append(text)
                continue
            page.append(f"```python\n{text}\n```")
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                tree = ast.parse(text)
                last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
                exec(compile(tree, notebook.name, "exec"), space)
                shown = last and eval(compile(ast.Expression(last.value), notebook.name, "eval"), space)
                if shown is not None and not plt.get_fignums():
                    print(shown)
            if printed.getvalue():
                page.append(f"```text\n{printed.getvalue().rstrip()}\n```")
            for number in plt.get_fignums():
                drawn += 1
                figure = plt.figure(number)
                figure.savefig(pictures / f"{notebook.stem}_{drawn}.png", dpi=100)
                plt.close(figure)
                page.append(f"![]({notebook.stem}_{drawn}.png)")
    finally:
        os.chdir(before)
    return "\n\n".join(page) + "\n", space


def lay_out(build: Path = BUILD) -> None:
    """Copy the pages to `build` and write that of the notebook."""
    shutil.rmtree(build, ignore_errors=True)
    for path in [*(ROOT / name for name in PAGES), *(path for pattern in PATTERNS for path in ROOT.glob(pattern))]:
        target = build / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    for notebook in sorted((ROOT / "docs/notebook").glob("*.ipynb")):
        folder = build / notebook.parent.relative_to(ROOT)
        page, _ = run_notebook(notebook, folder)
        (folder / f"{notebook.stem}.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(lay_out())
