"""`chatforge runs`."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from connector import engines
from connector.cli import decisions, output, timeline, waits
from connector.cli.approve import approve
from connector.cli.cancel import cancel
from connector.cli.completion import FLOWS
from connector.cli.exits import UsageError
from connector.cli.export import export
from connector.cli.loading import load_adapter, load_settings
from connector.cli.resolve import resolve
from connector.cli.retry import retry
from connector.database import Connection
from connector.runs import records
from connector.runs.effects import acts_once
from connector.runs.journal import DamagedRowError
from connector.runs.records import Damaged, RunStatus
from connector.runs.search import RunFilter, find_runs
from connector.runs.waits import RunView, Waiting, find_waits, read_view

app = typer.Typer(help="Look at runs, answer what they ask, and decide about them.", rich_markup_mode=None)


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=10_000)] = 20,
    flow: Annotated[str | None, typer.Option(help="Only runs of this flow.", autocompletion=FLOWS)] = None,
    status: Annotated[RunStatus | None, typer.Option(help="Only runs with this status.")] = None,
    text: Annotated[
        str | None, typer.Option(help="Only runs about this part of an e-mail, a name or a message.")
    ] = None,
    since: Annotated[datetime | None, typer.Option(help="Only runs created since then, UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Only runs created before then, UTC.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """List runs, newest first.

    Example: chatforge runs list --status failed --text ann@example.com --since 2026-03-25
    """
    wanted = RunFilter(flow=flow, status=status, text=text, since=_utc(since), until=_utc(until))
    runs = engines.read(
        load_settings().database,
        lambda connection: [_find_waits(connection, run) for run in find_runs(connection, wanted, limit)],
    )
    if as_json:
        output.write_json([_as_json(run, waiting) for run, waiting in runs])
    elif not runs:
        output.line("no runs")
    else:
        output.table(
            ("run", "flow", "status", "created", "took", "why"), (_cells(run, waiting) for run, waiting in runs)
        )


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The id of a run.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Show one run: its steps, what went in and what came out.

    Example: chatforge runs show run_019af1e2b3c4d5e6f7a8
    """
    found = engines.read(load_settings().database, lambda connection: read_view(connection, run_id))
    if found is None:
        raise UsageError(f"there is no run {run_id!r}: it was removed, or never was there; see: chatforge runs list")
    if as_json:
        output.write_json(
            {
                **_as_json(found.run, found.waiting),
                "revision": found.run.revision,
                "trigger": found.run.trigger,
                "outputs": found.run.outputs,
                "steps": [timeline.step_as_json(step) for step in found.steps],
                "decisions": [decisions.as_json(one) for one in found.interventions],
            }
        )
    else:
        _show(found)


app.command()(approve)
app.command()(retry)
app.command()(resolve)
app.command()(cancel)
app.command()(export)


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None


def _find_waits(connection: Connection, run: records.Run | Damaged) -> tuple[records.Run | Damaged, list[Waiting]]:
    try:
        return run, find_waits(connection, run) if isinstance(run, records.Run) else []
    except DamagedRowError as error:  # of one of its steps
        return Damaged(run.id, str(error)), []


def _cells(run: records.Run | Damaged, waiting: Sequence[Waiting]) -> tuple[object, ...]:
    if isinstance(run, Damaged):
        return run.id, "", output.status("damaged"), "", "", f"damaged: {run.sentence}"
    return (
        run.id,
        run.flow,
        output.status(run.status),
        output.moment(run.created_at),
        output.seconds(run.started_at, run.finished_at),
        run.error.message if run.error else run.reason or waits.describe(run, waiting),
    )


def _as_json(run: records.Run | Damaged, waiting: Sequence[Waiting]) -> dict[str, Any]:
    if isinstance(run, Damaged):
        return {"id": run.id, "status": "damaged", "damaged": run.sentence}
    return {**timeline.as_json(run), "waits_for": [waits.as_json(one) for one in waiting]}


def _show(found: RunView) -> None:
    run = found.run
    output.line(output.styled(run.id, "bold"), "  ", run.flow, "  ", output.status(run.status))
    output.line(f"created {output.moment(run.created_at)}, event {run.event_id}")
    for step in found.steps:
        output.line("")
        timeline.show_step(run, step)
        for name, text in _details(step):
            output.line(f"             {name:<8}", text)
        for attempt in found.attempts:
            if attempt.step == step.id and attempt.error:
                output.line(f"             attempt {attempt.number}: ", attempt.error)
    for name, text in (
        ("error", run.error.message if run.error else ""),
        ("reason", run.reason or ""),
        ("waits", waits.describe(run, found.waiting)),
        *(("next", advice) for advice in _advise(found)),
        ("outputs", json.dumps(run.outputs, ensure_ascii=False) if run.outputs is not None else ""),
    ):
        if text:
            output.line("")
            output.line(f"{name:<9}", text)
    for intervention in found.interventions:
        output.line("")
        for line in decisions.describe(intervention):
            output.line(line)


def _advise(found: RunView) -> list[str]:
    if found.run.status not in ("held", "failed", "cancelled"):
        return []
    return decisions.advise(found.run, found.steps, acts_once(load_adapter()))


def _details(step: records.Step) -> Iterator[tuple[str, str]]:
    if step.action == "approve":
        yield from waits.approval_lines(step)
    elif step.input is not None:
        yield "input", json.dumps(step.input, ensure_ascii=False)
