"""A file is there whole or not at all."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor

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


def test_a_path_that_was_written_is_given_back(tmp_path):
    assert write(str(tmp_path / "a"), "") == tmp_path / "a"
    assert check_writable(tmp_path / "b") == tmp_path / "b"
    assert not (tmp_path / "b").exists()


def test_a_folder_in_place_of_the_file_or_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnwritableError, match="there is no folder .*file; make it first"):
        write(tmp_path / "file" / "a", "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(UnwritableError, match="may not be written to"):
            write(tmp_path / "a", "")
    finally:
        tmp_path.chmod(0o700)


def test_a_link_stays_a_link(tmp_path):
    """What it leads to is written, also where that isn't there yet; the file beside it is made there."""
    (tmp_path / "elsewhere").mkdir()
    real, link = tmp_path / "elsewhere" / "real", tmp_path / "link"
    link.symlink_to(real)
    for content in ("first", "second"):
        assert write(link, content) == link
        assert link.is_symlink()
        assert real.read_text() == content
    assert list((tmp_path / "elsewhere").iterdir()) == [real]
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere" / "a")
    with pytest.raises(
        UnwritableError, match=r"cannot write .*lost: there is no folder .*nowhere; make it first"
    ):
        write(tmp_path / "lost", "")


def test_pipes_and_devices_are_not_replaced(tmp_path):
    """Renaming onto ``/dev/null`` would put a file in its place, for whoever may do that."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", os.devnull):
        with pytest.raises(UnwritableError, match="it is a device or a pipe; give a file's path"):
            write(path, "")
        assert not os.path.isfile(path)


def test_long_names(tmp_path):
    """As long as the system takes, and no traceback where it doesn't."""
    longest = tmp_path / ("x" * 255)
    assert write(longest, "a").read_text() == "a"
    with pytest.raises(UnwritableError, match="File name too long"):
        write(tmp_path / ("x" * 256), "a")
    assert list(tmp_path.iterdir()) == [longest]


def test_two_writers_at_once_leave_one_whole_file(tmp_path):
    target = tmp_path / "a"
    contents = [str(number) * 100_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: write(target, content), contents))
    assert target.read_text() in contents
    assert list(tmp_path.iterdir()) == [target]


def test_folders(tmp_path):
    assert make_folder(tmp_path / "a" / "b").is_dir()
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("")
    with pytest.raises(UnwritableError, match="cannot make the folder"):
        make_folder(tmp_path / "file" / "c")
