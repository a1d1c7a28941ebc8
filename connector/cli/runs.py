"""`chatforge runs`."""

import json
from typing import Annotated

import typer

from connector.cli import output, timeline
from connector.cli.exits import UsageError
from connector.cli.loading import load_settings
from connector.runs.journal import Journal
from connector.runs.records import RunStatus
from connector.sqlite import read_file

app = typer.Typer(help="Look at runs.", rich_markup_mode=None)


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=10_000)] = 20,
    flow: Annotated[str | None, typer.Option(help="Only runs of this flow.")] = None,
    status: Annotated[RunStatus | None, typer.Option(help="Only runs with this status.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """List runs, newest first."""
    runs = read_file(
        load_settings().database, lambda connection: Journal(connection).runs(limit, flow=flow, status=status)
    )
    if as_json:
        output.write_json([timeline.as_json(run) for run in runs])
    elif not runs:
        output.line("no runs")
    else:
        output.table(
            ("run", "flow", "status", "created", "took", "error"),
            (
                (
                    run.id,
                    run.flow,
                    output.status(run.status),
                    output.moment(run.created_at),
                    output.seconds(run.started_at, run.finished_at),
                    run.error.message if run.error else "",
                )
                for run in runs
            ),
        )


@app.command()
def show(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The id of a run.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False,
) -> None:
    """Show one run: its steps, what went in and what came out."""
    found = read_file(
        load_settings().database,
        lambda connection: (
            Journal(connection).run(run_id),
            Journal(connection).steps(run_id),
            Journal(connection).attempts(run_id),
        ),
    )
    run, steps, attempts = found
    if run is None:
        raise UsageError(f"there is no run {run_id!r}; see: chatforge runs list")
    if as_json:
        shown = {
            **timeline.as_json(run),
            "revision": run.revision,
            "trigger": run.trigger,
            "outputs": run.outputs,
            "steps": [timeline.step_as_json(step) for step in steps.values()],
        }
        output.write_json(shown)
        return
    output.line(output.styled(run.id, "bold"), "  ", run.flow, "  ", output.status(run.status))
    output.line(f"created {output.moment(run.created_at)}, event {run.event_id}")
    for step in steps.values():
        output.line("")
        timeline.show_step(run, step)
        if step.input is not None:
            output.line("             input   ", json.dumps(step.input, ensure_ascii=False))
        for attempt in attempts:
            if attempt.step == step.id and attempt.error:
                output.line(f"             attempt {attempt.number}: ", attempt.error)
    if run.error:
        output.line("")
        output.line("error    ", run.error.message)
    if run.outputs is not None:
        output.line("")
        output.line("outputs  ", json.dumps(run.outputs, ensure_ascii=False))
