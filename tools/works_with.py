"""Makes the table of ``docs/works-with.md``: each library's training step, with and without the lab.

Run it by hand, as ``python tools/works_with.py [NAME …]``; it isn't part of CI, since it installs some thirty packages.
Torch and the lab are installed once, in an environment of their own; each library gets another one on top, so that no
library sees what another one brought. A program is a file in ``tools/works_with/``: ``REQUIRES`` is what pip installs,
``step()`` returns a loss and the model. Results are kept as JSON, so that a run for some names renews only these.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
PROGRAMS = HERE / "works_with"
RESULTS = PROGRAMS / "results.json"
PAGE = ROOT / "docs" / "works-with.md"
SECONDS = 900


def main() -> None:
    """Installs, runs and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="programs to run; all of them if none is named")
    parser.add_argument(
        "--envs", type=Path, default=Path(tempfile.gettempdir()) / "works_with", help="a folder"
    )
    parser.add_argument(
        "--only-write", action="store_true", help="make the page of the results that are kept"
    )
    arguments = parser.parse_args()
    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    names = arguments.names or sorted(path.stem for path in PROGRAMS.glob("*.py"))
    for name in [] if arguments.only_write else names:
        results[name] = run(name, arguments.envs)
        print(f"{name}: {json.dumps(results[name])}", flush=True)
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", "utf-8")
    PAGE.write_text(page(results), "utf-8")


def described(name: str) -> dict[str, Any]:
    """Returns a program's docstring and constants, without running it."""
    tree = ast.parse((PROGRAMS / f"{name}.py").read_text("utf-8"))
    found: dict[str, Any] = {"what": ast.get_docstring(tree)}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Tuple):
            keys = [target.id.lower() for target in statement.targets[0].elts if isinstance(target, ast.Name)]
            found |= dict(zip(keys, ast.literal_eval(statement.value), strict=True))
        elif isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") == "NOTE":
            found["note"] = ast.literal_eval(statement.value)
    return found


def run(name: str, folder: Path) -> dict[str, Any]:
    """Installs what a program needs and runs it beside the lab."""
    facts = described(name)
    base = environment(folder / "base", ["-c", str(ROOT / "constraints.txt"), str(ROOT)])
    python = environment(folder / name, facts["requires"], on=base) if facts["requires"] else base
    version = [str(python), "-c", f"import importlib.metadata as m; print(m.version({facts['package']!r}))"]
    done = subprocess.run(
        [str(python), str(HERE / "probe.py"), str(PROGRAMS / f"{name}.py")],
        capture_output=True, text=True, timeout=SECONDS, check=False, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    (folder / f"{name}.log").write_text(done.stdout + done.stderr, "utf-8")
    facts["version"] = subprocess.run(version, capture_output=True, text=True, check=True).stdout.strip()
    if done.returncode:
        return facts | {"failed": (done.stderr.strip().splitlines() or ["killed"])[-1]}
    return facts | json.loads(done.stdout.strip().splitlines()[-1])


def environment(folder: Path, requires: list[str], *, on: Path | None = None) -> Path:
    """Makes a virtual environment, on top of another one if asked, and returns its Python."""
    python = folder / "bin" / "python"
    if not (folder / "done").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        if on is not None:
            show = [str(on), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
            below = subprocess.run(show, capture_output=True, text=True, check=True).stdout.strip()
            (site,) = folder.glob("lib/python*/site-packages")
            (site / "below.pth").write_text(below + "\n", "utf-8")
        subprocess.run([str(python), "-m", "pip", "install", "-q", *requires], check=True)
        (folder / "done").touch()
    return python


# --- the page -----------------------------------------------------------------------------------------------------

HEAD = """# Works with

Each row is a training step of a library, run plain and then with the lab: under `watch`, with `trace`, in the lab's
own engine beside PyTorch's (`check_engine`), with every rule of `lab.swap`, and drawn. "Same bits" says that every
parameter's gradient is the one of the plain run, bit for bit. Under `swap`, gradients agree with PyTorch's to 10⁻⁵ of
the largest; what is counted are operations that a rule took, and those that were left to PyTorch.

The programs are in `tools/works_with/`; `python tools/works_with.py` makes this page.

| library | what was run | `watch` | `trace` | `check_engine` | `swap()` | picture |
|---|---|---|---|---|---|---|
"""

NODES = """
## Nodes that one meets there

What isn't in every model: nodes of Python Functions and compiled graphs first, then PyTorch's own.

| library | nodes | Functions | others, the most frequent first |
|---|---|---|---|
"""

NOTES = """
## What doesn't work, and why

"""


def page(results: dict[str, dict[str, Any]]) -> str:
    """Returns the page."""
    text = HEAD
    for facts in results.values():
        cells = [
            facts.get(key, facts.get("failed", "")) for key in ("watch", "trace", "engine", "swap", "picture")
        ]
        text += row(f"{facts['package']} {facts['version']}", facts["what"], *cells)
    text += NODES
    for facts in results.values():
        if "failed" not in facts:
            functions, rare = ", ".join(coded(facts["functions"])), ", ".join(coded(facts["rare"][:8]))
            text += row(facts["package"], facts["nodes"], functions, rare)
    notes = [
        f"- **{facts['package']}**: {facts['note']}\n" for facts in results.values() if facts.get("note")
    ]
    return text + (NOTES + "".join(notes) if notes else "")


def coded(names: list[str]) -> list[str]:
    """Returns names as code."""
    return [f"`{name}`" for name in names]


def row(*cells: Any) -> str:
    """Returns a row of a table."""
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"


if __name__ == "__main__":
    main()
