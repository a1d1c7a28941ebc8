"""Finds and checks flow files."""

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from connector.cli.exits import UsageError
from connector.cli.input_files import quoted_path, read_start
from connector.errors import FlowError
from connector.flows.catalogue import Catalogue
from connector.flows.check import Checked
from connector.flows.document import MAX_BYTES
from connector.flows.flow import Flow
from connector.flows.folder import Folder
from connector.flows.problems import Problem

TEMPLATES = Path(__file__).parent / "templates"
EXAMPLE = TEMPLATES / "lead-to-crm.yaml"


def flow_paths(paths: Sequence[Path]) -> list[Path]:
    """The files, and the flow files of the folders."""
    found: list[Path] = []
    for path in paths:
        if not _exists(path):
            hint = _meant(path) or "give a flow file or a folder of them"
            raise UsageError(f"there is no file {quoted_path(path)}; {hint}")
        found += _in_folder(path) if path.is_dir() else [path]
    for path in found:
        _refuse_other_kind(path)
    return found


def _refuse_other_kind(path: Path) -> None:
    """Raise UsageError where a file that lies beside flows was given as one."""
    if path.name == "connections.yaml":
        raise UsageError(f"{quoted_path(path)} holds accounts and config, and is no flow; see: chatforge doctor")
    if path.suffix in (".yaml", ".yml") and path.stem.endswith(".test"):
        raise UsageError(f"{quoted_path(path)} is a test file; run it with: chatforge test {path}")


def require_file(path: Path) -> None:
    """Raise UsageError where there is no file, or it is a folder."""
    if not _exists(path):
        raise UsageError(f"there is no file {quoted_path(path)}; {_meant(path) or 'give a flow file'}")
    if path.is_dir():
        raise UsageError(f"{quoted_path(path)} is a folder; give one flow file")


def _meant(path: Path) -> str | None:
    """The file of a flow that is given by its name, here or in the folder flows."""
    folders, names = (path.parent, path.parent / "flows"), (path.name, f"{path.name}.yaml", f"{path.name}.yml")
    found = (folder / name for folder in folders for name in names)
    return next((f"did you mean {quoted_path(one)}?" for one in found if _exists(one) and one.is_file()), None)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that no file can have
        return False


def check_files(paths: Sequence[Path], catalogue_of: Callable[[Path], Catalogue]) -> list[tuple[Path, Checked]]:
    """What the checker says of each file. A flow may call those that lie beside it."""
    folders: dict[Path, Folder] = {}
    texts = {path: _read(path) for path in paths}
    for path in paths:
        if path.parent not in folders:
            here = {str(one): text for one, text in texts.items() if one.parent == path.parent}
            folders[path.parent] = Folder({**_beside(path.parent), **here}, catalogue_of(path))
    with _without_collection():
        return [(path, folders[path.parent].check(str(path))) for path in paths]


@contextmanager
def _without_collection() -> Iterator[None]:
    """Nearly all that checks make is kept: looking for garbage meanwhile finds little, and takes longer with each."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _beside(folder: Path) -> dict[str, bytes]:
    """The texts of the flow files in the folder, as far as they can be read."""
    found = {}
    for path in _flow_files(folder) if folder.is_dir() else ():
        with suppress(UsageError):
            found[str(path)] = _read(path)
    return found


def _read(path: Path) -> bytes:
    # The checker says itself that a file is too large.
    return read_start("the flow", path, MAX_BYTES)


def same_names(checked: Sequence[tuple[Path, Checked]]) -> list[Problem]:
    """A problem for each flow that has the name of another one of its folder."""
    first: dict[tuple[Path, str], Path] = {}
    problems = []
    for path, result in checked:
        if result.flow is None:
            continue
        earlier = first.setdefault((path.parent, result.flow.name), path)
        if earlier != path:
            message = f"there are two flows {result.flow.name!r}, the first in {earlier}"
            problems.append(Problem(str(path), 1, 1, 2, "duplicate-flow", message, "give this one another name"))
    return problems


def load_flows(path: Path, catalogue: Catalogue) -> list[Flow]:
    """The flows of a file or a folder. Raises FlowError where one does not check or two have the same name."""
    checked = check_files(flow_paths([path]), lambda _: catalogue)
    problems = [problem for _, result in checked for problem in result.problems] + same_names(checked)
    if problems:
        raise FlowError("the flows have problems", problems, {str(file): result.source for file, result in checked})
    return [result.flow for _, result in checked if result.flow]


def stamp_of(path: Path) -> object:
    """Changes when a flow file at the path, or one beside it, is written, added or removed."""
    folder = path if os.path.isdir(path) else path.parent
    found = []
    with suppress(OSError):  # the folder is being replaced
        for one in _flow_files(folder):
            state = one.stat()
            found.append((str(one), state.st_mtime_ns, state.st_size, state.st_ino))
    return found


def _in_folder(folder: Path) -> list[Path]:
    flows = _flow_files(folder)
    if not flows:
        raise UsageError(f"there is no flow file (*.yaml) in the folder {quoted_path(folder)}")
    return flows


def _flow_files(folder: Path) -> list[Path]:
    names = [path for path in sorted(folder.iterdir()) if path.suffix in (".yaml", ".yml") and path.is_file()]
    return [path for path in names if path.name != "connections.yaml" and not path.stem.endswith(".test")]
