"""Replaces files at once: a reader sees the old content or the new one, never a part."""

import secrets
from pathlib import Path


def replace(target: Path, content: bytes, mode: int | None = None) -> None:
    """Write the file; `mode` is that of a new one, as the umask allows where it is None. Raises OSError."""
    new = target.with_name(f".{secrets.token_hex(8)}.new")
    new.touch(0o666 if mode is None else mode, exist_ok=False)
    try:
        if mode is not None:
            new.chmod(mode)  # touch leaves out what the umask forbids
        new.write_bytes(content)
        new.replace(target)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
