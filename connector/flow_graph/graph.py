"""What the graph of a flow has in it.

A step whose condition is false is skipped and the next one follows; so that many conditions do not cross out each
other's lines, the line to such a step is dotted, and there is none around it.
"""

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from connector.flow_graph.labels import conditions_of, is_for_each, lines_of, start_of
from connector.flows.flow import Approve, Call, Flow, Step, Stop, Switch, Wait, WaitFor

Shape = Literal["start", "call", "flow", "wait", "event", "person", "branch", "end"]
_SHAPES: dict[type, Shape] = {
    Call: "call",
    Wait: "wait",
    WaitFor: "event",
    Approve: "person",
    Switch: "branch",
    Stop: "end",
}


@dataclass(frozen=True, slots=True)
class Node:
    """`step` is the id of the step that it stands for, in the flow with the name `flow`."""

    id: str
    shape: Shape
    lines: Sequence[str]
    flow: str | None = None
    step: str | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """`dotted`: what it leads to may be left out."""

    source: str
    target: str
    lines: Sequence[str] = ()
    dotted: bool = False


@dataclass(slots=True)
class Graph:
    """`inner` are graphs within the whole, of which the edges may lead into each other."""

    id: str
    title: str
    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    inner: list["Graph"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Exit:
    """Where the line to the next step starts."""

    node: str
    lines: Sequence[str] = ()


def draw(flow: Flow) -> Graph:
    """The graph of a flow, with those of the flows that it calls."""
    return _Drawing().whole(flow)


class _Drawing:
    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._starts: dict[str, str] = {}
        """The first node of each called flow."""
        self._calls: list[tuple[str, str]] = []
        self._whole = Graph("", "")

    def whole(self, flow: Flow) -> Graph:
        self._whole.title = flow.name
        self._flow(self._whole, flow)
        self._called(flow)
        self._whole.edges += [Edge(node, self._starts[name], ["calls"], dotted=True) for node, name in self._calls]
        return self._whole

    def _called(self, flow: Flow) -> None:
        for name, called in flow.calls.items():
            if name not in self._starts and any(name == one for _, one in self._calls):
                inner = self._group(f"flow {name}")
                self._starts[name] = self._flow(inner, called)
                self._called(called)

    def _group(self, title: str) -> Graph:
        inner = Graph(f"g{next(self._numbers)}", title)
        self._whole.inner.append(inner)
        return inner

    def _flow(self, graph: Graph, flow: Flow) -> str:
        start = self._node(graph, "start", start_of(flow))
        condition = flow.trigger.condition if flow.trigger else None
        exits = self._chain(graph, flow.name, flow.steps, [_Exit(start, [f"if {condition.text}"] if condition else [])])
        if flow.outputs is not None and flow.outputs.fields:
            end = self._node(graph, "end", ["outputs", ", ".join(flow.outputs.fields)])
            self._lead(exits, end)
        if flow.on_error:
            inner = self._group("on error" if graph is self._whole else f"on error of {flow.name}")
            failed = self._node(inner, "start", ["a step failed", "or is held"])
            self._chain(inner, flow.name, flow.on_error, [_Exit(failed)])
        return start

    def _node(self, graph: Graph, shape: Shape, lines: Iterable[str], owner: str = "", step: str = "") -> str:
        node = Node(f"n{next(self._numbers)}", shape, [*lines], owner or None, step or None)
        graph.nodes.append(node)
        return node.id

    def _chain(self, graph: Graph, owner: str, steps: Sequence[Step], exits: list[_Exit]) -> list[_Exit]:
        """Draw the steps, which are of the flow `owner`, after `exits`; where the line after them starts."""
        for step in steps:
            exits = self._step(graph, owner, step, exits)
        return exits

    def _step(self, graph: Graph, owner: str, step: Step, exits: list[_Exit]) -> list[_Exit]:
        shape = _SHAPES[type(step.does)]
        called = step.does.flow if isinstance(step.does, Call) else None
        node = self._node(graph, "flow" if called else shape, lines_of(step), owner, step.id)
        conditions = [] if is_for_each(step) else [*conditions_of(step)]
        self._lead(exits, node, conditions, dotted=bool(conditions))
        match step.does:
            case Call() if called:
                self._calls.append((node, called.name))
            case Stop():
                return [_Exit(one.node, [*one.lines, "otherwise"]) for one in exits] if conditions else []
            case Switch():
                return self._branches(graph, owner, step.does, node)
            case Approve():
                self._chain(graph, owner, step.does.notify, [_Exit(node, ["notify"])])
        return [_Exit(node)]

    def _branches(self, graph: Graph, owner: str, switch: Switch, node: str) -> list[_Exit]:
        exits: list[_Exit] = []
        for value, steps in switch.cases:
            exits += self._chain(graph, owner, steps, [_Exit(node, [json.dumps(value, ensure_ascii=False)])])
        return exits + self._chain(graph, owner, switch.default, [_Exit(node, ["otherwise"])])

    def _lead(self, exits: Iterable[_Exit], node: str, lines: Sequence[str] = (), *, dotted: bool = False) -> None:
        self._whole.edges += [Edge(one.node, node, [*one.lines, *lines], dotted) for one in exits]
