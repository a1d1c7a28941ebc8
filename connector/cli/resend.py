"""`chatforge events resend`."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from connector import engines
from connector.adapter import Adapter
from connector.cli import execution, exits, output, timeline
from connector.cli.completion import FLOWS
from connector.cli.exits import UsageError
from connector.cli.flow_files import load_flows
from connector.cli.input_files import quoted_path
from connector.cli.loading import load_adapter, load_settings, require_steps
from connector.declare import connector_of
from connector.errors import ConnectorError
from connector.flows.flow import Flow
from connector.flows.problems import did_you_mean
from connector.runs import records, resends
from connector.runs.intake import decide_event
from connector.runs.journal import Journal
from connector.runs.polling.watches import find_watches
from connector.runs.resends import Wanted
from connector.runs.store import Store


class NothingHeldError(ConnectorError):
    """No flow holds the event, so there is nothing to decide anew."""


def resend(
    event_id: Annotated[str, typer.Argument(metavar="EVENT", help="The id of an event.", show_default=False)],
    name: Annotated[
        str | None,
        typer.Option("--flow", help="Decide it anew for this flow, also if not held.", autocompletion=FLOWS),
    ] = None,
    flows: Annotated[Path, typer.Option(help="A folder of flow files, or one file.")] = Path("flows"),
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> int:
    """Decide an event anew, for the flows that hold it or for one of them, and wait for the runs.

    For a flow that was corrected. The time of the event is not looked at. A flow that it has started is not
    started again.

    Example: chatforge events resend evt_019af1e2b3c4d5e6f7a8 --flow lead-to-crm
    """
    adapter, event, wanted = _load(flows, event_id, name)
    made: list[records.Start] = []

    async def queue(store: Store) -> list[str]:
        made.extend(await _resend(adapter, store, event, wanted))
        if not as_json:
            print_starts(made)
        return [start.run_id for start in made if start.run_id]

    runs = execution.finish(adapter, load_settings(flows).database, queue, quiet=as_json)
    if as_json:
        shown = [{"flow": start.flow, "run_id": start.run_id, "reason": start.reason} for start in made]
        output.write_json({"event_id": event_id, "starts": shown, "runs": [timeline.as_json(run) for run in runs]})
    return execution.code_of(runs) if runs else exits.FAILED


def _load(path: Path, event_id: str, name: str | None) -> tuple[Adapter, records.Event, list[Flow]]:
    """The event, and the flows that shall decide it anew. Raises ConnectorError."""
    adapter = load_adapter(path)
    event, starts = engines.read(
        load_settings(path).database,
        lambda connection: (Journal(connection).event(event_id), Journal(connection).starts(event_id)),
    )
    if event is None:
        raise UsageError(f"there is no event {event_id!r}; see: chatforge events list")
    wanted = _wanted(load_flows(path, adapter.catalogue), path, starts, event, name)
    for flow in wanted:
        require_steps(adapter, flow)
    return adapter, event, wanted


def _wanted(
    flows: Sequence[Flow], path: Path, starts: Sequence[records.Start], event: records.Event, name: str | None
) -> list[Flow]:
    held = [start.flow for start in starts if start.held]
    if name is None and not held:
        raise NothingHeldError(
            f"no flow holds the event {event.id!r}; name the flow that should start from it with --flow"
        )
    by_name = {flow.name: flow for flow in flows}
    for one in [name] if name is not None else held:
        if one not in by_name:
            hint = did_you_mean(one, by_name)
            more = f"{hint} or give its file with --flows" if hint else "give its file with --flows"
            raise UsageError(f"there is no flow {one!r} in {quoted_path(path)}; {more}")
    if name is not None:
        _require_account(by_name[name], event)
        return [replace(by_name[name], enabled=True)]  # who names it wants it
    if off := [one for one in held if not by_name[one].enabled]:
        raise UsageError(f"the flow {off[0]!r} is off; name a flow with --flow to start it all the same")
    return [by_name[one] for one in held]


def _require_account(flow: Flow, event: records.Event) -> None:
    if flow.trigger is None:
        raise UsageError(f"the flow {flow.name!r} has inputs and takes no events; run it with: chatforge run")
    account, own = (event.connector, event.connection), (connector_of(flow.started_by.uses), flow.started_by.connection)
    if account != own:
        raise UsageError(
            f"the flow {flow.name!r} takes events of {'/'.join(own)}, not of {'/'.join(account)} as {event.id}; "
            "name another flow"
        )


async def _resend(
    adapter: Adapter, store: Store, event: records.Event, flows: Sequence[Flow]
) -> Sequence[records.Start]:
    now = datetime.now(UTC)
    found = find_watches(adapter, flows, lambda flow, placed: decide_event(adapter, flow, placed, now))
    watches = {watcher.flow.name: watch for watch in found for watcher in watch.watchers}
    wanted = [Wanted(flow, watches.get(flow.name)) for flow in flows]
    delivery = resends.read_delivery(adapter, event)
    return await store.write(
        resends.resend, event.id, delivery, wanted, lambda flow, placed: decide_event(adapter, flow, placed, now), now
    )


def print_starts(starts: Sequence[records.Start], event_id: str | None = None) -> None:
    """What flows made of an event; with its id also what to do where a flow holds it."""
    for start in starts:
        made_of_it = f"started {start.run_id}" if start.run_id else f"started nothing: {start.reason}"
        if start.held and event_id:
            made_of_it = f"held: {start.reason}; to decide it anew: chatforge events resend {event_id}"
        output.line(output.styled(f"{start.flow}  ", "bold"), made_of_it)
