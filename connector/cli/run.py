"""`chatforge run`."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from connector.adapter import Adapter, Delivery
from connector.cli import execution, output, timeline
from connector.cli.exits import UsageError
from connector.cli.flow_files import load_flows, require_file
from connector.cli.input_files import read_input, read_object
from connector.cli.loading import load_adapter, load_settings, require_steps
from connector.cli.send_event import sample
from connector.declare import Event, connector_of
from connector.errors import ConnectorError, WebhookError
from connector.flows.flow import Flow
from connector.runs.events import BY_HAND, Stored
from connector.runs.intake import Intake
from connector.runs.store import Store


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
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Change the sample, as in agent_id=ID."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run as a JSON object.")] = False,
) -> int:
    """Run a flow once and wait for its end. Its actions act for real.

    Where a server executes the same database, the server does the run.

    Example: chatforge run docs/flows/lead-to-crm.yaml --set agent_id=ID
    """
    if input is not None and changes:
        raise UsageError("--set changes the sample, and --input gives another event; give one of them")
    require_file(file)
    adapter, database = load_adapter(file), load_settings(file).database
    [flow] = load_flows(file, adapter.catalogue)
    flow = replace(flow, enabled=True)  # who names it wants it
    require_steps(adapter, flow)
    delivery = _delivery(adapter, flow, input, changes or ())

    async def queue(store: Store) -> list[str]:
        if input is None and not as_json:
            output.line("the event is a sample of the trigger; change it with --set, or give another one with --input")
        return [_started(await Intake(adapter, store, [flow]).accept(delivery))]

    [done] = execution.finish(adapter, database, queue, quiet=as_json)
    if as_json:
        output.write_json({**timeline.as_json(done), "outputs": done.outputs})
    return execution.code_of([done])


def _delivery(adapter: Adapter, flow: Flow, input: str | None, changes: Sequence[str]) -> Delivery:
    """The given event, or the trigger's sample as of now with the changes."""
    now = datetime.now(UTC)
    event, text = _event(adapter, flow.started_by.uses, input, changes, now)
    # Each manual run is an event of its own, also with the same input.
    event = replace(event, identity=f"{BY_HAND}{secrets.token_hex(16)}")
    return Delivery(connector_of(flow.started_by.uses), flow.started_by.connection, event, text, now)


def _event(
    adapter: Adapter, trigger: str, input: str | None, changes: Sequence[str], now: datetime
) -> tuple[Event, str]:
    example = adapter.registry.trigger(trigger).sample
    text = read_input(input) if input else json.dumps(sample(example.payload, now, changes=changes))
    if example.source == "webhook":
        webhook = adapter.registry.connections[connector_of(trigger)].webhook
        assert webhook is not None  # noqa: S101 - the registry has seen to it
        try:
            return webhook.parse(text), text
        except WebhookError as error:
            raise UsageError(f"--input: {error}") from error
    return replace(example, occurred_at=now, payload=read_object(text, example.payload)), text


def _started(stored: Stored) -> str:
    for start in stored.starts:
        if start.run_id:
            return start.run_id
    reason = stored.starts[0].reason if stored.starts else "the flow is off, or its trigger does not want the event"
    raise StartedNothingError(f"the event started nothing: {reason}; give another event with --input or --set")
