"""`chatforge events`."""

import json
from typing import Annotated, Any

import typer

from connector import engines
from connector.cli import output
from connector.cli.exits import UsageError
from connector.cli.loading import load_settings
from connector.cli.resend import print_starts, resend
from connector.runs import records
from connector.runs.journal import Journal
from connector.runs.records import Damaged
from connector.runs.search import EventFilter, find_events

app = typer.Typer(help="Look at events, and decide one anew.", rich_markup_mode=None)


@app.command("list")
def list_events(
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=10_000)] = 20,
    held: Annotated[bool, typer.Option("--held", help="Only events that are held.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """List events, newest first.

    Example: chatforge events list --held
    """
    wanted = EventFilter(held=held)
    events = engines.read(load_settings().database, lambda connection: find_events(connection, wanted, limit))
    if as_json:
        output.write_json([_as_json(event) for event in events])
    elif not events:
        output.line("no events")
    else:
        output.table(
            ("event", "received", "status", "name", "connection"),
            map(_cells, events),
        )


@app.command()
def show(
    event_id: Annotated[str, typer.Argument(metavar="EVENT", help="The id of an event.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Show one event: its body, and what each flow made of it.

    Example: chatforge events show evt_019af1e2b3c4d5e6f7a8
    """
    event, starts, waiting = engines.read(
        load_settings().database,
        lambda connection: (
            Journal(connection).event(event_id),
            Journal(connection).starts(event_id),
            Journal(connection).waiting(event_id),
        ),
    )
    if event is None:
        raise UsageError(f"there is no event {event_id!r}; see: chatforge events list")
    if as_json:
        made = [{"flow": start.flow, "run_id": start.run_id, "reason": start.reason} for start in starts]
        due = [{"flow": flow, "due_at": output.iso(due_at)} for flow, due_at in waiting.items()]
        output.write_json({**_as_json(event), "body": event.text, "starts": made, "waiting": due})
        return
    output.line(output.styled(event.id, "bold"), "  ", event.name, "  ", output.status(event.status))
    output.line(f"received {output.moment(event.received_at)} by {event.connector}/{event.connection}")
    output.line("")
    if event.text is None:
        why = "as it was kept long enough or its person was erased"
        output.line(f"its content was removed, {why}; it is still known when it comes again")
    else:
        output.console.print(_pretty(event.text), markup=False)
    output.line("")
    print_starts(starts, event.id)
    for flow, due_at in waiting.items():
        at = f"at {output.moment(due_at)} it starts without"
        output.line(output.styled(f"{flow}  ", "bold"), f"waits until what the webhook tells of is listed; {at}")
    if not starts and not waiting:
        output.line("no flow wants this event")


app.command()(resend)


def _cells(event: records.Event | Damaged) -> tuple[object, ...]:
    if isinstance(event, Damaged):
        return event.id, "", output.status("damaged"), f"damaged: {event.sentence}", ""
    return (
        event.id,
        output.moment(event.received_at),
        output.status(event.status),
        event.name,
        f"{event.connector}/{event.connection}",
    )


def _as_json(event: records.Event | Damaged) -> dict[str, Any]:
    if isinstance(event, Damaged):
        return {"id": event.id, "status": "damaged", "damaged": event.sentence}
    return {
        "id": event.id,
        "name": event.name,
        "status": event.status,
        "connector": event.connector,
        "connection": event.connection,
        "occurred_at": output.iso(event.occurred_at),
        "received_at": output.iso(event.received_at),
    }


def _pretty(text: str) -> str:
    """The body as indented JSON; its escapes keep control characters from the terminal."""
    try:
        return json.dumps(json.loads(text), indent=2)
    except (ValueError, RecursionError):  # Python reads no integer of more than 4,300 digits
        return output.printable(text)
