"""Writing a file so that it is there whole or not at all.

Every file that the lab writes goes through here: the bytes go into a file beside the target, which is then
renamed onto it. A crash, a full disk or an error in the middle leaves the old file, or none. A link stays a link:
what it leads to is replaced. Devices and pipes are refused, since renaming onto ``/dev/null`` would replace it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from autograd_lab.errors import LabError


class UnwritableError(LabError, OSError):
    """A path can't be written."""


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
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(Path(folder) / "a.txt", "ŷ").read_text("utf-8")
        'ŷ'
    """
    target = check_writable(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        _write_and_rename(Path(os.path.realpath(target)), data)
    except OSError as error:
        raise UnwritableError(f"cannot write {target}: {error.strerror or error}") from error
    return target


def check_writable(path: str | os.PathLike[str]) -> Path:
    """Says early what ``write`` would say late, for callers that have long work to do first.

    Args:
        path: Where a file is to go.

    Returns:
        The path.

    Raises:
        UnwritableError: The folder isn't there or can't be written, or ``path`` is no file.
    """
    target = Path(path)
    folder = Path(os.path.realpath(target)).parent if os.path.islink(target) else target.parent
    if os.path.isdir(target):
        raise UnwritableError(f"cannot write {target}: it is a folder; give a file's path")
    if os.path.exists(target) and not os.path.isfile(target):
        raise UnwritableError(f"cannot write {target}: it is a device or a pipe; give a file's path")
    if not os.path.isdir(folder):
        raise UnwritableError(f"cannot write {target}: there is no folder {folder}; make it first")
    if not os.access(folder, os.W_OK):
        raise UnwritableError(f"cannot write {target}: the folder {folder} may not be written to")
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
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    return folder


def _write_and_rename(target: Path, data: bytes) -> None:
    handle, beside = tempfile.mkstemp(dir=target.parent, prefix=".autograd_lab.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(beside, _mode_of(target))
        os.replace(beside, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        raise


def _mode_of(target: Path) -> int:
    """The permissions that an ordinary ``open`` would have left: the old file's, or those of the umask."""
    if target.exists():
        return target.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask
