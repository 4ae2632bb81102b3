"""Paths that people hand in, and writing a file so that it is there whole or not at all.

Every file that the lab writes goes through here: the bytes go into a file beside the target, which is then
renamed onto it. A crash, a full disk, an error or an interrupt in the middle leaves the old file, or none, and nothing
beside it. A link stays a link: what it leads to is replaced. Devices and pipes are refused, since renaming onto
``/dev/null`` would replace it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from autograd_lab.errors import LabError
from autograd_lab.hold import Hold


class UnwritableError(LabError, OSError):
    """A path can't be written."""


def path_of(path: str | os.PathLike[str]) -> Path:
    """Checks that something is a path that a file may have.

    Args:
        path: A path.

    Returns:
        The path.

    Raises:
        ValueError: It's none; the message says what is wrong with it.

    Example:
        >>> path_of(b"a.json")
        Traceback (most recent call last):
        ValueError: a path must be a str or a pathlib.Path, not bytes
    """
    try:
        found = os.fspath(path)
    except TypeError:
        found = None
    if not isinstance(found, str):
        raise ValueError(f"a path must be a str or a pathlib.Path, not {type(path).__name__}")
    if "\0" in found:
        raise ValueError("a path can't hold a null character")
    try:
        os.fsencode(found)
    except UnicodeEncodeError:
        raise ValueError("the path holds characters that no file's name can have here") from None
    return Path(found)


def write(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Writes a file whole: beside it first, then renamed onto it.

    Args:
        path: Where to. The folder must exist; a file that is there is replaced.
        content: Text is written as UTF-8 with newlines as they are.

    Returns:
        The path.

    Raises:
        UnwritableError: The folder isn't there, isn't a folder or can't be written, or ``path`` is no file.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(Path(folder) / "a.txt", "ŷ").read_text("utf-8")
        'ŷ'
    """
    target = check_writable(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        _write_and_rename(Path(os.path.realpath(target)), data)
    except OSError as error:
        raise UnwritableError(f"cannot write {shown(target)}: {error.strerror or error}") from error
    return target


def check_writable(path: str | os.PathLike[str]) -> Path:
    """Checks a path as ``write`` does, for callers that have long work to do first.

    Args:
        path: Where a file is to go.

    Returns:
        The path.

    Raises:
        UnwritableError: The folder isn't there or can't be written, or ``path`` is no file.
    """
    try:
        target = path_of(path)
    except ValueError as error:
        raise UnwritableError(f"cannot write a file: {error}") from error
    folder = Path(os.path.realpath(target)).parent if os.path.islink(target) else target.parent
    if os.path.isdir(target):
        raise UnwritableError(f"cannot write {shown(target)}: it is a folder; give a file's path")
    if os.path.exists(target) and not os.path.isfile(target):
        raise UnwritableError(f"cannot write {shown(target)}: it is a device or a pipe; give a file's path")
    if not os.path.isdir(folder):
        raise UnwritableError(
            f"cannot write {shown(target)}: there is no folder {shown(folder)}; make it first"
        )
    if not os.access(folder, os.W_OK):
        raise UnwritableError(
            f"cannot write {shown(target)}: the folder {shown(folder)} may not be written to"
        )
    return target


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Makes a folder, and those above it, where there is none.

    Args:
        path: The folder.

    Returns:
        The path.

    Raises:
        UnwritableError: It can't be made, or a file is in its place.
    """
    try:
        folder = path_of(path)
        folder.mkdir(parents=True, exist_ok=True)
    except ValueError as error:
        raise UnwritableError(f"cannot make the folder: {error}") from error
    except OSError as error:
        raise UnwritableError(f"cannot make the folder {shown(folder)}: {error.strerror or error}") from error
    return folder


def shown(path: Path) -> str:
    """Returns a path as it may stand in a message: in one line, and so that it can be printed."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


def _write_and_rename(target: Path, data: bytes) -> None:
    beside = target.with_name(f".autograd_lab.{secrets.token_hex(8)}")

    def take_away() -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)

    with Hold() as held:
        held.add(take_away)
        old = target.stat().st_mode & 0o777 if target.exists() else None
        # Nobody shall read before the old file's permissions are on it; a new file gets those that any has.
        with open(beside, "xb", opener=None if old is None else _privately) as file:
            file.write(data)
        if old is not None:
            os.chmod(beside, old)
        os.replace(beside, target)


def _privately(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
