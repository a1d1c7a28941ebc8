"""Makes a test of a run: what it was started with, what its steps gave as pins, and what happened as expectations."""

from collections.abc import Mapping, Sequence
from typing import Any

from connector.adapter import Adapter
from connector.declare import connector_of
from connector.errors import SettingsError
from connector.flows.expressions.functions import from_time
from connector.flows.flow import Approve, Call, Flow, Step, WaitFor
from connector.flows.paths import find_step
from connector.runs import records
from connector.runs.decisions.interventions import RefusedError
from connector.runs.waits import RunView

_OUTSIDE = "a test shows what steps do, and this run ended for another reason: "


def make_test(adapter: Adapter, flow: Flow, view: RunView) -> dict[str, Any]:
    """The content of a test file, without the secrets of the accounts that the flow uses. Raises ConnectorError."""
    run = view.run
    if run.status not in records.ENDED or run.status == "cancelled":
        raise RefusedError(f"the run {run.id} is {run.status}; a test is made of a run that has ended")
    known = {step.id for step in view.steps}
    if run.error and run.error.step not in known and run.error.kind != "expression":
        raise RefusedError(f"{_OUTSIDE}{run.error.message}")
    owners = (flow, *(owner for owner, _ in flow.all_steps()))
    case = {
        "name": f"as in {run.id}",
        "now": from_time(run.started_at or run.created_at),
        "trigger" if flow.trigger else "inputs": run.trigger,
        "config": {name: value for owner in owners for name, value in adapter.config(owner.config).items()},
        "pins": {step.id: step.output for step in view.steps if _is_given(flow, step, view.steps)},
        "errors": {step.id: _error(step, step.error) for step in view.steps if step.error and _has_failed(flow, step)},
        "expect": expect(flow, run, view.steps),
    }
    test = {"tests": [{name: value for name, value in case.items() if value or name == "inputs"}]}
    hidden: dict[str, Any] = _hidden(adapter, flow, test)
    return hidden


def _is_given(flow: Flow, record: records.Step, all_steps: Sequence[records.Step]) -> bool:
    """Whether the step has its output from outside, and not from steps inside it."""
    step = find_step(flow, record.id)
    if step is None or record.status != "succeeded":
        return False
    if not isinstance(step.does, Call):
        return isinstance(step.does, WaitFor | Approve)
    if step.does.each and not record.id.endswith("]"):
        has_items = any(one.id.startswith(f"{record.id}[") for one in all_steps)
        return not has_items and bool((record.input or {}).get("items"))
    return step.does.flow is None or not any(one.id.startswith(f"{record.id}/") for one in all_steps)


def _has_failed(flow: Flow, record: records.Step) -> bool:
    """Whether the step failed by itself, at what is outside."""
    step = find_step(flow, record.id)
    acts = step is not None and isinstance(step.does, Call | WaitFor | Approve)
    return acts and record.error is not None and record.error.step == record.id


def _error(step: records.Step, failure: records.Failure) -> dict[str, Any]:
    held = {"held": True} if step.status == "held" else {}
    return {"kind": failure.kind, "message": failure.message, **held}


def expect(flow: Flow, run: records.Run, steps: Sequence[records.Step]) -> dict[str, Any]:
    """What happened, as what is expected."""
    found = {step.id: _step(found, step) for step in steps if (found := find_step(flow, step.id)) is not None}
    expected = {
        "status": run.status,
        "reason": run.reason,
        "error": run.error.message if run.error else None,
        "steps": found,
        "outputs": run.outputs,
    }
    given = {name: value for name, value in expected.items() if value is not None}
    without_id: dict[str, Any] = _without(run.id, given)
    return without_id


def _step(step: Step, record: records.Step) -> str | dict[str, Any]:
    if record.status == "skipped":
        return {"status": "skipped", "reason": record.reason}
    acts = isinstance(step.does, Call) and isinstance(record.input, dict)
    return {"status": record.status, "input": record.input} if acts else record.status


def _without(run_id: str, value: Any) -> Any:
    """The value without the fields that have the id of the run in them: another run has another one."""
    if isinstance(value, Mapping):
        return {name: _without(run_id, one) for name, one in value.items() if not _has_id(run_id, one)}
    return value


def _has_id(run_id: str, value: Any) -> bool:
    if isinstance(value, list):
        return any(run_id in str(one) for one in value)
    return isinstance(value, str) and run_id in value


def _hidden(adapter: Adapter, flow: Flow, test: Any) -> Any:
    uses = [step.does for _, step in flow.all_steps() if isinstance(step.does, Call | WaitFor)]
    accounts = {
        (connector_of(one.uses), one.connection)
        for one in (*uses, *([flow.trigger] if flow.trigger else []))
        if not (isinstance(one, Call) and one.flow)
    }
    for connector, connection in sorted(accounts):
        try:
            test = adapter.hide_secrets(test, connector, connection)
        except SettingsError:  # it has no secret here
            continue
    return test
