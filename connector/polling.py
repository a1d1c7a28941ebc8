"""One step of a poll, without I/O: what a host keeps between two steps, and what the trigger makes of a page."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from connector.declare import Event, Page, PollRequest, PollStep, Trigger, connector_of
from connector.errors import ConnectorError, EventError, StateError, UnknownOperationError
from connector.validation import read, sentence


@dataclass(frozen=True, slots=True)
class Polled:
    """What one step of a poll brought. Keep `state` and the events in one transaction."""

    events: tuple[Event, ...]
    state: dict[str, Any]
    """Plain JSON, to be handed to the next step."""
    more: bool
    """Whether to step again at once; otherwise the round is over, and the poll rests for a while."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A poll that stands between two requests."""

    polled: Polled
    request: PollRequest | None
    """What it wants to see; None at the end of a round."""


def ask(
    trigger: Trigger, wanted: BaseModel, state: Mapping[str, Any] | None, now: datetime, page: Page = None
) -> Asked:
    """Hand `page` to the trigger; without one, see what it has asked for, or begin a round.

    Raises UnknownOperationError where the trigger is not polled, StateError where `state` is not one of it and this
    input, EventError where its poll fails.
    """
    inner, request = _read_state(trigger, wanted, state)
    if page is None and state is not None and request is not None:
        return Asked(Polled((), dict(state), more=True), request)
    step = _take(trigger, wanted, inner, page, now)
    kept = {
        "trigger": trigger.name,
        "input": wanted.model_dump(mode="json"),
        "state": step.state,
        "request": step.request and [step.request.action, step.request.input, step.request.optional],
    }
    polled = Polled(tuple(step.events), json.loads(json.dumps(kept, allow_nan=False)), step.request is not None)
    return Asked(polled, step.request)


def _take(trigger: Trigger, wanted: BaseModel, state: Mapping[str, Any] | None, page: Page, now: datetime) -> PollStep:
    if trigger.poll is None:
        parts = " and ".join(f"{connector_of(trigger.name)}.{part}" for part in trigger.joins)
        hint = f"; it joins {parts}: use these, and recognise what both tell of" if parts else ""
        raise UnknownOperationError(f"{trigger.name} is not polled{hint}")
    try:
        return trigger.poll(wanted, copy.deepcopy(state), page, now)
    except ConnectorError:
        raise
    except ValidationError as error:
        reason = sentence(error)
    except Exception as error:  # a fault in a plugin
        reason = f"{type(error).__name__}: {error}"
    raise EventError(f"the poll of {trigger.name} failed: {reason}; a state of None begins anew")


def _read_state(
    trigger: Trigger, wanted: BaseModel, state: Mapping[str, Any] | None
) -> tuple[Mapping[str, Any] | None, PollRequest | None]:
    """The trigger's own state, and what it has asked for."""
    if state is None:
        return None, None
    try:
        known = state["trigger"] == trigger.name and _is_same(trigger, wanted, state["input"])
        inner, request = state["state"], state["request"] and PollRequest(*state["request"])
    except (KeyError, TypeError):
        known = False
    if not known:
        raise StateError(
            f"the state is not one that the poll of {trigger.name} has returned for this input; "
            "pass what it returned last, or None to begin anew"
        )
    return inner, request


def _is_same(trigger: Trigger, wanted: BaseModel, kept: Any) -> bool:
    """Whether an input that was kept means what `wanted` does, though the plugin may have got new fields since."""
    dumped = wanted.model_dump(mode="json")
    try:
        return bool(kept == dumped or read(trigger.input, kept).model_dump(mode="json") == dumped)
    except ValidationError:
        return False
