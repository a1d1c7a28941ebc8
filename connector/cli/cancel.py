"""`chatforge runs cancel`."""

import asyncio
from typing import Annotated

import typer

from connector import engines
from connector.adapter import Adapter
from connector.cli import execution, exits, output, timeline
from connector.cli.loading import load_adapter, load_settings
from connector.cli.persons import By, Reason, read_person
from connector.cli.retry import read_run
from connector.engines import Address
from connector.runs import records
from connector.runs.decisions import cancels, doubts
from connector.runs.decisions.interventions import Person, RefusedError
from connector.runs.effects import acts_once
from connector.runs.journal import Journal
from connector.runs.store import Store


def cancel(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The id of a run.", show_default=False)],
    by: By = None,
    reason: Reason = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run as a JSON object.")] = False,
) -> int:
    """End a run that has not ended; what it has done stays done.

    A run at work ends before it begins anything more: a call that was sent ends first, and the command waits for it.

    Example: chatforge runs cancel run_019af1e2b3c4d5e6f7a8 --reason 'the customer called'
    """
    adapter, database = load_adapter(), load_settings().database
    read_run(database, run_id)
    run = end(adapter, database, run_id, read_person(by, reason), quiet=as_json)
    if as_json:
        output.write_json(timeline.as_json(run))
    elif run.status == "cancelled":
        steps = engines.read(database, lambda connection: Journal(connection).steps(run_id))
        output.line(f"{run.id} is {run.reason}")
        for step in doubts.find_doubts(steps, acts_once(adapter)):
            output.line(f"nobody knows whether {step.id} took effect; see: chatforge runs show {run_id}")
    if run.status != "cancelled":
        raise RefusedError(f"the run {run_id} has {run.status} before it could be cancelled")
    return exits.DONE


def end(adapter: Adapter, database: Address, run_id: str, person: Person, *, quiet: bool) -> records.Run:
    """Cancel the run, and wait until it has ended. Raises RefusedError where it has before."""
    if asyncio.run(_cancel(database, run_id, person)) == "running":
        execution.follow(adapter, database, run_id, quiet=quiet)
    return read_run(database, run_id)


async def _cancel(database: Address, run_id: str, person: Person) -> records.RunStatus:
    store = Store(database, executes=False)
    try:
        return await store.write(cancels.cancel, run_id, person)
    finally:
        store.close()
