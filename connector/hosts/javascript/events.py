"""From which field of an event each value of a trigger's output comes, found by letting the trigger select one."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from connector.declare import Event, Trigger

_NOW = datetime(2026, 3, 25, 10, 30, tzinfo=UTC)
_NOW_TEXT = "2026-03-25T10:30:00Z"
_TOLD_AT = "2026-03-26T11:45:00Z"
_TIMES = ("created_at", "timestamp")


def read_mapping(trigger: Trigger, sample: Event, parse: Any) -> dict[str, Any]:
    """`from` has paths such as `data.visitor_email`, `or_now` outputs that are the present where that is missing.

    `parse` makes an event of a payload like that of `sample`.
    """
    told = _distinct(sample.payload)
    found = select(trigger, parse(told))
    places = dict(_walk(told))
    sources = {out: next((path for path, value in places.items() if value == got), None) for out, got in found.items()}
    without_time = select(trigger, parse(_without(told, _TOLD_AT)))
    now = [out for out, value in without_time.items() if value == _NOW_TEXT]
    constants = {out: found[out] for out, path in sources.items() if path is None and out not in now}
    return {"from": {out: path for out, path in sources.items() if path}, "or_now": now, "constants": constants}


def select(trigger: Trigger, event: Event) -> dict[str, Any]:
    """The output, as JSON."""
    selected = trigger.select(event, trigger.input(), _NOW)
    assert selected is not None  # noqa: S101 - it is an event that the trigger wants
    return selected.model_dump(mode="json")


def _distinct(value: Mapping[str, Any]) -> dict[str, Any]:
    """With a value of its own in each text but the event's name."""
    return {name: part if name == "event" else _mark(name, part) for name, part in value.items()}


def _mark(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return _distinct(value)
    return _TOLD_AT if name in _TIMES else f"{name} of it" if isinstance(value, str) else value


def _without(value: Mapping[str, Any], wanted: object) -> dict[str, Any]:
    return {
        name: _without(part, wanted) if isinstance(part, Mapping) else part
        for name, part in value.items()
        if part != wanted
    }


def _walk(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, part in value.items():
        yield f"{path}{name}", part
        if isinstance(part, Mapping):
            yield from _walk(part, f"{path}{name}.")
