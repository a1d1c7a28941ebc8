"""Which steps come under which: the parts that branch off a node, and what follows where they meet again.

The tree is that of dominators: a node stands below the last one through which every way to it leads.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from connector.flow_graph.graph import Edge, Node


@dataclass(frozen=True, slots=True)
class Tree:
    """By the ids of nodes. `out` and `into` are the edges; `parent` is None for what nothing leads to."""

    out: dict[str, list[Edge]]
    into: dict[str, list[Edge]]
    parent: dict[str, str | None]

    @classmethod
    def of(cls, nodes: Sequence[Node], edges: Iterable[Edge]) -> "Tree":
        """Edges lead from a node to a later one of `nodes`; others are left out."""
        ids = [node.id for node in nodes]
        tree = cls({one: [] for one in ids}, {one: [] for one in ids}, {})
        for edge in edges:
            if edge.source in tree.out and edge.target in tree.into:
                tree.out[edge.source].append(edge)
                tree.into[edge.target].append(edge)
        depths: dict[str, int] = {}
        for one in ids:
            parent = tree._meet([edge.source for edge in tree.into[one]], depths)
            tree.parent[one] = parent
            depths[one] = 0 if parent is None else depths[parent] + 1
        return tree

    def _meet(self, sources: Sequence[str], depths: dict[str, int]) -> str | None:
        """The node through which the ways to all of them lead."""
        met: str | None = sources[0] if sources else None
        for source in sources[1:]:
            other: str | None = source
            while met != other:
                if met is None or other is None:
                    return None
                met, other = (self.parent[met], other) if depths[met] >= depths[other] else (met, self.parent[other])
        return met

    def branches_off(self, edge: Edge) -> bool:
        """Whether nothing else leads to its target."""
        return len(self.into[edge.target]) == 1

    def joins(self) -> dict[str, list[str]]:
        """For each node what follows where the ways from it meet."""
        found: dict[str, list[str]] = {one: [] for one in self.out}
        for one, parent in self.parent.items():
            if parent is not None and len(self.into[one]) > 1:
                found[parent].append(one)
        return found

    def passed(self, joins: dict[str, list[str]]) -> set[str]:
        """The nodes out of whose part a line leads that does not start at what follows there."""
        found: set[str] = set()
        for edge in (edge for edges in self.out.values() for edge in edges):
            end, child, node = self.parent[edge.target], "", edge.source
            while node != end:
                if child not in joins[node]:
                    found.add(node)
                above = self.parent[node]
                if above is None:
                    break
                child, node = node, above
        return found
