"""`chatforge runs export`."""

import asyncio
import logging
import shlex
from typing import Annotated

import typer

from connector import engines, registry
from connector.adapter import Adapter
from connector.cli import exits, output
from connector.cli.exits import UsageError
from connector.cli.loading import load_settings, require_config
from connector.errors import SettingsError, StoreError
from connector.flows.flow import Flow
from connector.runs import revisions
from connector.runs.flow_tests.saving import save
from connector.runs.waits import read_view


def export(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The id of a run.", show_default=False)],
    as_test: Annotated[bool, typer.Option("--as-test", help="As a test of its flow.")] = False,
    examples: Annotated[
        bool, typer.Option("--examples", help="With examples in place of what tells about a person.")
    ] = False,
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
    saved = asyncio.run(save(adapter, settings, flow, view, examples=examples))
    typer.echo(saved.text, nl=False)
    for one in saved.differences:
        output.fail(f"the test does not pass, change it: {one}")
    return exits.FAILED if saved.differences else exits.DONE


def _require_config(adapter: Adapter, flow: Flow) -> None:
    try:
        require_config(adapter, [flow])
    except SettingsError as error:
        what = "the test needs the flow's config, which the run does not keep: set it and export again"
        raise SettingsError(f"{what}; {error}") from error
