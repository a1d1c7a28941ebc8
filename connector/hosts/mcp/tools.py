"""Actions and flows as tools.

A tool is called PLUGIN_ACTION or flow_NAME. Its hints come from the effect class: a client asks its user before it
calls what is not read-only.
"""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import mcp_types as types

from connector.adapter import Adapter
from connector.declare import Action, connector_of
from connector.errors import ConnectorError, OutputError
from connector.flows.flow import Flow
from connector.flows.schema_writing import write
from connector.profiles import JsonSchema, convert, keep
from connector.validation import replace_surrogates

_FORBIDDEN = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_NAME = 64  # what clients take

RunFlow = Callable[[Flow, Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""Runs a flow with inputs; what comes of it fits `_RUN`, with the flow's outputs as they are."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool, and what its call gives: a value that fits its output schema."""

    tool: types.Tool
    call: Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]


def action_offers(adapter: Adapter, plugins: Iterable[str], connection: str, *, personal: bool) -> list[Offer]:
    """The actions of these plugins, in the order in which they are declared."""
    wanted = set(plugins)
    declared = [action for name, action in adapter.registry.actions.items() if connector_of(name) in wanted]
    return [_of_action(adapter, action, connection, personal=personal) for action in declared]


def _of_action(adapter: Adapter, action: Action, connection: str, *, personal: bool) -> Offer:
    schemas = adapter.schemas(action.name, "mcp", personal=personal)

    async def call(arguments: Mapping[str, Any]) -> dict[str, Any]:
        return await run_action(adapter, action.name, arguments, connection, schemas.output, personal=personal)

    hints = types.ToolAnnotations(
        read_only_hint=action.effect == "read",
        destructive_hint=action.effect == "destructive",
        idempotent_hint=action.effect in ("read", "idempotent"),
        open_world_hint=True,
    )
    tool = types.Tool(
        name=_name(action.name),
        title=action.title,
        description=action.description,
        input_schema=schemas.input,
        output_schema=schemas.output,
        annotations=hints,
    )
    return Offer(tool, call)


async def run_action(
    adapter: Adapter, name: str, given: Mapping[str, Any], connection: str, schema: JsonSchema, *, personal: bool
) -> dict[str, Any]:
    """The part of the output that the schema names. Without `personal`, an error does not quote the answer either."""
    try:
        output: dict[str, Any] = keep(await adapter.run(name, given, connection=connection), schema)
    except OutputError as error:
        if personal:
            raise
        raise OutputError(error.discreet, processed=error.processed, status=error.status) from None
    return output


_RUN: dict[str, Any] = {
    "run": {"type": "string", "description": "The id of the run."},
    "status": {"type": "string", "description": "succeeded, failed, held, waiting, running or queued."},
    "why": {
        "anyOf": [{"type": "string"}, {"type": "null"}],
        "description": "Why it did not succeed, or what it waits for.",
    },
}


def flow_offers(flows: Iterable[Flow], run: RunFlow, *, personal: bool) -> list[Offer]:
    """Flows that take inputs; others start by themselves. Their outputs are shown where personal data may be."""
    startable = sorted((flow for flow in flows if flow.trigger is None and flow.enabled), key=lambda flow: flow.name)
    return [_of_flow(flow, run, personal=personal) for flow in startable]


def _of_flow(flow: Flow, run: RunFlow, *, personal: bool) -> Offer:
    properties = {
        name: {
            **write(one.type),
            **({"description": one.description} if one.description else {}),
            **({} if one.default is None else {"default": one.default}),
        }
        for name, one in flow.inputs.items()
    }
    taken = {
        "type": "object",
        "properties": properties,
        "required": [name for name, one in flow.inputs.items() if one.required],
        "additionalProperties": False,
    }
    fields = {**_RUN, **({"outputs": {"anyOf": [write(flow.output), {"type": "null"}]}} if personal else {})}
    given = convert({"type": "object", "properties": fields, "required": [*fields]}, "mcp")

    async def call(arguments: Mapping[str, Any]) -> dict[str, Any]:
        found = await run(flow, arguments)
        return {name: found[name] for name in fields}

    tool = types.Tool(
        name=_name(f"flow_{flow.name}"),
        title=flow.name,
        description=flow.description or f"Run the flow {flow.name}.",
        input_schema=convert(taken, "mcp"),
        output_schema=given,
        annotations=types.ToolAnnotations(read_only_hint=False, idempotent_hint=False, open_world_hint=True),
    )
    return Offer(tool, call)


def _name(operation: str) -> str:
    """A name that is too long ends with a part of its digest, so two of them stay two."""
    name = _FORBIDDEN.sub("_", operation)
    digest = hashlib.sha256(operation.encode()).hexdigest()[:8]
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 9]}_{digest}"


async def answer(offer: Offer, arguments: Mapping[str, Any]) -> types.CallToolResult:
    """The output as JSON, structured and as text; the sentence where there is none."""
    try:
        output = await offer.call(arguments)
    except ConnectorError as error:
        return types.CallToolResult(content=[types.TextContent(type="text", text=str(error))], is_error=True)
    text = write_json(output)
    shown = types.TextContent(type="text", text=text)
    return types.CallToolResult(content=[shown], structured_content=json.loads(text))


def write_json(value: object) -> str:
    """JSON that UTF-8 can carry: halves of characters, which a visitor may type, would end the server."""
    return replace_surrogates(json.dumps(value, ensure_ascii=False))
