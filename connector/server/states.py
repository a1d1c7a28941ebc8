"""How far a run has come in each node of the graph of its flow."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args

from pydantic import BaseModel, Field

from connector.flow_graph import Graph
from connector.flows.flow import Call, Flow
from connector.flows.paths import find_step
from connector.runs import records

State = Literal["held", "failed", "running", "waiting", "succeeded", "skipped", "not reached"]
"""Of several steps, that of the first one here."""
_ORDER: Sequence[State] = get_args(State)
_RUNNING = ("started", "sending")


class NodeState(BaseModel):
    """Of a step. A step of a flow that is called several times stands for all of them."""

    state: State
    note: str = Field(description="The state; of a step with `for_each` how many items had which.")
    step: str | None = Field(description="The id of the step in the run; null where it was not reached.")


def find_states(flow: Flow, graph: Graph, steps: Iterable[records.Step]) -> dict[str, NodeState]:
    """By the ids of the nodes that are steps. `flow` is the one to which the run is pinned."""
    found: dict[tuple[str, str], list[records.Step]] = {}
    items: dict[tuple[str, str], list[records.Step]] = {}
    for record in steps:
        if (place := _place(flow, record.id)) is not None:
            (items if record.id.endswith("]") else found).setdefault(place, []).append(record)
    nodes = [node for one in (graph, *graph.inner) for node in one.nodes]
    places = {node.id: (node.flow, node.step) for node in nodes if node.flow and node.step}
    return {node: _state(found.get(place, ()), items.get(place, ())) for node, place in places.items()}


def _place(flow: Flow, path: str) -> tuple[str, str] | None:
    """The name of the flow that a step is of, and its id there."""
    outer, _, last = path.rpartition("/")
    if outer:
        step = find_step(flow, outer)
        called = step.does.flow if step is not None and isinstance(step.does, Call) else None
        return (called.name, last.partition("[")[0]) if called else None
    return flow.name, last.partition("[")[0]


def _state(found: Sequence[records.Step], items: Sequence[records.Step]) -> NodeState:
    if not found:
        return NodeState(state="not reached", note="not reached", step=None)
    first = min(found, key=_rank)
    counted = items or (found if len(found) > 1 else ())
    state = _word(first)
    return NodeState(state=state, note=_count(counted) if counted else state, step=first.id)


def _count(steps: Sequence[records.Step]) -> str:
    """`3 of 5 succeeded, 2 failed`."""
    numbers: Mapping[State, int] = Counter(map(_word, steps))
    others = "".join(f", {numbers[one]} {one}" for one in _ORDER if numbers[one] and one != "succeeded")
    return f"{numbers['succeeded']} of {len(steps)} succeeded{others}"


def _rank(step: records.Step) -> int:
    return _ORDER.index(_word(step))


def _word(step: records.Step) -> State:
    return "running" if step.status in _RUNNING else step.status  # type: ignore[return-value] # the words are those
