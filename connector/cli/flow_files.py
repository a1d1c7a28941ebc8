"""Finds and checks flow files."""

from collections.abc import Sequence
from pathlib import Path

from connector.cli.exits import UsageError
from connector.errors import FlowError
from connector.flows.catalogue import Catalogue
from connector.flows.check import Checked, check
from connector.flows.flow import Flow
from connector.flows.problems import Problem

EXAMPLE = Path(__file__).parent / "templates" / "lead-to-crm.yaml"


def flow_paths(paths: Sequence[Path]) -> list[Path]:
    """The files, and the flow files of the folders."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"there is no file {str(path)!r}; give the path of a flow file or of a folder of them")
        found += _in_folder(path) if path.is_dir() else [path]
    return found


def check_file(path: Path, catalogue: Catalogue) -> Checked:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    return check(content, str(path), catalogue)


def load_flows(path: Path, catalogue: Catalogue) -> list[Flow]:
    """The flows of a file or a folder. Raises FlowError where one does not check or two have the same name."""
    flows: dict[str, Flow] = {}
    places: dict[str, Path] = {}
    problems: list[Problem] = []
    sources: dict[str, str] = {}
    for file in flow_paths([path]):
        checked = check_file(file, catalogue)
        problems += checked.problems
        sources[str(file)] = checked.source
        if (flow := checked.flow) and flow.name in flows:
            message = f"there are two flows {flow.name!r}, the first in {places[flow.name]}"
            problems.append(Problem(str(file), 1, 1, 2, "duplicate-flow", message, "give this one another name"))
        elif flow:
            flows[flow.name], places[flow.name] = flow, file
    if problems:
        raise FlowError("the flows have problems", problems, sources)
    return list(flows.values())


def _in_folder(folder: Path) -> list[Path]:
    names = [path for path in sorted(folder.iterdir()) if path.suffix in (".yaml", ".yml") and path.is_file()]
    flows = [path for path in names if path.name != "connections.yaml" and not path.stem.endswith(".test")]
    if not flows:
        raise UsageError(f"there is no flow file (*.yaml) in the folder {str(folder)!r}")
    return flows
