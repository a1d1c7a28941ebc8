"""`chatforge test`."""

import asyncio
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from connector import registry, settings
from connector.adapter import Adapter
from connector.cli import exits, output
from connector.cli.exits import UsageError
from connector.cli.flow_files import load_flows, require_file
from connector.cli.input_files import quoted_path, read_start
from connector.flows import document
from connector.flows.flow import Flow
from connector.registry import Registry
from connector.runs.flow_tests.cases import Case
from connector.runs.flow_tests.reading import read_tests
from connector.runs.flow_tests.running import Difference, run_case
from connector.settings import Settings

_SUFFIXES = (".test.yaml", ".test.yml")


def run_tests(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Test files, or folders of them; the folder flows without any.")
    ] = None,
) -> int:
    """Run the tests of flows, in files such as lead-to-crm.test.yaml beside lead-to-crm.yaml.

    Nothing is called and nothing is sent: each step takes the output that the test gives it.

    Example: chatforge test flows/lead-to-crm.test.yaml
    """
    logging.getLogger("connector").setLevel(logging.ERROR)  # a run that fails may be what a test expects
    plugins = registry.load()
    suites = [_load(plugins, path) for path in _test_files(paths or [Path("flows")])]
    number = failed = 0
    for suite in suites:
        output.line(str(suite.path))
        for case in suite.cases:
            found = asyncio.run(run_case(plugins, suite.settings, suite.flow, case)).differences
            _show(suite.path, case, found)
            number, failed = number + 1, failed + bool(found)
    output.line(f"{number} test{'' if number == 1 else 's'}, {failed or 'none'} failed")
    return exits.FAILED if failed else exits.DONE


@dataclass(frozen=True, slots=True)
class _Suite:
    path: Path
    flow: Flow
    settings: Settings
    cases: Sequence[Case]


def _test_files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if os.path.isdir(path):
            here = [one for one in sorted(path.iterdir()) if one.name.endswith(_SUFFIXES) and one.is_file()]
            if not here:
                raise UsageError(f"there is no test file (*.test.yaml) in the folder {quoted_path(path)}")
            found += here
            continue
        require_file(path)
        if not path.name.endswith(_SUFFIXES):
            raise UsageError(f"{quoted_path(path)} is no test file; give one called NAME.test.yaml")
        found.append(path)
    return found


def _load(plugins: Registry, path: Path) -> _Suite:
    """The tests of a file. Raises FlowError where it or its flow has problems."""
    found = settings.load(path.parent, path.parent, environ={})
    catalogue = Adapter(plugins, found).catalogue

    def find(file: Path) -> Flow:
        if not os.path.exists(file):
            why = "write `flow: FILE` beside `tests`, or call it as the flow is called"
            raise UsageError(f"{quoted_path(path)} is for the flow {quoted_path(file)}, which is not there; {why}")
        require_file(file)
        [flow] = load_flows(file, catalogue)
        return flow

    flow, cases = read_tests(read_start("the test file", path, document.MAX_BYTES), path, find, catalogue)
    return _Suite(path, flow, found, cases)


def _show(path: Path, case: Case, found: Sequence[Difference]) -> None:
    mark = output.styled("FAILED", "red") if found else output.styled("ok    ", "green")
    output.line("  ", mark, f"  {case.name}" + (f"  ({path}:{case.line})" if found else ""))
    for one in found:
        if one.note:
            output.line(f"    {one.path}: {one.note}")
        else:
            output.line(f"    {one.path}")
            output.line(f"      expected {one.expected}")
            output.line(f"      got      {one.got}")
