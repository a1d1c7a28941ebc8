"""Trying an operation by hand, with the pages: an action is run, a polled trigger shows an event that there is."""

from collections.abc import Mapping
from dataclasses import replace
from time import monotonic
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field, JsonValue, model_validator
from pydantic.json_schema import SkipJsonSchema

from connector.adapter import DEFAULT
from connector.declare import Action, Trigger, connector_of
from connector.errors import ActionError, ConnectorError, InputError
from connector.flows.types import Object
from connector.runs.decisions.interventions import RefusedError
from connector.server.access import Visitor
from connector.server.forms import read_form, typed, write_form
from connector.server.pages import Change, FormError, Params
from connector.server.site import Site
from connector.server.tries import Asked, Failure, Try, new_key

_SECONDS = 60
"""Waits for the rate limit do not count."""
_DOES = {
    "idempotent": "changes something at the other side",
    "once": "acts once more each time",
    "destructive": "deletes something for good",
}


class Typed(Params):
    """An operation and what was typed for its input."""

    id: str = Field(max_length=200, description="The name of the operation.")
    connection: str = Field(DEFAULT, max_length=200)
    texts: SkipJsonSchema[dict[str, str]] = Field({}, description="By the names of the inputs.")

    @model_validator(mode="before")
    @classmethod
    def gather(cls, given: Any) -> Any:
        """Forms and addresses have the inputs as `input.NAME`."""
        return {**given, "texts": typed(given)} if isinstance(given, Mapping) else given


class PreviewAction(Typed):
    input: dict[str, JsonValue] | None = Field(None, description="The input of the operation.")


class TryOperation(PreviewAction):
    really: bool = Field(False, description="That it may be done, where it changes something.")
    key: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{8,64}$")] | None = Field(
        None, description="The idempotency key: what was asked for with it before is not done again."
    )


async def try_operation(site: Site, wanted: TryOperation, _visitor: Visitor) -> str:
    """Run an action, or fetch an event for a trigger; the page tells what came of it."""
    asked, key = _ask(site, wanted), wanted.key or new_key()
    try:
        _require_agreement(site, asked, really=wanted.really)
        await site.tries.send_once(key, asked, lambda: _send(site, asked, key))
    except ConnectorError as error:
        raise _refused(site, asked, error) from error
    return _path(asked.operation, key)


async def preview(site: Site, wanted: PreviewAction, _visitor: Visitor) -> str:
    """Show the first request that an action would send; nothing is sent."""
    asked = _ask(site, wanted)
    try:
        found = await site.adapter.preview(asked.operation, asked.input, connection=asked.connection)
    except ConnectorError as error:
        raise _refused(site, asked, error) from error
    return _path(asked.operation, site.tries.keep(replace(_begin(site, asked), what="previewed", preview=found)))


def find_operation(site: Site, name: str) -> Action | Trigger | None:
    registry = site.adapter.registry
    return registry.actions.get(name) or registry.triggers.get(name)


def input_of(site: Site, name: str) -> Object:
    """The type of its input. Raises KeyError."""
    catalogue = site.adapter.catalogue
    return (catalogue.actions.get(name) or catalogue.triggers[name]).input


def may_be_tried(declared: Action | Trigger) -> bool:
    return isinstance(declared, Action) or declared.poll is not None


def _ask(site: Site, wanted: PreviewAction) -> Asked:
    """Raises RefusedError, or FormError where what was typed does not fit."""
    declared = find_operation(site, wanted.id)
    if declared is None:
        raise RefusedError(f"there is no operation {wanted.id!r}; GET /api/operations lists them")
    if not may_be_tried(declared):
        raise RefusedError(f"{wanted.id} is not polled: its events come by themselves")
    kind = input_of(site, wanted.id)
    asked = Asked(
        wanted.id, wanted.connection, wanted.input or {}, wanted.texts or write_form(kind, wanted.input or {})
    )
    try:
        if wanted.input is None:
            asked = replace(asked, input=read_form(kind, wanted.texts))
        if isinstance(declared, Action):
            site.adapter.read_input(asked.operation, asked.input)
        site.adapter.require_connection(connector_of(asked.operation), asked.connection)
    except ConnectorError as error:
        raise _refused(site, asked, error) from error
    return asked


def _require_agreement(site: Site, asked: Asked, *, really: bool) -> None:
    """Raises InputError where it changes something and nobody has said that it may."""
    if asked.operation in site.adapter.registry.triggers:
        return
    effect = site.adapter.effect(asked.operation, asked.input)
    if effect != "read" and not really:
        raise InputError(
            f"{asked.operation} {_DOES[effect]}, and nothing was done: tick “This really does it” (`really`: true) if "
            "it may"
        )


async def _send(site: Site, asked: Asked, key: str) -> Try:
    begun, clock = _begin(site, asked), monotonic()
    requests: list[Mapping[str, Any]] = []
    try:
        if asked.operation in site.adapter.registry.triggers:
            output, is_sample = await _fetch(site, asked)
        else:
            output, is_sample = await _run(site, asked, key, requests), False
        told = replace(begun, output=output, is_sample=is_sample)
    except ConnectorError as error:
        told = replace(begun, what="failed", failure=_failure(error))
    return replace(told, seconds=monotonic() - clock, requests=requests)


async def _run(site: Site, asked: Asked, key: str, requests: list[Mapping[str, Any]]) -> dict[str, Any]:
    opened = site.adapter.open_call(
        asked.operation,
        asked.input,
        connection=asked.connection,
        idempotency_key=f"try-{key}",
        purpose="interactive",
    )
    async with opened as call:
        try:
            return await call.send(_SECONDS)
        finally:
            requests.extend(call.requests())


async def _fetch(site: Site, asked: Asked) -> tuple[dict[str, Any], bool]:
    """An event, and whether it is only a sample, as there is none."""
    found = await site.adapter.sample(asked.operation, asked.input, connection=asked.connection)
    return found, found == await site.adapter.sample(asked.operation, asked.input)


def _begin(site: Site, asked: Asked) -> Try:
    return Try("done", site.clock(), asked.operation, asked.connection, asked.texts)


def _failure(error: ConnectorError) -> Failure:
    if isinstance(error, ActionError):
        return Failure(str(error), error.kind, error.processed, error.transient)
    return Failure(str(error), None, "no", False)


def _refused(site: Site, asked: Asked, error: ConnectorError) -> FormError:
    kept = site.tries.keep(replace(_begin(site, asked), what="refused", failure=_failure(error)))
    return FormError(str(error), _path(asked.operation, kept))


def _path(name: str, key: str) -> str:
    return f"/operations/{quote(name, safe='')}?try={key}"


CHANGES = (
    Change("/operations/{id}/try", "Try an operation", TryOperation, try_operation),
    Change("/operations/{id}/preview", "Preview a request", PreviewAction, preview),
)
