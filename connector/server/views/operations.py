"""Operations: the triggers and actions that there are, what each takes and gives, and a form to try it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import groupby
from typing import Any, Literal

from pydantic import BaseModel, Field

from connector import choices
from connector.adapter import DEFAULT
from connector.declare import Action, Effect, Trigger, connector_of
from connector.errors import ConnectorError, Processed
from connector.flows.flow import Flow
from connector.flows.schema_fields import SchemaField, read_fields
from connector.manifest import guide, write_yaml
from connector.registry import schemas_of
from connector.runs.listeners import find_listeners
from connector.server.forms import FormField, form_of, read_form
from connector.server.pages import Page, Params
from connector.server.site import Site
from connector.server.tries import Try, new_key
from connector.server.trying import Typed, find_operation, input_of, may_be_tried
from connector.server.views.connections import find_fault
from connector.server.views.run import RequestShown

_WORDS: Mapping[Effect, str] = {
    "read": "reads",
    "idempotent": "may be repeated",
    "once": "acts once",
    "destructive": "deletes",
}
Declared = Action | Trigger


class OperationsParams(Params):
    text: str | None = Field(None, max_length=200, description="Part of a name, a title or a description.")


class OperationRow(BaseModel):
    name: str
    kind: Literal["action", "trigger"]
    title: str
    effect: Effect | None = Field(description="Of an action.")
    does: str = Field(description="What repeating it does, or what starts it, in a few words.")
    sentence: str


class ConnectorRow(BaseModel):
    connector: str | None = Field(description="null for what belongs to none, such as the clock.")
    title: str
    operations: Sequence[OperationRow]


class OperationsShown(BaseModel):
    connectors: Sequence[ConnectorRow]
    count: int


async def read_operations(site: Site, wanted: OperationsParams) -> OperationsShown:
    registry = site.adapter.registry
    declared: list[Declared] = [*registry.triggers.values(), *registry.actions.values()]
    found = [one for one in declared if _fits(one, (wanted.text or "").casefold())]
    found.sort(key=lambda one: _connector(one) or "~")  # what belongs to none comes last
    rows = [
        ConnectorRow(
            connector=connector or None,
            title=registry.connections[connector].title if connector in registry.connections else connector,
            operations=[_row(one) for one in those],
        )
        for connector, those in groupby(found, _connector)
    ]
    return OperationsShown(connectors=rows, count=len(found))


def _fits(declared: Declared, text: str) -> bool:
    return any(text in one.casefold() for one in (declared.name, declared.title, declared.description))


def _connector(declared: Declared) -> str:
    return connector_of(declared.name) if "." in declared.name else ""


def _row(declared: Declared) -> OperationRow:
    is_action = isinstance(declared, Action)
    return OperationRow(
        name=declared.name,
        kind="action" if is_action else "trigger",
        title=declared.title,
        effect=declared.effect if isinstance(declared, Action) else None,
        does=_WORDS[declared.effect] if isinstance(declared, Action) else "starts flows",
        sentence=re.split(r"(?<=[.!?])\s", " ".join(declared.description.split()), maxsplit=1)[0],
    )


class OperationParams(Params):
    id: str = Field(max_length=200, description="The name of the operation.")
    key: str | None = Field(None, alias="try", max_length=64, description="Of a try, whose result is shown.")


class FieldRow(BaseModel):
    name: str
    level: int = Field(description="1 for a field itself, 2 for one of what it holds.")
    type: str = Field(description="In the notation of flows.")
    required: bool
    default: str | None = Field(description="As JSON.")
    description: str


class PreviewShown(BaseModel):
    method: str
    url: str
    body: str


class FailureShown(BaseModel):
    sentence: str
    kind: str | None
    processed: Processed = Field(description="Whether the other side may have acted.")
    transient: bool = Field(description="Whether the same may succeed later.")


class TryShown(BaseModel):
    what: Literal["done", "failed", "previewed", "refused"]
    at: datetime
    connection: str
    seconds: float | None
    output: Any
    is_sample: bool = Field(description="Whether there was no event, so that a sample is shown.")
    preview: PreviewShown | None
    failure: FailureShown | None
    requests: Sequence[RequestShown] = Field(description="What was sent.")


class OperationShown(BaseModel):
    operation: OperationRow
    description: Sequence[str] = Field(description="Its paragraphs.")
    more: str = Field(description="What repeating it does, or how it starts, as a sentence.")
    input: Sequence[FieldRow]
    output: Sequence[FieldRow]
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    example: str = Field(description="A step or a trigger of a flow, as YAML.")
    lacks: str | None = Field(description="What the example of a trigger has to say beside.")
    sample: Any = Field(description="Of the output of a trigger.")
    used_by: Sequence[str] = Field(description="The flows that use it.")
    connections: Sequence[str] = Field(description="Those that it can use; none where it needs none.")
    fault: str | None = Field(description="What the first of them lacks.")
    tryable: bool
    form: Sequence[FormField]
    key: str = Field(description="A fresh idempotency key for one try.")
    texts: dict[str, str] = Field(description="What was typed in the form of the try that is shown.")
    tried: TryShown | None


async def read_operation(site: Site, wanted: OperationParams) -> OperationShown | None:
    declared = find_operation(site, wanted.id)
    if declared is None:
        return None
    tried = site.tries.find(wanted.key, declared.name, site.clock()) if wanted.key else None
    taken, given = schemas_of(declared)
    connections = _connections(site, declared)
    is_action = isinstance(declared, Action)
    return OperationShown(
        operation=_row(declared),
        description=declared.description.split("\n\n"),
        more=guide.EFFECTS[declared.effect] if isinstance(declared, Action) else guide.how_it_starts(declared),
        input=[_field(one) for one in read_fields(taken, written=False)],
        output=[_field(one) for one in read_fields(given, written=True)],
        input_schema=taken,
        output_schema=given,
        example=write_yaml(guide.example_of(declared)),
        lacks=None if isinstance(declared, Action) else guide.lacks(declared),
        sample=None if is_action else await _sample(site, declared.name),
        used_by=[flow.name for flow in site.flows if declared.name in _used(flow)],
        connections=connections,
        fault=find_fault(site, connector_of(declared.name), connections[0]) if connections else None,
        tryable=may_be_tried(declared),
        form=form_of(taken, declared.example if isinstance(declared, Action) else {}, _needs(site, declared)),
        key=new_key(),
        texts=dict(tried.texts) if tried else {},
        tried=_try(tried) if tried else None,
    )


async def _sample(site: Site, trigger: str) -> Any:
    try:
        return await site.adapter.sample(trigger)
    except ConnectorError:  # it has no sample without an input
        return None


def _field(one: SchemaField) -> FieldRow:
    return FieldRow(
        name=one.name,
        level=one.level,
        type=one.words,
        required=one.required,
        default=None if one.default is None else json.dumps(one.default, ensure_ascii=False),
        description=one.description,
    )


def _used(flow: Flow) -> set[str]:
    """The operations that a flow uses, or waits for."""
    triggers = {one.trigger.uses for one in (flow, *find_listeners([flow])) if one.trigger}
    return triggers | {call.uses for _, call in flow.calls_of_actions()}


def _connections(site: Site, declared: Declared) -> list[str]:
    """Those of connections.yaml, and the one of the environment unless others stand there and it lacks something."""
    connector = connector_of(declared.name)
    if connector not in site.adapter.registry.connections:
        return []
    named = [name for name, one in site.settings.connections.items() if one.connector == connector]
    return named if DEFAULT in named or (named and find_fault(site, connector)) else [DEFAULT, *named]


def _needs(site: Site, declared: Declared) -> dict[str, tuple[str, ...]]:
    """The inputs whose values can be chosen, with those on which they depend."""
    places = {
        name: choices.place_of(declared, name, site.adapter.registry.actions) for name in choices.marked(declared)
    }
    return {name: place.needs for name, place in places.items() if place is not None}


def _try(tried: Try) -> TryShown:
    return TryShown(
        what=tried.what,
        at=tried.at,
        connection=tried.connection,
        seconds=tried.seconds,
        output=tried.output,
        is_sample=tried.is_sample,
        preview=PreviewShown(**asdict(tried.preview)) if tried.preview else None,
        failure=FailureShown(**asdict(tried.failure)) if tried.failure else None,
        requests=[RequestShown.model_validate(request) for request in tried.requests],
    )


class ChoicesParams(Typed):
    field: str | None = Field(
        None,
        max_length=200,
        description="The input for which values are wanted. Those on which they depend: input.NAME.",
    )
    cursor: str | None = Field(None, max_length=200, description="Of the next page.")


class ChoiceRow(BaseModel):
    value: str
    label: str


class ChoicesShown(BaseModel):
    field: str | None
    number: int = Field(description="The place of the field in the form, from 1 on.")
    choices: Sequence[ChoiceRow]
    cursor: str | None = Field(description="Of the next page; null on the last one.")
    error: str | None = Field(description="Why there is nothing to choose from.")


async def read_choices(site: Site, wanted: ChoicesParams) -> ChoicesShown | None:
    declared = find_operation(site, wanted.id)
    if declared is None:
        return None
    kind = input_of(site, declared.name)
    number = next((place for place, name in enumerate(kind.fields, 1) if name == wanted.field), 0)
    shown = ChoicesShown(field=wanted.field, number=number, choices=[], cursor=None, error=None)
    if not number:
        return shown.model_copy(update={"error": f"choose one of {', '.join(_needs(site, declared)) or 'none'}"})
    try:
        found = await site.adapter.options(
            declared.name,
            str(wanted.field),
            read_form(kind, wanted.texts),
            connection=wanted.connection,
            cursor=wanted.cursor,
        )
    except ConnectorError as error:
        return shown.model_copy(update={"error": str(error)})
    rows = [ChoiceRow(value=one.value, label=one.label) for one in found.choices]
    return shown.model_copy(update={"choices": rows, "cursor": found.cursor})


def _asks(_wanted: ChoicesParams) -> bool:
    return True


PAGES = (
    Page("/operations", "Operations", "operations.html", OperationsParams, OperationsShown, read_operations),
    Page("/operations/{id}", "Operation", "operation.html", OperationParams, OperationShown, read_operation),
    Page("/operations/{id}/choices", "Choice", "choices.html", ChoicesParams, ChoicesShown, read_choices, _asks),
)
