"""`chatforge runs export`."""

import asyncio
import logging
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from connector import engines, registry
from connector.adapter import Adapter
from connector.cli import exits, output
from connector.cli.exits import UsageError
from connector.cli.flow_tests.exporting import make_test
from connector.cli.flow_tests.reading import read_tests
from connector.cli.flow_tests.running import run_case
from connector.cli.loading import load_settings, require_config
from connector.errors import SettingsError, StoreError
from connector.flows.flow import Flow
from connector.flows.yaml_text import write_yaml
from connector.runs import revisions
from connector.runs.waits import read_view

_HEAD = "# Keep it beside the flow, under its name: leads.test.yaml for leads.yaml. Run it with: chatforge test\n"


def export(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The id of a run.", show_default=False)],
    as_test: Annotated[bool, typer.Option("--as-test", help="As a test of its flow.")] = False,
) -> int:
    """Print a run that has ended as a test: its start, the outputs of its steps as pins, and how it went.

    The test is run before it is printed, and what would differ is told.

    Example: chatforge runs export run_019af1e2b3c4d5e6f7a8 --as-test > flows/lead-to-crm.test.yaml
    """
    if not as_test:
        raise UsageError(f"say as what the run shall be printed: chatforge runs export {shlex.quote(run_id)} --as-test")
    logging.getLogger("connector").setLevel(logging.ERROR)  # that the test fails as its run did is no news
    plugins, settings = registry.load(), load_settings()
    adapter = Adapter(plugins, settings)
    view = engines.read(settings.database, lambda connection: read_view(connection, run_id))
    if view is None:
        raise UsageError(f"there is no run {run_id!r}; see: chatforge runs list")
    revision = view.run.revision
    flow = engines.read(settings.database, lambda connection: revisions.load(connection, revision, adapter.catalogue))
    if isinstance(flow, str):
        raise StoreError(f"the run {run_id} cannot be read: {flow}")
    _require_config(adapter, flow)
    text = _HEAD + write_yaml(make_test(adapter, replace(flow, enabled=True), view))
    _, [case] = read_tests(text, Path(f"{run_id}.test.yaml"), lambda _: flow, adapter.catalogue)
    found = asyncio.run(run_case(plugins, settings, flow, case))
    typer.echo(text, nl=False)
    for one in found:
        output.fail(f"the test does not pass, change it: {one.path}: {one.note or f'{one.expected}, but {one.got}'}")
    return exits.FAILED if found else exits.DONE


def _require_config(adapter: Adapter, flow: Flow) -> None:
    try:
        require_config(adapter, [flow])
    except SettingsError as error:
        what = "the test needs the flow's config, which the run does not keep: set it and export again"
        raise SettingsError(f"{what}; {error}") from error
