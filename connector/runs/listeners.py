"""What steps of flows wait for is polled and kept by flows that have no steps of their own, and start nothing."""

from collections.abc import Iterable
from dataclasses import replace

from connector.flows.flow import Flow, TriggerUse, WaitFor


def find_listeners(flows: Iterable[Flow]) -> list[Flow]:
    """One for each step with `wait_for` of the flows that are on, and of the flows that they call."""
    found: dict[str, Flow] = {}
    for owner, step in (pair for flow in flows if flow.enabled for pair in flow.all_steps()):
        if isinstance(step.does, WaitFor):
            name = f"{owner.name}/{step.id}"
            use = TriggerUse(step.does.uses, step.does.connection, step.does.input, None)
            found[name] = replace(
                owner, name=name, trigger=use, dedupe=None, concurrency=None, steps=(), on_error=(), calls={}
            )
    return list(found.values())
