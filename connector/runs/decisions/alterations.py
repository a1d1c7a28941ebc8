"""Whether a run can go on with another text of its flow than the one it began with."""

from collections.abc import Mapping
from typing import Any

from connector.flows import parameters, values
from connector.flows.catalogue import Catalogue
from connector.flows.flow import Call, Flow
from connector.flows.paths import output_type
from connector.runs import records
from connector.runs.decisions.places import Place, Places, Steps
from connector.runs.decisions.reopening import Reopening
from connector.runs.frames import action_of

_GONE = ("failed", "started", "waiting")
"""What a step that the flow no longer has may be: it did nothing that later steps read, or that is in doubt."""


def find_misfit(
    flow: Flow, run: records.Run, steps: Steps, places: Places, reopening: Reopening, catalogue: Catalogue
) -> str | None:
    """Why the flow does not fit what the run has done, as one sentence."""
    if (refused := _refuse_start(flow, run.trigger, catalogue)) is not None:
        return refused
    known = {place.path: place for place in places.walk()}
    for path, record in steps.items():
        if (place := known.get(path)) is None:
            if record.status not in _GONE:
                return f"the flow {flow.name!r} has no step {path} now, which {_did(record)} in {run.id}"
        elif path not in reopening.forgotten and (refused := _refuse_step(place, catalogue)) is not None:
            return refused
    return None


def _did(record: records.Step) -> str:
    return {"skipped": "was skipped", "held": "is held", "sending": "may have acted"}.get(record.status, record.status)


def _refuse_start(flow: Flow, given: Any, catalogue: Catalogue) -> str | None:
    if flow.trigger is not None:
        kind = catalogue.triggers[flow.trigger.uses].output
        refused = values.refuse(given, kind)
        return f"what started the run does not fit {flow.trigger.uses} now: {refused}" if refused else None
    faults = parameters.refuse(flow.inputs, given) if isinstance(given, Mapping) else ["it is no object"]
    return f"what started the run does not fit the inputs of {flow.name!r} now: {faults[0]}" if faults else None


def _refuse_step(place: Place, catalogue: Catalogue) -> str | None:
    record, does = place.record, place.step.does
    if record.action != action_of(does):
        return f"the step {place.path} is {action_of(does)} now, and was {record.action} in the run"
    called = does.flow if isinstance(does, Call) and not _is_list(place) else None
    if called and record.input is not None and (faults := parameters.refuse(called.inputs, record.input)):
        return f"the input of {place.path} does not fit {record.action} now: {faults[0]}"
    kind = output_type(place.step, place.path, catalogue)
    if record.status != "succeeded" or kind is None:
        return None
    refused = values.refuse(record.output, kind)
    return f"the output of {place.path} does not fit {record.action} now: {refused}" if refused else None


def _is_list(place: Place) -> bool:
    return isinstance(place.step.does, Call) and place.step.does.each is not None and not place.path.endswith("]")
