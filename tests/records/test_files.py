"""A file is there whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import interrupts
import pytest

import autograd_lab
from autograd_lab.errors import LabError
from autograd_lab.records import Graph, files, load, save
from autograd_lab.records.files import UnwritableError, check_writable, make_folder, write


def test_text_and_bytes(tmp_path):
    assert write(tmp_path / "a", "ŷ\r\n").read_bytes() == "ŷ\r\n".encode()
    assert write(str(tmp_path / "b"), b"\x00").read_bytes() == b"\x00"


def test_an_error_in_the_middle_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    target = tmp_path / "a"
    target.write_text("old")

    def fails(source, destination):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", fails)
    with pytest.raises(UnwritableError, match=r"cannot write .*a: No space left on device"):
        write(target, "new")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_interruption_leaves_nothing_either(tmp_path, monkeypatch):
    def interrupted(source, destination):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a", "new")
    assert list(tmp_path.iterdir()) == []


def test_permissions_are_those_that_open_would_have_left(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("")
    written = write(tmp_path / "written", "")
    assert stat.S_IMODE(written.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    plain.chmod(0o640)
    assert stat.S_IMODE(write(plain, "new").stat().st_mode) == 0o640


@pytest.mark.parametrize("act", [lambda path: write(path, ""), check_writable])
def test_paths_that_cannot_be_written(tmp_path, act, monkeypatch):
    with pytest.raises(UnwritableError, match="it is a folder; give a file's path"):
        act(tmp_path)
    with pytest.raises(UnwritableError, match=r"there is no folder .*nowhere; make it first"):
        act(tmp_path / "nowhere" / "a")
    monkeypatch.setattr(files.os, "access", lambda path, mode: mode != os.W_OK)
    with pytest.raises(UnwritableError, match="may not be written to"):
        act(tmp_path / "a")


def test_folders(tmp_path):
    assert make_folder(tmp_path / "a" / "b").is_dir()
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("")
    with pytest.raises(UnwritableError, match="cannot make the folder"):
        make_folder(tmp_path / "file" / "c")


# --- interrupts ----------------------------------------------------------------------


# Between ``open`` and the block that closes it, Python itself closes the file, and warns of it where that's asked for.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("old", [None, "old"])
def test_an_interrupt_at_any_moment_leaves_the_old_file_or_the_new_one(tmp_path, old):
    target = tmp_path / "a"
    umask = os.umask(0o027)
    try:
        moments = 0

        def prepare_and_write():
            if old is None:
                target.unlink(missing_ok=True)
            else:
                target.write_text(old)
            write(target, "new")

        for _ in interrupts.each_moment(prepare_and_write):
            moments += 1
            assert [path.name for path in tmp_path.iterdir()] in ([["a"]] if old else [[], ["a"]])
            assert not target.exists() or target.read_text() in (old, "new")
            assert os.umask(0o027) == 0o027
    finally:
        os.umask(umask)
    assert moments > 150


# --- paths ---------------------------------------------------------------------------

BAD_PATHS = {
    "null": ("a\0b.json", "a path can't hold a null character"),
    "bytes": (b"a.json", "a path must be a str or a pathlib.Path, not bytes"),
    "number": (3, "a path must be a str or a pathlib.Path, not int"),
    "surrogate": ("a\ud800.json", "the path holds characters that no file's name can have here"),
    "too long": ("a" * 300 + ".json", "File name too long"),
    "folder": (".", "folder|directory"),
    "under a file": ("file/a.json", "no folder|Not a directory"),
    "no folder": ("nowhere/a.json", "no folder|No such file"),
    "empty": ("", "folder|directory"),
    "two lines": ("no\nwhere/a.json", r"'no\\nwhere"),
}
"""Paths at which there can be no file, and what is said of them."""


@pytest.fixture
def in_a_folder(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def render(path):
    return autograd_lab.render(Graph((), ()), path, format="json")


def render_by_ending(path):
    # An ending that says no format is another error, told first.
    return autograd_lab.render(Graph((), ()), path, format=None if str(path).endswith("json") else "json")


@pytest.mark.parametrize("path", BAD_PATHS)
@pytest.mark.parametrize("act", [lambda path: save(Graph((), ()), path), load, render, render_by_ending])
def test_a_bad_path_is_one_line(in_a_folder, act, path):
    bad, said = BAD_PATHS[path]
    with pytest.raises(LabError, match=said) as caught:
        act(bad)
    assert "\n" not in str(caught.value)
    assert str(caught.value).encode()
    assert [each.name for each in in_a_folder.iterdir()] == ["file"]


def test_a_path_may_be_anything_that_the_system_takes(in_a_folder):
    for name in ("ŷ.json", "a b.json", "-.json", os.fsdecode(b"\xff.json")):
        assert load(save(Graph((), ()), name)) == Graph((), ())
        assert load(Path(name)) == Graph((), ())
