"""``autograd-lab doctor``: well, and ill."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest
import torch

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


@pytest.mark.parametrize(
    ("what", "installed", "noted"),
    [
        ("torch", "2.13.0", False),
        ("torch", "2.13.0+cpu", False),
        ("torch", "2.13.1", True),
        ("torch", "2.130.0", True),
        ("torch", "9.0.0+cu130", True),
        ("Python", "3.11.7", False),
        ("Python", "3.13.0", False),
        ("Python", "3.10.1", True),
        ("Python", "3.111.0", True),
    ],
)
def test_a_version_that_the_tests_were_not_run_with(what, installed, noted):
    assert module.untested(what, installed) == (
        f"; not one of the versions that the tests were run with: {', '.join(module.TESTED[what])}"
        if noted
        else ""
    )


def test_an_untested_torch_is_said_and_no_fault(lab, monkeypatch):
    monkeypatch.setitem(module.TESTED, "torch", ("1.0.0",))
    ran = lab("doctor")
    assert ran.code == 0
    assert "not one of the versions that the tests were run with: 1.0.0" in " ".join(ran.out.split())


def test_a_feature_whose_ground_is_gone(lab, monkeypatch):
    monkeypatch.delattr(torch._C._profiler, "gather_traceback")
    ran = lab("doctor")
    assert ran.code == 1
    assert "torch has no torch._C._profiler.gather_traceback" in " ".join(ran.out.split())
    assert ran.out.endswith("not fine: kernels\n")


WITHOUT = """
import sys, torch
del torch._C._functions.AccumulateGrad
sys.argv[0] = "autograd-lab"
from autograd_lab.cli import main
main()
"""


def test_a_torch_that_lacks_what_the_lab_imports_at_once():
    """The doctor still says what's wrong; other commands say it in one line."""
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT, "doctor"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (1, "")
    assert "torch has no torch._C._functions.AccumulateGrad" in " ".join(ran.stdout.split())
    assert ran.stdout.endswith("not fine: capture, trace, watch, kernels, Engine\n")
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT, "trace", "x.py:y"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert len(ran.stderr.splitlines()) == 1
    assert "`autograd-lab doctor` says what does" in ran.stderr


def test_python_dash_m_and_the_version():
    ran = subprocess.run(
        [sys.executable, "-m", "autograd_lab", "--version"], capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("autograd-lab, version ")


def test_without_arguments_help_is_shown(lab):
    ran = lab()
    assert ran.code == 0
    assert "A TARGET is path/to/file.py:name" in ran.out
