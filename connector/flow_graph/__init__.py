"""Flows as graphs: what starts them, their steps, and what leads from one to the next."""

from connector.flow_graph.graph import Edge, Graph, Node, draw
from connector.flow_graph.layout import Picture, arrange
from connector.flow_graph.mermaid import render

__all__ = ["Edge", "Graph", "Node", "Picture", "arrange", "draw", "render"]
