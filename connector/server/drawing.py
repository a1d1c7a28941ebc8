"""Draws the graph of a flow for a page: what of it stands where, and what it says to those who do not see it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from connector.flow_graph import Graph, Node, Picture, arrange
from connector.server.states import NodeState


@dataclass(frozen=True, slots=True)
class Drawing:
    """`description` lists the steps, with their states where there are some."""

    picture: Picture
    states: Mapping[str, NodeState]
    description: str


def draw_graph(graph: Graph, states: Mapping[str, NodeState] | None = None) -> Drawing:
    known = states or {}

    def with_note(node: Node) -> Node:
        return replace(node, lines=[*node.lines, known[node.id].note]) if node.id in known else node

    inner = [replace(one, nodes=[*map(with_note, one.nodes)]) for one in graph.inner]
    whole = replace(graph, nodes=[*map(with_note, graph.nodes)], inner=inner)
    return Drawing(arrange(whole), known, "; ".join(_describe(whole)))


def _describe(graph: Graph) -> Iterator[str]:
    for one in (graph, *graph.inner):
        for node in one.nodes:
            if node.step:
                place = f"{one.title}, " if one is not graph else ""
                yield f"{place}{', '.join(line for line in node.lines if line)}"
