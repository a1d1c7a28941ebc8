"""Graphs as Mermaid writes flowcharts: https://mermaid.js.org/syntax/flowchart.html"""

from collections.abc import Iterator, Mapping

from connector.flow_graph.graph import Edge, Graph, Node, Shape
from connector.flows.problems import shortened

_BRACKETS: Mapping[Shape, tuple[str, str]] = {
    "start": ("([", "])"),
    "call": ("[", "]"),
    "flow": ("[[", "]]"),
    "wait": ("(", ")"),
    "event": ("{{", "}}"),
    "person": ("[/", "/]"),
    "branch": ("{", "}"),
    "end": ("([", "])"),
}
# All others have a meaning in Mermaid, in Markdown or in HTML, somewhere.
_PLAIN = frozenset(" .,:='!?()/_…")


def render(graph: Graph) -> str:
    """The flowchart, from top to bottom; the same text for the same graph."""
    return "\n".join(["flowchart TD", *(f"  {line}" for line in _lines(graph))]) + "\n"


def _lines(graph: Graph) -> Iterator[str]:
    yield from map(_node, graph.nodes)
    for inner in graph.inner:
        yield f"subgraph {inner.id}[{_quoted(inner.title)}]"
        yield from (f"  {line}" for line in _lines(inner))
        yield "end"
    yield from map(_edge, graph.edges)


def _node(node: Node) -> str:
    start, end = _BRACKETS[node.shape]
    return f"{node.id}{start}{_quoted(*node.lines)}{end}"


def _edge(edge: Edge) -> str:
    line = "-.->" if edge.dotted else "-->"
    label = f"|{_quoted(*edge.lines)}|" if edge.lines else ""
    return f"{edge.source} {line}{label} {edge.target}"


def _quoted(*lines: str) -> str:
    return f'"{"<br/>".join(_escaped(shortened(line)) for line in lines if line)}"'


def _escaped(text: str) -> str:
    """Characters by their numbers where they could be read as something else."""
    return "".join(c if c.isalnum() or c in _PLAIN else f"#{ord(c)};" for c in text if c.isprintable())
