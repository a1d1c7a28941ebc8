"""What steps of flows wait for is polled and kept by flows that have no steps of their own, and start nothing."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from connector.database import Connection
from connector.flows.catalogue import Catalogue
from connector.flows.flow import Flow, TriggerUse, WaitFor
from connector.runs import revisions
from connector.runs.journal import DamagedRowError


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


def find_pinned(connection: Connection, catalogue: Catalogue, known: Iterable[Flow]) -> list[Flow]:
    """Those beside the `known` ones that runs wait for which go on with an older text, or whose flow is off."""
    rows = connection.execute("SELECT DISTINCT r.revision FROM awaited a JOIN runs r ON r.id = a.run_id").fetchall()
    loaded = []
    for row in rows:
        with suppress(DamagedRowError):  # its runs are held when they go on
            loaded.append(revisions.load(connection, row["revision"], catalogue))
    flows = [replace(flow, enabled=True) for flow in loaded if isinstance(flow, Flow)]
    used = [(flow.name, flow.trigger) for flow in known]
    pinned = [(flow, one) for flow in flows for one in find_listeners([flow])]
    others = [(flow, one) for flow, one in pinned if (one.name, one.trigger) not in used]
    return [replace(one, name=f"{one.name}@{flow.revision[:8]}") for flow, one in others]
