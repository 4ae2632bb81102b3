"""A file is there whole or not at all."""

from __future__ import annotations

import os
import stat

import pytest

from autograd_lab.records import files
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
