"""The page about the installation names each package that comes along."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

HOUSE = Path(__file__).parent.parent.parent
PAGE = (HOUSE / "docs" / "installation.md").read_text()


def test_each_package_stands_in_the_table_with_what_it_is_for():
    ran = subprocess.run(
        [sys.executable, HOUSE / "tools" / "packages.py"], capture_output=True, text=True, check=True
    )
    rows = [row.split("|")[1:3] for row in ran.stdout.splitlines()[2:-1]]
    for package, purpose in rows:
        assert f"|{package}|{purpose}|" in PAGE
    required = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]["dependencies"]
    assert ["torch", *(package.strip() for package, _ in rows)] == [
        each.partition(">=")[0] for each in required
    ]
