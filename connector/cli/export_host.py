"""`chatforge export`."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from connector import files, registry
from connector import manifest as manifests
from connector.cli import exits, output
from connector.cli.exits import UsageError
from connector.cli.input_files import quoted_path
from connector.flows.problems import did_you_mean, one_of, quoted
from connector.hosts.exports import HOSTS, Export, build

_OWN = "chatforge"


def export_host(
    host: Annotated[str, typer.Argument(help=f"{one_of(HOSTS)}.", show_default=False)],
    into: Annotated[
        Path | None, typer.Option("-o", "--into", help="The folder to write to; HOST without it.", show_default=False)
    ] = None,
    plugins: Annotated[
        list[str] | None, typer.Option("--plugin", metavar="NAME", help="Also of this plugin; may be repeated.")
    ] = None,
) -> int:
    """Write a package for a platform that does not run Python.

    The same version writes the same files; those of another version are replaced, and nothing else is.

    Example: chatforge export n8n -o n8n-nodes-chatforge
    """
    if host not in HOSTS:
        raise UsageError(f"{quoted(host)} is no host to export for; {did_you_mean(host, HOSTS) or one_of(HOSTS)}")
    loaded = registry.load()
    export = build(host, loaded, known_plugins([_OWN, *(plugins or [])], manifests.plugins_of(loaded)))
    folder = into or Path(host)
    if (foreign := _find_foreign(folder, export)) is not None:
        raise UsageError(f"{quoted_path(foreign)} was not written by an export, and is kept; give another --into")
    try:
        for target in (folder / name for name in export.files):
            _require_inside(folder, target)
        for name, content in export.files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            files.replace(target, content.encode() if isinstance(content, str) else content)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = error.strerror if isinstance(error, OSError) else "no file can have this name"
        raise UsageError(f"{quoted_path(folder)} cannot be written: {reason}; give another --into") from error
    output.line(f"wrote {len(export.files)} files to {folder}")
    for operation, reason in export.left_out.items():
        output.line(f"left out {operation}: {reason}")
    return exits.DONE


def _require_inside(folder: Path, target: Path) -> None:
    """Raise UsageError where a link in the folder leads out of it."""
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"{quoted_path(target.parent)} leads out of {quoted_path(folder)}, and is not written to")


def _find_foreign(folder: Path, export: Export) -> Path | None:
    """A file that would be replaced, in a folder that is none of this package."""
    if _name_of(folder) == json.loads(export.files["package.json"])["name"]:
        return None
    return next((folder / name for name in export.files if os.path.lexists(folder / name)), None)


def _name_of(folder: Path) -> str | None:
    try:
        return str(json.loads((folder / "package.json").read_bytes())["name"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def known_plugins(names: Sequence[str], known: Sequence[str]) -> list[str]:
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or "see: chatforge list"
            raise UsageError(f"--plugin {quoted(name)}: there is no such plugin; {hint}")
    return list(dict.fromkeys(names))
