"""The scripts in ``tools/``, which aren't a package, as modules."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parent.parent.parent / "tools"


def load(name: str) -> ModuleType:
    """Runs a script's definitions, and returns it as a module."""
    spec = importlib.util.spec_from_file_location(f"{name}_tool", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
