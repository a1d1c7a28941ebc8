"""What people read of an operation beside its schemas: what it does, how it starts, and an example to paste."""

from collections.abc import Mapping
from typing import Any

from connector.declare import Action, Effect, Trigger, connector_of
from connector.manifest.contents import group_of, needs_of
from connector.validation import refuse

EFFECTS: Mapping[Effect, str] = {
    "read": "changes nothing",
    "idempotent": "repeating it has no further effect",
    "once": "repeating it acts twice",
    "destructive": "something is gone afterwards",
}


def how_it_starts(trigger: Trigger) -> str:
    group, path = group_of(trigger), f"/webhooks/{connector_of(trigger.name)}"
    if group == "webhook":
        return f"starts by a webhook to {path}, or to {path}/CONNECTION for a named connection"
    if group == "polled":
        return "starts by polling; it needs no webhook"
    if group == "joined":
        return f"starts by a webhook to {path} and by polling, once for what both tell of. {needs_of(trigger)}"
    return "starts by the clock" if "schedule" in trigger.sources else "starts by hand, with: chatforge run"


def example_of(declared: Action | Trigger) -> Any:
    """A step of a flow, as the item of a list, or the trigger of one: plain JSON, to be written as YAML."""
    if isinstance(declared, Trigger):
        return {"trigger": {"uses": declared.name}}
    step = {"id": declared.name.rpartition(".")[2], "uses": declared.name}
    return [{**step, "with": dict(declared.example)} if declared.example else step]


def lacks(trigger: Trigger) -> str | None:
    """What its example says no word about, but has to; None where that is all."""
    found = refuse(trigger.input, {})
    return found[1] if found else None
