"""`chatforge runs resolve`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from connector import engines
from connector.adapter import Adapter
from connector.cli import execution, exits, output, timeline
from connector.cli.arguments import read_arguments
from connector.cli.exits import UsageError
from connector.cli.input_files import read_input, read_value
from connector.cli.loading import load_adapter, load_settings, require_steps
from connector.cli.persons import By, Reason, read_person
from connector.cli.retry import read_run
from connector.flows import values
from connector.flows.flow import Flow
from connector.flows.samples import stand_in, with_nulls
from connector.runs import records, revisions
from connector.runs.decisions import resolutions
from connector.runs.decisions.resolutions import Resolution, Resolved
from connector.runs.effects import acts_once
from connector.runs.store import Store


def resolve(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The id of a run.", show_default=False)],
    step: Annotated[
        str | None, typer.Option(help="The step that is held; not needed where only one is.", show_default=False)
    ] = None,
    done: Annotated[bool, typer.Option("--done", help="It took effect.")] = False,
    not_done: Annotated[bool, typer.Option("--not-done", help="It did not take effect, and is done anew.")] = False,
    given: Annotated[
        str | None, typer.Option("--output", metavar="JSON", help="What it gave, as JSON or @FILE.", show_default=False)
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A field of what it gave.")
    ] = None,
    flows: Annotated[
        Path | None, typer.Option(help="Where connections.yaml lies; flows without it.", show_default=False)
    ] = None,
    by: By = None,
    reason: Reason = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run as a JSON object.")] = False,
) -> int:
    """Say whether a held step took effect, let the run go on, and wait for its end.

    With --done the step succeeds with the output that you give, or with `unknown` for all of it; with --not-done it is
    done anew. The run goes on when the last of its held steps is resolved.

    Example: chatforge runs resolve run_019af1e2b3c4d5e6f7a8 --step takeover --not-done
    """
    adapter, database = load_adapter(flows), load_settings(flows).database
    run, once = read_run(database, run_id), acts_once(adapter)
    held = engines.read(database, lambda connection: resolutions.find(connection, run_id, step, once))
    if done == not_done:
        raise UsageError(f"say whether {held.id} took effect: either --done, or --not-done, which does it anew")
    if not done and (given is not None or changes):
        raise UsageError("--output and --set belong to --done; what is not done gave nothing")
    flow = engines.read(database, lambda connection: revisions.load(connection, run.revision, adapter.catalogue))
    if isinstance(flow, Flow):
        require_steps(adapter, flow)
    value = _read_output(adapter, held, given, changes or ()) if done else None
    wanted = Resolution(held.id, done, read_person(by, reason), value)

    async def queue(store: Store) -> list[str]:
        resolved = await store.write(resolutions.resolve, run_id, wanted, adapter.catalogue, once)
        if not as_json:
            _tell(wanted, resolved)
        return [run_id] if resolved.run.status == "queued" else []

    runs = execution.finish(adapter, database, queue, quiet=as_json) or [read_run(database, run_id)]
    if as_json:
        output.write_json({**timeline.as_json(runs[0]), "outputs": runs[0].outputs})
    return execution.code_of(runs) if runs[0].status in ("succeeded", "failed") else exits.DONE


def _read_output(adapter: Adapter, held: records.Step, given: str | None, changes: Sequence[str]) -> Any:
    """What the step gave, by the type of its action; `unknown` where nobody says it. Raises UsageError."""
    kind = adapter.catalogue.actions[held.action].given(held.input or {}).output
    if given is not None and changes:
        raise UsageError("--output and --set both say what the step gave; give one of them")
    if given is None and not changes:
        return stand_in(kind)
    value = read_value(read_input(given, "--output"), "--output") if given else read_arguments(kind, changes, "--set")
    filled = with_nulls(value, kind)
    if (refused := values.refuse(filled, kind)) is not None:
        raise UsageError(
            f"what {held.id} gave does not fit {held.action}: {refused}; give it with --output JSON or --set "
            f"NAME=VALUE, see: chatforge show {held.action}"
        )
    return filled


def _tell(wanted: Resolution, resolved: Resolved) -> None:
    run, person = resolved.run, wanted.person
    word = "took effect" if wanted.done else "did not take effect and is done anew"
    output.line(f"{wanted.step} of {run.id} {word}, says {person.by} at {output.moment(person.at)}")
    if resolved.left:
        output.line(f"still held: {', '.join(resolved.left)}")
    elif run.status in ("cancelled", "failed"):
        output.line(f"the run is {run.status}; to let it go on: chatforge runs retry {run.id}")
    elif isinstance(resolved.flow, str):
        output.line(f"the run stays held: {resolved.flow}; correct it, then: chatforge runs retry {run.id} --latest")
