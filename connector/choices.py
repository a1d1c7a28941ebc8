"""The values that a person can choose from for an input, such as the agents of an account."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from connector.declare import Action, Trigger, connector_of
from connector.errors import InputError
from connector.marks import CHOICES
from connector.validation import quoted


@dataclass(frozen=True, slots=True)
class Choice:
    """`value` goes into the input; `label` is for the person."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Choices:
    """One page of them. `cursor` gets the next page; None on the last one."""

    choices: tuple[Choice, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the values of an input are listed."""

    action: str
    """The full name of a read action."""
    items: str
    value: str
    label: str
    cursor: str | None
    """The input of the action that gets the next page."""
    counts: bool
    """Whether that is a number."""
    needs: tuple[str, ...]
    """The inputs of the operation that the action has too, and has to have."""


def marked(declared: Action | Trigger) -> dict[str, dict[str, Any]]:
    """What `marks.chosen_from` says, by input."""
    extras = {name: field.json_schema_extra for name, field in declared.input.model_fields.items()}
    return {name: extra[CHOICES] for name, extra in extras.items() if isinstance(extra, dict) and CHOICES in extra}  # type: ignore[misc] # chosen_from made it


def place_of(declared: Action | Trigger, name: str, actions: Mapping[str, Action]) -> Place | None:
    """Where the values of the input `name` are listed; None where nothing says it."""
    found = marked(declared).get(name)
    if found is None:
        return None
    action, cursor = f"{connector_of(declared.name)}.{found['action']}", found.get("cursor")
    taken = actions[action].input.model_fields
    others = declared.input.model_fields.keys() - {name}
    needs = tuple(one for one, field in taken.items() if field.is_required() and one in others)
    counts = cursor is not None and taken[cursor].annotation is int
    return Place(action, found["items"], found["value"], found["label"], cursor, counts, needs)


def find_fault(declared: Action | Trigger, actions: Mapping[str, Action]) -> str | None:
    """Why the choices of an input cannot be had."""
    for name, found in marked(declared).items():
        action = actions.get(f"{connector_of(declared.name)}.{found['action']}")
        if action is None or action.effect != "read":
            return f"the choices of its {name} are of {found['action']!r}, which is no read action of the plugin"
        cursor = found.get("cursor")
        if found["items"] not in action.output.model_fields:
            return f"the choices of its {name} are {found['items']!r} of {action.name}, whose output has no such field"
        if (item := _item_of(action, found["items"])) and found["value"] not in item.model_fields:
            kind = f"{item.__name__} of {action.name}"
            return f"the choices of its {name} are by {found['value']!r}, which {kind} has not"
        if cursor and not (cursor in action.input.model_fields and f"next_{cursor}" in action.output.model_fields):
            return f"the choices of its {name} come by {cursor!r}: {action.name} must take that and give next_{cursor}"
    return None


def _item_of(action: Action, items: str) -> type[BaseModel] | None:
    """The model of what is listed, where it has one."""
    kinds = get_args(action.output.model_fields[items].annotation)
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


async def find(
    place: Place,
    input: Mapping[str, Any],
    cursor: str | None,
    ask: Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]],
) -> Choices:
    """One page. Raises InputError where an input that decides on the choices is missing."""
    for name in place.needs:
        if not input.get(name):
            raise InputError(f"choose {name} first: what there is to choose from depends on it")
    asked = {name: input[name] for name in place.needs}
    if cursor is not None and place.cursor is not None:
        asked[place.cursor] = _to_number(cursor) if place.counts else cursor
    page = await ask(place.action, asked)
    found = [_choice(item, place) for item in page.get(place.items) or ()]
    following = page.get(f"next_{place.cursor}") if place.cursor else None
    return Choices(tuple(found), None if following is None else str(following))


def _choice(item: Mapping[str, Any], place: Place) -> Choice:
    value = str(item[place.value])
    return Choice(value, str(item.get(place.label) or value))


def _to_number(cursor: str) -> int:
    if cursor.isascii() and cursor.isdecimal() and len(cursor) < 19:
        return int(cursor)
    raise InputError(f"the cursor is {quoted(cursor)}: expected the one of the page before")
