"""`chatforge manifest`."""

import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from connector import manifest as manifests
from connector import registry
from connector.cli import exits, output
from connector.cli.exits import UsageError
from connector.cli.input_files import quoted_path, read_text
from connector.cli.output_files import write_file
from connector.flows.problems import did_you_mean, quoted, shortened
from connector.manifest import Change, ManifestError

_STYLES = {"breaking": "red", "addition": "green", "wording": "dim"}


def manifest(
    path: Annotated[Path | None, typer.Argument(help="With --write: the file; manifest.yaml without it.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write a file instead of printing.")] = False,
    plugins: Annotated[
        list[str] | None, typer.Option("--plugin", metavar="NAME", help="Of this plugin; may be repeated.")
    ] = None,
    old: Annotated[
        Path | None, typer.Option("--compare", metavar="OLD", help="Print what changed since this manifest.")
    ] = None,
) -> int:
    """Print the manifest, or what changed in it.

    It has all triggers, actions and connections, for hosts to read.

    With --compare, exit code 1 says that the version number is too low for the changes.

    Example: chatforge manifest --compare old-manifest.yaml
    """
    if write and old is not None:
        raise UsageError("--write and --compare exclude each other; give one of them")
    if path is not None and not write:
        raise UsageError(f"a file is only written with --write: chatforge manifest --write {shortened(str(path))}")
    built = _build(plugins or [])
    if old is not None:
        return _compare(old, built)
    text = manifests.render(built)
    if write:
        write_file(path or Path("manifest.yaml"), text, "--write", "manifest.yaml")
    else:
        sys.stdout.write(text)
    return exits.DONE


def _build(plugins: list[str]) -> dict[str, Any]:
    loaded = registry.load()
    known = manifests.plugins_of(loaded)
    for name in plugins:
        if name not in known:
            hint = did_you_mean(name, known) or "see: chatforge list"
            raise UsageError(f"--plugin {quoted(name)}: there is no such plugin; {hint}")
    return manifests.build(loaded, plugins or manifests.own_plugins())


def _compare(path: Path, new: Mapping[str, Any]) -> int:
    text = read_text("the manifest", path)
    try:
        old = manifests.read(text)
        if old["name"] != new["name"]:
            other = f"{quoted(old['name'])}, not of {quoted(new['name'])}"
            raise UsageError(f"{quoted_path(path)} is the manifest of {other}")
        changes = manifests.compare(old, new)
        needed = manifests.needed_version(old["version"], changes)
        enough = manifests.suffices(new["version"], needed)
    except ManifestError as error:
        raise UsageError(f"{quoted_path(path)}: {error}") from error
    for change in changes:
        first, *more = _wrap(str(change), indent=10)
        output.line(output.styled(change.kind.ljust(10), _STYLES[change.kind]), first)
        for line in more:
            output.line(" " * 10, line)
    for line in _wrap(_verdict(changes, old["version"], new["version"], needed, enough=enough)):
        output.line(line)
    return exits.DONE if enough else exits.FAILED


def _wrap(text: str, indent: int = 0) -> list[str]:
    """The lines of a text on a terminal; one where the output is piped."""
    return (
        textwrap.wrap(text, output.width(beside=indent), break_long_words=False)
        if output.console.is_terminal
        else [text]
    )


def _verdict(changes: list[Change], old: str, new: str, needed: str, *, enough: bool) -> str:
    if not changes and enough:
        return f"no changes since {old}"
    worst = {"breaking": "breaking changes need", "addition": "additions need", "wording": "wording needs"}
    reason = worst[changes[0].kind] if changes else "even without changes it needs"
    return f"{reason} {needed} or higher after {old}; this is {new}, which is {'enough' if enough else 'too low'}"
