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
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent
PROGRAMS = HERE / "works_with"
RESULTS = PROGRAMS / "results.json"
PAGE = ROOT / "docs" / "works-with.md"
TORCH = next(
    line for line in (ROOT / "constraints.txt").read_text("utf-8").split() if line.startswith("torch==")
)
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
        if not isinstance(statement, ast.Assign):
            continue
        (target,) = statement.targets
        if isinstance(target, ast.Tuple):
            keys = [key.id.lower() for key in target.elts if isinstance(key, ast.Name)]
            found |= dict(zip(keys, ast.literal_eval(statement.value), strict=True))
        elif isinstance(target, ast.Name) and target.id in ("NOTE", "TITLE"):
            found[target.id.lower()] = ast.literal_eval(statement.value)
    return found


def run(name: str, folder: Path) -> dict[str, Any]:
    """Installs what a program needs and runs it beside the lab."""
    facts = described(name)
    base = environment(folder / "base", ["-c", str(ROOT / "constraints.txt"), str(ROOT)])
    python = environment(folder / name, [*facts["requires"], TORCH], on=base) if facts["requires"] else base
    version = [str(python), "-c", f"import importlib.metadata as m; print(m.version({facts['package']!r}))"]
    done = subprocess.run(
        [str(python), str(HERE / "probe.py"), str(PROGRAMS / f"{name}.py")],
        capture_output=True, text=True, timeout=SECONDS, check=False, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    (folder / f"{name}.log").write_text(done.stdout + done.stderr, "utf-8")
    found = {"version": subprocess.run(version, capture_output=True, text=True, check=True).stdout.strip()}
    if done.returncode:
        return found | {"failed": (done.stderr.strip().splitlines() or ["killed"])[-1]}
    found.update(json.loads(done.stdout.strip().splitlines()[-1]))
    return found


def environment(folder: Path, requires: list[str], *, on: Path | None = None) -> Path:
    """Makes a virtual environment where there is none yet, on top of another one if asked. Returns its Python."""
    python = folder / "bin" / "python"
    done = folder / "done"
    if not done.exists() or done.read_text("utf-8").splitlines() != requires:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        if on is not None:
            show = [str(on), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
            below = subprocess.run(show, capture_output=True, text=True, check=True).stdout.strip()
            (site,) = folder.glob("lib/python*/site-packages")
            (site / "below.pth").write_text(below + "\n", "utf-8")
        subprocess.run([str(python), "-m", "pip", "install", "-q", *requires], check=True)
        done.write_text("\n".join(requires), "utf-8")
    return python


# --- the page -----------------------------------------------------------------------------------------------------

HEAD = """# Works with

Libraries that build on autograd have Functions, hooks and adjoint methods of their own. Here a training step of each
was run plain on torch {torch} (CPU), and then with the lab.

- **nodes that surprise**: Python Functions and compiled graphs, then the nodes that few of these libraries have.
- **`watch`, `trace`**: "same bits" says that every gradient is the plain run's, bit for bit. Every parameter had its
  own name in the graph, and the picture could be drawn.
- **own engine**: `check_engine` ran the backward in the lab's own engine, beside PyTorch's.
- **`swap()`**: all of the lab's rules took the place of PyTorch's. Gradients agreed with PyTorch's to 10⁻⁵ of the
  largest. The number is how many calls a rule took.

Rows with a † have a note below.

| library | what was run | nodes that surprise | `watch`, `trace` | own engine | `swap()` |
|---|---|---|---|---|---|
"""

NOTES = """
## What doesn't work, and why

"""

TAIL = """
## Make this page

`python tools/works_with.py` installs each library in an environment of its own, runs the programs in
`tools/works_with/` and writes this page. It isn't part of CI.
"""

MOST_NODES = 4


def page(results: dict[str, dict[str, Any]]) -> str:
    """Returns the page."""
    shared = Counter(name for facts in results.values() for name in facts.get("rare", ()))
    known = sorted(
        (described(name) | results[name] for name in results), key=lambda facts: title(facts).lower()
    )
    text = HEAD.format(torch=results["ddp"]["version"].partition("+")[0])
    for facts in known:
        mark = " †" if facts.get("note") else ""
        cells = [facts["failed"]] if "failed" in facts else [recorded(facts), facts["engine"], facts["swap"]]
        text += row(title(facts) + mark, facts["what"].rstrip("."), surprising(facts, shared), *cells)
    notes = [f"- **{title(facts)}**: {facts['note']}\n" for facts in known if "note" in facts]
    return text + (NOTES + "".join(notes) if notes else "") + TAIL


def title(facts: dict[str, Any]) -> str:
    """Returns what a row is called."""
    return facts.get("title") or f"{facts['package']} {facts['version']}"


def recorded(facts: dict[str, Any]) -> str:
    """Returns one cell of what ``watch``, ``trace`` and the picture came to."""
    watch, trace = facts["watch"], facts["trace"]
    said = watch if watch == trace else f"`watch`: {watch}; `trace`: {trace}"
    return said if facts["picture"] == "drawn" else f"{said}; picture: {facts['picture']}"


def surprising(facts: dict[str, Any], shared: Counter[str]) -> str:
    """Returns the nodes that one doesn't meet everywhere, Functions first, and how many backwards ran inside others."""
    rare = sorted(facts.get("rare", ()), key=lambda name: shared[name])
    names = [*facts.get("functions", ()), *rare][: max(MOST_NODES, len(facts.get("functions", ())))]
    inside = facts.get("inside")
    within = f"; {inside} more backward{'s' * (inside > 1)} inside" if inside else ""
    return (", ".join(f"`{name}`" for name in names) or "none") + within


def row(*cells: Any) -> str:
    """Returns a row of a table."""
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"


if __name__ == "__main__":
    main()
