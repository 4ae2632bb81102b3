"""``autograd-lab doctor``: well, and ill."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import autograd_lab.cli  # noqa: F401 - the module below is there once this is imported

module = sys.modules["autograd_lab.cli.doctor"]


def test_a_machine_with_everything(lab):
    ran = lab("doctor")
    assert (ran.code, ran.err) == (0, "")
    assert "everything works" in ran.out
    assert "d(2w)/dw = 2.0" in ran.out


def test_a_package_that_is_missing(lab, monkeypatch):
    def version(package: str) -> str:
        if package == "pygraphviz":
            raise PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(module, "version", version)
    ran = lab("doctor")
    assert ran.code == 1
    assert "pip install pygraphviz" in " ".join(ran.out.split())
    assert "not fine: pygraphviz" in ran.out


def test_something_that_breaks_when_used(lab, monkeypatch):
    def broken() -> str:
        raise OSError("libc10.so: cannot open")

    monkeypatch.setattr(module, "_torch", broken)
    ran = lab("doctor")
    assert ran.code == 1
    assert "OSError: libc10.so: cannot open" in ran.out


def test_python_dash_m_and_the_version():
    ran = subprocess.run(
        [sys.executable, "-m", "autograd_lab", "--version"], capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("autograd-lab, version ")


def test_without_arguments_help_is_shown(lab):
    ran = lab()
    assert ran.code == 0
    assert "A TARGET is path/to/file.py:name" in ran.out
