"""`chatforge run --dry-run`: what the steps would do."""

import asyncio
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from connector.adapter import Adapter
from connector.cli import exits, output, timeline
from connector.errors import ConnectorError, SettingsError
from connector.flows.flow import Approve, Call, Flow
from connector.flows.paths import find_step, output_type, step_paths
from connector.flows.samples import sample
from connector.preview import Preview
from connector.runs import pins, records
from connector.runs.events import Decision
from connector.runs.pins import Pin, Pins
from connector.runs.rehearsal import Outcome, rehearse

EVENT_IS_SAMPLE = "the event is a sample of the trigger; change it with --set, or give another one with --input"
SAMPLE = "a sample"
"""Why the journal has an output that nobody gave."""
_NOTHING = "a dry run: nothing is sent, and no run is kept; an output marked as a sample is made from its type"


@dataclass(frozen=True, slots=True)
class Request:
    """The first request of a step, or why it is not known."""

    preview: Preview | None = None
    reason: str | None = None
    lacks_setting: bool = False
    """Whether the reason is a setting, which other steps lack too."""


def dry_run(adapter: Adapter, flow: Flow, decision: Decision, given: Pins, *, is_sample: bool, as_json: bool) -> int:
    """Walk the flow with samples for what is not pinned, and print what each step would do; an exit code."""
    logging.getLogger("connector").setLevel(logging.ERROR)  # what is printed tells of a failure
    outcome, requests = asyncio.run(_rehearse(adapter, flow, decision, {**sample_pins(adapter, flow), **given}))
    run = outcome.run
    assert run is not None  # noqa: S101 - the database was empty, so that neither dedupe nor concurrency says no
    if as_json:
        steps = [_as_json(adapter, step, requests.get(step.id)) for step in outcome.steps.values()]
        error = run.error.message if run.error else None
        shown = {"flow": flow.name, "status": run.status, "error": error, "reason": run.reason}
        output.write_json({**shown, "trigger": run.trigger, "steps": steps, "outputs": run.outputs})
    else:
        output.line(_NOTHING)
        if is_sample:
            output.line(EVENT_IS_SAMPLE)
        _show(adapter, run, outcome, requests)
    return exits.of_kind(run.error.kind) if run.error else exits.DONE


def sample_pins(adapter: Adapter, flow: Flow) -> dict[str, Pin]:
    """A pin for each step that acts or waits for somebody; an approval is a yes."""
    found = {}
    for path, step in step_paths(flow):
        kind = output_type(step, path, adapter.catalogue)
        if kind is None or (isinstance(step.does, Call) and step.does.flow):
            continue
        made = sample(kind, step.id)
        if isinstance(step.does, Approve):
            made = {name: made[name] for name in step.does.form}
        found[path] = Pin(made, reason=SAMPLE)
    return found


async def _rehearse(
    adapter: Adapter, flow: Flow, decision: Decision, given: Pins
) -> tuple[Outcome, Mapping[str, Request]]:
    async with adapter:
        outcome = await rehearse(adapter, flow, decision, given, datetime.now(UTC))
        requests = {}
        for step in outcome.steps.values():
            found, pin = find_step(flow, step.id), pins.find(given, step.id)
            asked = pin is not None and pin.reason == SAMPLE and step.status == "succeeded"
            if asked and found and isinstance(found.does, Call) and found.does.flow is None and step.input is not None:
                requests[step.id] = await _request(adapter, found.does, step.input)
        return outcome, requests


async def _request(adapter: Adapter, call: Call, given: Mapping[str, Any]) -> Request:
    try:
        preview = await adapter.preview(call.uses, given, connection=call.connection)
    except ConnectorError as error:
        return Request(reason=str(error), lacks_setting=isinstance(error, SettingsError))
    return Request(preview)


def _as_json(adapter: Adapter, step: records.Step, request: Request | None) -> dict[str, Any]:
    sent = request.preview if request else None
    return {
        **{key: value for key, value in timeline.step_as_json(step).items() if not key.endswith("_at")},
        "effect": _effect(adapter, step),
        "request": asdict(sent) if sent else None,
        "request_unknown": request.reason if request else None,
    }


def _effect(adapter: Adapter, step: records.Step) -> str | None:
    declared = adapter.registry.actions.get(step.action)
    if declared is None or (declared.by_constants and step.input is None):
        return None
    return declared.effect_of(step.input or {})


def _show(adapter: Adapter, run: records.Run, outcome: Outcome, requests: Mapping[str, Request]) -> None:
    output.line(f"started with  {_json(run.trigger)}")
    for step in outcome.steps.values():
        effect = _effect(adapter, step)
        output.line("")
        named = f"  {step.action}" + (f", {effect}" if effect else "")
        output.line(output.styled(f"{step.id:<10} ", "bold"), output.status(step.status), named)
        for name, text in _details(step, requests.get(step.id)):
            output.line(f"  {name:<9}", text)
    output.line("")
    why = run.error.message if run.error else run.reason
    output.line(output.status(run.status), f": {why}" if why else "")
    if run.outputs is not None:
        output.line("outputs    ", _json(run.outputs))
    for reason in dict.fromkeys(one.reason for one in requests.values() if one.lacks_setting and one.reason):
        output.line("")
        output.line("to know what is sent: ", reason)


def _details(step: records.Step, request: Request | None) -> Iterator[tuple[str, str]]:
    if step.input is not None:
        yield "input", _json(step.input)
    if request and request.preview:
        yield "sends", f"{request.preview.method} {request.preview.url}"
        if request.preview.body:
            yield "body", request.preview.body
    elif request and request.lacks_setting:
        yield "sends", "unknown, see the end"
    elif request and request.reason:
        yield "sends", f"unknown: {request.reason}"
    if step.error:
        yield "error", step.error.message
    if step.output is not None:
        yield "output", f"{_json(step.output)}" + (f"  ({step.reason})" if step.reason else "")
    elif step.reason:
        yield "reason", step.reason


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
