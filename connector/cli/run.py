"""`chatforge run`."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from connector import sqlite
from connector.adapter import Adapter, Delivery
from connector.cli import exits, output, timeline
from connector.cli.exits import UsageError
from connector.cli.flow_files import load_flows, require_file
from connector.cli.input_files import read_input, read_object
from connector.cli.loading import load_adapter, load_settings, require_steps
from connector.cli.send_event import sample
from connector.declare import Event, connector_of
from connector.errors import ConnectorError, StoreError, StoreLockedError, WebhookError
from connector.flows.flow import Flow
from connector.runs import records
from connector.runs.intake import Intake
from connector.runs.journal import Journal
from connector.runs.events import Stored
from connector.runs.store import Store
from connector.runs.worker import Worker


class StartedNothingError(ConnectorError):
    """The flow does not want the event, or holds it."""


def run(
    file: Annotated[Path, typer.Argument(help="A flow file.", show_default=False)],
    input: Annotated[
        str | None,
        typer.Option(
            metavar="EVENT",
            help="The event's payload as JSON or @FILE; without it a sample of now. See: chatforge show TRIGGER --json",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run as a JSON object.")] = False,
) -> int:
    """Run a flow once and wait for its end. Its actions act for real.

    Where a server executes the same database, the server does the run.

    Example: chatforge run docs/flows/lead-to-crm.yaml --input @event.json
    """
    require_file(file)
    adapter, database = load_adapter(file), load_settings(file).database
    [flow] = load_flows(file, adapter.catalogue)
    flow = replace(flow, enabled=True)  # who names it wants it
    require_steps(adapter, flow)
    delivery = _delivery(adapter, flow, input)
    try:
        with sqlite.exclusive(database):
            if input is None and not as_json:
                output.line("the event is a sample of the trigger; give another one with --input")
            run_id = asyncio.run(_execute(adapter, database, flow, delivery, quiet=as_json))
    except StoreLockedError:
        run_id = asyncio.run(_leave(adapter, database, flow, delivery))
        _follow(adapter, database, run_id, quiet=as_json)
    return _report(database, run_id, as_json=as_json)


def _delivery(adapter: Adapter, flow: Flow, input: str | None) -> Delivery:
    """The given event, or the trigger's sample as of now."""
    now = datetime.now(UTC)
    event, text = _event(adapter, flow.trigger.uses, input, now)
    # Each manual run is an event of its own, also with the same input.
    event = replace(event, identity=f"manual-{secrets.token_hex(16)}")
    return Delivery(connector_of(flow.trigger.uses), flow.trigger.connection, event, text, now)


def _event(adapter: Adapter, trigger: str, input: str | None, now: datetime) -> tuple[Event, str]:
    example = adapter.registry.trigger(trigger).sample
    text = read_input(input) if input else json.dumps(sample(example.payload, now))
    if example.source == "webhook":
        webhook = adapter.registry.connections[connector_of(trigger)].webhook
        assert webhook is not None  # noqa: S101 - the registry has seen to it
        try:
            return webhook.parse(text), text
        except WebhookError as error:
            raise UsageError(f"--input: {error}") from error
    return replace(example, occurred_at=now, payload=read_object(text, example.payload)), text


async def _execute(adapter: Adapter, database: Path, flow: Flow, delivery: Delivery, *, quiet: bool) -> str:
    store = Store(database)
    try:
        async with adapter:
            worker = Worker(adapter, store, lambda: datetime.now(UTC))
            run_id = _started(await Intake(adapter, store, [flow], worker.wake).accept(delivery))
            async with _watching(database, run_id, quiet=quiet):
                await worker.finish([run_id])
            return run_id
    finally:
        store.close()


async def _leave(adapter: Adapter, database: Path, flow: Flow, delivery: Delivery) -> str:
    """Queue the run for the process that executes the database."""
    store = Store(database)
    try:
        return _started(await Intake(adapter, store, [flow]).accept(delivery))
    finally:
        store.close()


def _started(stored: Stored) -> str:
    for start in stored.starts:
        if start.run_id:
            return start.run_id
    reason = stored.starts[0].reason if stored.starts else "the flow is off, or its trigger does not want the event"
    raise StartedNothingError(f"the event started nothing: {reason}; give another event with --input")


@asynccontextmanager
async def _watching(database: Path, run_id: str, *, quiet: bool) -> AsyncIterator[None]:
    if quiet:
        yield
        return
    output.line(output.styled(run_id, "bold"))
    shown = timeline.Timeline(database, run_id)
    watching = asyncio.create_task(shown.watch())
    try:
        yield
    finally:
        watching.cancel()
    shown.look()


def _follow(adapter: Adapter, database: Path, run_id: str, *, quiet: bool) -> None:
    """Watch the process that executes the database do the run; where that process has left, do it here."""
    if not quiet:
        output.line(output.styled(run_id, "bold"))
    shown = timeline.Timeline(database, run_id, quiet=quiet)
    while shown.follow(timeline.has_ended, seconds=1).status not in records.ENDED:
        with suppress(StoreLockedError), sqlite.exclusive(database):
            asyncio.run(_finish(adapter, database, run_id))


async def _finish(adapter: Adapter, database: Path, run_id: str) -> None:
    store = Store(database)
    try:
        async with adapter:
            await store.requeue([run_id])
            await Worker(adapter, store, lambda: datetime.now(UTC)).finish([run_id])
    finally:
        store.close()


def _report(database: Path, run_id: str, *, as_json: bool) -> int:
    run = sqlite.read_file(database, lambda connection: Journal(connection).run(run_id))
    if run is None:
        raise StoreError(f"the run {run_id} has vanished from {database}")
    if as_json:
        output.write_json({**timeline.as_json(run), "outputs": run.outputs})
    else:
        output.line(output.status(run.status), f": {run.error.message}" if run.error else "")
    return exits.of_kind(run.error.kind) if run.error else exits.DONE
