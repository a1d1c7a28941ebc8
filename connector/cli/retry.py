"""`chatforge runs retry`."""

from pathlib import Path
from typing import Annotated

import typer

from connector import engines
from connector.adapter import Adapter
from connector.cli import execution, output, timeline
from connector.cli.exits import UsageError
from connector.cli.flow_files import load_flows
from connector.cli.input_files import quoted_path
from connector.cli.loading import load_adapter, load_settings, require_steps
from connector.cli.persons import By, Reason, read_person
from connector.engines import Address
from connector.flows.flow import Flow
from connector.flows.problems import did_you_mean
from connector.runs import records, revisions
from connector.runs.decisions import retries
from connector.runs.decisions.interventions import RefusedError
from connector.runs.decisions.retries import Retry
from connector.runs.effects import acts_once
from connector.runs.journal import Journal
from connector.runs.store import Store


def retry(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The id of a run.", show_default=False)],
    repeats: Annotated[
        list[str] | None,
        typer.Option("--repeat-effects", metavar="STEP", help="Do this finished step once more, whatever it does."),
    ] = None,
    latest: Annotated[bool, typer.Option("--latest", help="Go on with the flow as it is now, in --flows.")] = False,
    flows: Annotated[
        Path | None, typer.Option(help="A folder of flow files, or one file; flows without it.", show_default=False)
    ] = None,
    by: By = None,
    reason: Reason = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run as a JSON object.")] = False,
) -> int:
    """Let a run that failed, was cancelled or is held go on, and wait for its end.

    What failed is done anew; what succeeded or was skipped is not, unless --repeat-effects names it. Where a server
    executes the database, the server does the run.

    Example: chatforge runs retry run_019af1e2b3c4d5e6f7a8 --latest
    """
    adapter, database = load_adapter(flows), load_settings(flows).database
    run = read_run(database, run_id)
    flow = _latest(adapter, flows or Path("flows"), run) if latest else _pinned(adapter, database, run)
    require_steps(adapter, flow)
    wanted = Retry(flow, read_person(by, reason), repeats or ())

    async def queue(store: Store) -> list[str]:
        await store.write(retries.retry, run_id, wanted, adapter.catalogue, acts_once(adapter))
        return [run_id]

    [done] = execution.finish(adapter, database, queue, quiet=as_json)
    if as_json:
        output.write_json({**timeline.as_json(done), "outputs": done.outputs})
    return execution.code_of([done])


def read_run(database: Address, run_id: str) -> records.Run:
    """Raises UsageError where there is no such run."""
    run = engines.read(database, lambda connection: Journal(connection).run(run_id))
    if run is None:
        raise UsageError(f"there is no run {run_id!r}; see: chatforge runs list")
    return run


def _pinned(adapter: Adapter, database: Address, run: records.Run) -> Flow:
    flow = engines.read(database, lambda connection: revisions.load(connection, run.revision, adapter.catalogue))
    if isinstance(flow, str):
        raise RefusedError(f"{flow}; correct the flow {run.flow!r}, then: chatforge runs retry {run.id} --latest")
    return flow


def _latest(adapter: Adapter, path: Path, run: records.Run) -> Flow:
    found = {flow.name: flow for flow in load_flows(path, adapter.catalogue)}
    if run.flow not in found:
        hint = did_you_mean(run.flow, found)
        more = f"{hint} or give its file with --flows" if hint else "give its file with --flows"
        raise UsageError(f"there is no flow {run.flow!r} in {quoted_path(path)}; {more}")
    return found[run.flow]
