"""`chatforge run`."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from connector.adapter import Adapter
from connector.cli import execution, log_lines, output, timeline
from connector.cli.dry_run import EVENT_IS_SAMPLE, dry_run
from connector.cli.exits import UsageError
from connector.cli.flow_files import load_flows, require_file
from connector.cli.loading import load_adapter, load_settings, require_config, require_steps
from connector.cli.pin_options import read_pins
from connector.cli.run_event import Given, read_event
from connector.cli.run_inputs import read_inputs
from connector.errors import ConnectorError
from connector.flows.flow import Flow
from connector.runs.events import Decision, Stored
from connector.runs.intake import Intake, decide_event, decide_trigger
from connector.runs.pins import Pins
from connector.runs.store import Store


class StartedNothingError(ConnectorError):
    """The flow does not want the event, or holds it."""


def run(
    file: Annotated[Path, typer.Argument(help="A flow file.", show_default=False)],
    input: Annotated[
        str | None,
        typer.Option(
            metavar="JSON",
            help="What the flow reads as trigger, the body of an event, or the inputs of a flow that has inputs, as "
            "JSON or @FILE; without it a sample of the trigger as of now. See: chatforge show TRIGGER",
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Change what the flow reads as trigger, or give an input: agent_id=ID."
        ),
    ] = None,
    pinned: Annotated[
        list[str] | None,
        typer.Option("--pin", metavar="STEP=JSON", help="Give a step this output, or @FILE, instead of doing it."),
    ] = None,
    dry: Annotated[
        bool, typer.Option("--dry-run", help="Print what each step would do, with samples as outputs; send nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run as a JSON object.")] = False,
) -> int:
    """Run a flow once and wait for its end. Its actions act for real, unless --dry-run is given.

    Where a server executes the same database, the server does the run.

    Example: chatforge run docs/flows/lead-to-crm.yaml --set agent_id=ID
    """
    require_file(file)
    settings = load_settings(file)
    log_lines.configure(settings.log_format, logging.WARNING)
    adapter, database = load_adapter(file), settings.database
    [flow] = load_flows(file, adapter.catalogue)
    flow = replace(flow, enabled=True)  # who names it wants it
    pins = read_pins(flow, pinned or (), adapter.catalogue)
    require_config(adapter, [flow])
    begin = _read_start(adapter, flow, input, changes or (), pins)
    is_sample = input is None and not as_json and _has_sample(adapter, flow)
    if dry:
        return dry_run(adapter, flow, begin.decide(), pins, is_sample=is_sample, as_json=as_json)
    require_steps(adapter, flow)

    async def queue(store: Store) -> list[str]:
        if is_sample:
            output.line(EVENT_IS_SAMPLE)
        return [_started(await begin.queue(store))]

    [done] = execution.finish(adapter, database, queue, quiet=as_json)
    if as_json:
        output.write_json({**timeline.as_json(done), "outputs": done.outputs})
    return execution.code_of([done])


@dataclass(frozen=True, slots=True)
class _Start:
    """What a person starts the flow with: an event of its trigger, or its inputs."""

    adapter: Adapter
    flow: Flow
    pins: Pins
    given: Given | Mapping[str, Any]

    async def queue(self, store: Store) -> Stored:
        intake = Intake(self.adapter, store, [self.flow])
        if not isinstance(self.given, Given):
            return await intake.start(self.flow, self.given, datetime.now(UTC), self.pins)
        if self.given.trigger is not None:
            return await intake.start_with(self.flow, self.given.trigger, self.given.delivery, self.pins)
        return await intake.accept(self.given.delivery, self.pins)

    def decide(self) -> Decision:
        """What the flow makes of it. Raises StartedNothingError."""
        if not isinstance(self.given, Given):
            return Decision(self.flow.name, self.flow, self.given)
        now, trigger = self.given.delivery.received_at, self.given.trigger
        if trigger is not None:
            decision: Decision | None = decide_trigger(self.adapter, self.flow, dict(trigger), now)
        else:
            decision = decide_event(self.adapter, self.flow, self.given.delivery, now)
        if decision is None or decision.trigger is None:
            raise _nothing(decision.reason if decision else None)
        return decision


def _has_sample(adapter: Adapter, flow: Flow) -> bool:
    """Whether the flow reads of its trigger what a person may want to change."""
    return flow.trigger is not None and adapter.registry.trigger(flow.trigger.uses).sources != ("manual",)


def _read_start(adapter: Adapter, flow: Flow, input: str | None, changes: Sequence[str], pins: Pins) -> _Start:
    if input is not None and changes:
        what = "changes the sample, and --input gives another event" if flow.trigger else "and --input give the inputs"
        raise UsageError(f"--set {what}; give one of them")
    given = read_event(adapter, flow.trigger, input, changes) if flow.trigger else read_inputs(flow, input, changes)
    return _Start(adapter, flow, pins, given)


def _started(stored: Stored) -> str:
    for start in stored.starts:
        if start.run_id:
            return start.run_id
    raise _nothing(stored.starts[0].reason if stored.starts else None)


def _nothing(reason: str | None) -> StartedNothingError:
    why = reason or "the flow is off, or its trigger does not want the event"
    return StartedNothingError(f"the event started nothing: {why}; give another event with --input or --set")
