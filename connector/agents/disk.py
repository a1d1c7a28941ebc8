"""Reads and writes files of the agents' folders; a link is refused, so nothing outside is read, sent or changed."""

import errno
import os
import stat
from pathlib import Path

from connector import files
from connector.errors import FolderError

LONGEST = 5_000_000
"""Bytes of a text; an answer of the API may not have more either."""


def read(path: Path, longest: int = LONGEST) -> bytes | None:
    """The content of a regular file; None where there is none. Raises FolderError."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FolderError(f"{quoted(path)} cannot be read: {_reason(error)}") from error
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise FolderError(f"{quoted(path)} cannot be read: it is no regular file; remove or rename it")
    with open(opened, "rb") as file:
        content = file.read(longest + 1)
    if len(content) > longest:
        raise FolderError(f"{quoted(path)} cannot be read: it has more than {longest:,} bytes; shorten it")
    return content


def read_text(path: Path) -> str | None:
    """The exact text, half characters included; None where there is no file. Raises FolderError."""
    content = read(path)
    if content is None:
        return None
    try:
        text = content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FolderError(f"{quoted(path)}, line {line}: byte {error.start} is not UTF-8; save it as UTF-8") from error
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")  # two halves are one character


def write(path: Path, content: bytes) -> bool:
    """Whether the file had another content before; then it was replaced at once. Raises FolderError."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        mode = None
    except OSError as error:
        raise FolderError(f"{quoted(path)} cannot be written: {error.strerror}") from error
    if mode is not None and not stat.S_ISREG(mode):
        raise FolderError(f"{quoted(path)} cannot be written: it is no regular file; remove or rename it")
    if mode is not None and path.stat().st_size == len(content) and read(path) == content:
        return False
    try:
        files.replace(path, content, mode and stat.S_IMODE(mode))
    except OSError as error:
        raise FolderError(f"{quoted(path)} cannot be written: {error.strerror}") from error
    return True


def encode(text: str) -> bytes:
    """What `read_text` reads again."""
    return text.encode("utf-8", "surrogatepass")


def make_folder(path: Path) -> None:
    """Raises FolderError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderError(f"the folder {quoted(path)} cannot be made: {error.strerror}") from error


def quoted(path: Path) -> str:
    return repr(str(path))


def _reason(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "it is a link, and links are not followed here; put the file itself in its place"
    return str(error.strerror)
