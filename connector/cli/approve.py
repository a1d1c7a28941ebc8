"""`chatforge runs approve`."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from connector import engines
from connector.cli import exits, output
from connector.cli.arguments import read_arguments
from connector.cli.exits import UsageError
from connector.cli.loading import load_adapter, load_settings
from connector.cli.persons import user
from connector.engines import Address
from connector.flows import parameters
from connector.runs.decisions import approvals
from connector.runs.decisions.answers import Answer
from connector.runs.decisions.approvals import Asked, NotAskedError
from connector.runs.journal import Journal
from connector.runs.store import Store
from connector.runs.waits import find_waits

_MOST = 10_000  # runs that are looked at


def approve(
    run_id: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN", help="The id of a run; without it those that ask are listed.", show_default=False
        ),
    ] = None,
    step: Annotated[
        str | None, typer.Argument(help="The step that asks; not needed where only one does.", show_default=False)
    ] = None,
    reject: Annotated[bool, typer.Option("--reject", help="Answer no.")] = False,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Fill in a field of the form.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who answers; the user of the operating system without it.")
    ] = None,
) -> int:
    """Answer a step that waits for an approval; the first answer counts.

    Where a process executes the database, the run goes on within a second.

    Example: chatforge runs approve run_019af1e2b3c4d5e6f7a8 --set note=fine
    """
    adapter, database = load_adapter(), load_settings().database
    if run_id is None:
        _list(database)
        return exits.DONE
    if engines.read(database, lambda connection: Journal(connection).run(run_id)) is None:
        raise UsageError(f"there is no run {run_id!r}; see: chatforge runs list")
    asked = engines.read(database, lambda connection: approvals.find(connection, adapter.catalogue, run_id, step))
    form = _read_form(asked, changes or (), approved=not reject)
    answer = Answer(not reject, by or user(), datetime.now(UTC), form)
    kept = asyncio.run(_give(database, asked, answer))
    word = "approved" if kept.approved else "rejected"
    filled = f" with {json.dumps(kept.form, ensure_ascii=False)}" if kept.form else ""
    output.line(f"{asked.step} of {run_id} was {word} by {kept.by} at {output.moment(kept.at)}{filled}")
    if kept is not answer:
        raise NotAskedError("the first answer counts, and this one was not kept")
    if not engines.is_executed(database):
        output.line("nothing works on this run now; start: chatforge serve --flows DIR")
    return exits.DONE


def _list(database: Address) -> None:
    """The runs that wait for an answer."""
    asking = engines.read(
        database,
        lambda connection: [
            (run.id, run.flow, wait.step, (wait.asked or {}).get("title", ""))
            for run in Journal(connection).runs(_MOST, status="waiting")
            for wait in find_waits(connection, run)
            if wait.what == "approval" and wait.answer is None
        ],
    )
    if not asking:
        output.line("no run waits for an approval")
        return
    output.table(("run", "flow", "step", "asks"), asking)
    output.line("answer one: chatforge runs approve RUN")


def _read_form(asked: Asked, changes: Sequence[str], *, approved: bool) -> dict[str, Any]:
    """The fields by their types; who rejects may leave out any. Raises UsageError."""
    form = approvals.form_of(asked, approved=approved)
    given = read_arguments(parameters.as_input("the form", form), changes, "--set")
    if (reason := approvals.refuse_form(asked, given, approved=approved)) is not None:
        fields = ", ".join(f"{name} ({one.type})" for name, one in form.items())
        raise UsageError(f"{reason}; its fields, by --set: {fields}")
    return given


async def _give(database: Address, asked: Asked, answer: Answer) -> Answer:
    """The answer that counts. Raises NotAskedError where the time to answer has run out meanwhile."""
    store = Store(database, executes=False)
    try:
        return await store.write(approvals.answer, asked, answer)
    finally:
        store.close()
