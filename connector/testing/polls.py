"""Whether a polled trigger finds every record once, as a pure step whose state can be stored."""

import copy
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from connector.adapter import Adapter
from connector.declare import Event, Page, PollRequest, PollStep
from connector.errors import ConnectorError
from connector.testing.paging import expect_records
from connector.testing.subject import NOW, Subject, fail
from connector.validation import read

_MOST_STEPS = 1000

State = Mapping[str, Any] | None


async def require_complete(subject: Subject, name: str) -> None:
    """A first round brings every record once, a second one nothing."""
    full, expected = subject.full(name), expect_records(subject, name)
    events, state = await _poll_round(subject, name, None, 0)
    identities = [event.identity for event in events]
    if not all(isinstance(identity, str) and identity.strip() for identity in identities):
        fail(f"{full} found an event without an identity; make one of what is unique to the record, such as its id")
    if doubled := sorted({one for one in identities if identities.count(one) > 1}):
        fail(f"{full} found the identity {doubled[0]!r} twice; tell each record once, and give each its own identity")
    if len(events) != expected:
        fail(
            f"{full} found {len(events)} of {expected} records; correct its poll, or give `inputs` an input for "
            f"{name!r} that wants all, such as start: all"
        )
    for event in events:
        subject.select(name, event)
    again, _ = await _poll_round(subject, name, state, 1)
    if again:
        fail(f"{full} found {again[0].identity!r} again in its second round; remember in the state what was told")


async def _poll_round(subject: Subject, name: str, state: State, number: int) -> tuple[list[Event], State]:
    events: list[Event] = []
    page: Page = None
    async with subject.open() as adapter:
        for _ in range(_MOST_STEPS):
            step = _step(subject, name, state, page, number)
            events += step.events
            state = step.state
            if step.request is None:
                return events, state
            page = await _fetch(subject, adapter, name, step.request)
    fail(f"{subject.full(name)} asks for more after {_MOST_STEPS} steps; a round must end with request None")


async def _fetch(subject: Subject, adapter: Adapter, name: str, request: PollRequest) -> dict[str, Any]:
    action = subject.registry.actions.get(subject.full(request.action))
    if action is None or action.effect != "read":
        fail(f"{subject.full(name)} asks for {request.action!r}, which is no read action of the plugin; name one")
    return await subject.run_well(adapter, request.action, request.input)


def _step(subject: Subject, name: str, state: State, page: Page, number: int) -> PollStep:
    """The step, made twice: from the same state and page the same must come."""
    first, second = (_call(subject, name, copy.deepcopy(state), copy.deepcopy(page), number) for _ in "ab")
    if _plain(first) != _plain(second):
        fail(
            f"the poll of {subject.full(name)} made two steps of the same state and page; make it depend on its "
            "arguments only, and keep nothing outside of the state"
        )
    return first


def _call(subject: Subject, name: str, state: State, page: Page, number: int) -> PollStep:
    trigger, full = subject.trigger(name), subject.full(name)
    assert trigger.poll is not None  # noqa: S101 - the suite asks only where there is one
    before = copy.deepcopy((state, page))
    try:
        wanted = read(trigger.input, subject.input_of(name))
        step = trigger.poll(wanted, state, page, NOW + timedelta(hours=number))
    except (ConnectorError, ValueError, TypeError, LookupError, AttributeError) as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        fail(f"the poll of {full} failed: {what}; correct it, or the input that `inputs` has for it")
    if (state, page) != before:
        fail(f"the poll of {full} changed its state or page in place; make a new state")
    _require_plain(full, step.state)
    return step


def _require_plain(full: str, state: object) -> None:
    try:
        plain = json.loads(json.dumps(state, allow_nan=False)) == state
    except (TypeError, ValueError):
        plain = False
    if not plain:
        fail(
            f"the state of {full} is {state!r:.200}, which does not survive JSON; use dicts with text as keys, lists, "
            "text, numbers, booleans and None"
        )


def _plain(step: PollStep) -> tuple[Sequence[Event], object, object]:
    return list(step.events), step.state, step.request
