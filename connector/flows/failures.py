"""`on_failure`: who is told that a run failed or is held, and what of it."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from connector.flows.calls import FindFlow, NoFlow
from connector.flows.document import Node
from connector.flows.flow import Flow
from connector.flows.keys import Keys
from connector.flows.types import NULL, STR, TIME, Type, assignable, literal, union

FIELDS: Mapping[str, Type] = {
    "text": STR,
    "flow": STR,
    "run": STR,
    "status": union([literal("failed"), literal("held")]),
    "step": union([STR, NULL]),
    "action": union([STR, NULL]),
    "error": STR,
    "kind": STR,
    "at": TIME,
    "page": union([STR, NULL]),
}
"""What a flow may have as inputs, and what a URL is sent. `text` is a sentence of it all, `page` the address of the
run's page, null unless CHATFORGE_PUBLIC_URL is set."""


def is_url(target: str) -> bool:
    return target.startswith(("http://", "https://"))


def refuse_url(url: str) -> str | None:
    """Why nothing can be sent to the URL."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc and url.isascii()
    except ValueError:
        usable = False
    return None if usable and url.split() == [url] else "it is no http:// or https:// URL without a user name"


def refuse_flow(flow: Flow) -> str | None:
    """Why the flow cannot be told: what starts it, or what it takes that is not there, or is of another type."""
    if flow.trigger is not None:
        return f"a trigger starts the flow {flow.name!r}; name a flow with inputs"
    for name, parameter in flow.inputs.items():
        given = FIELDS.get(name)
        if given is None and parameter.required:
            return f"flow {flow.name!r} needs the input {name!r}, and on_failure gives {', '.join(FIELDS)}"
        if given is not None and not assignable(given, parameter.type):
            return f"the input {name!r} of the flow {flow.name!r} is {parameter.type}, and on_failure gives {given}"
    return None


def read(keys: Keys, node: Node | None, find_flow: FindFlow) -> tuple[str | None, Flow | None]:
    """The URL, or the name of a flow and the flow."""
    target = keys.text(node, "on_failure")
    if node is None or target is None:
        return None, None
    if is_url(target):
        if (reason := refuse_url(target)) is not None:
            keys.complain(node, "type", f"on_failure is sent nothing: {reason}", "write https://HOST/PATH")
            return None, None
        return target, None
    found = find_flow(target)
    if isinstance(found, NoFlow):
        keys.complain(node, "unknown-flow", found.message, found.hint)
        return None, None
    if (reason := refuse_flow(found)) is not None:
        keys.complain(node, "input", reason, "give the input another name or type, or a default")
        return None, None
    return target, found
