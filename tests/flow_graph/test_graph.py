"""`chatforge graph`: what it draws of a flow."""

from pathlib import Path

import pytest
from flow_graph.cases import SHOWN, graphs

from connector.flow_graph import Edge, Graph, Node, render

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", SHOWN)
def test_graph_is_the_one_beside_the_tests(name):
    """Where the new graph is meant: cd tests && python -m flow_graph.cases"""
    assert graphs()[name] == (HERE / f"{name}.mmd").read_text("utf-8")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("contacts.upsert", "contacts.upsert"),
        ("naïve 名前 😀", "naïve 名前 #128512;"),
        ('"a" <b> `c` #d; %%{e} $f$ [g] |h| {i} -->', None),
        ("two\nlines\x1b", "two lines"),
        ("x" * 70, "x" * 60 + "…"),
    ],
    ids=["plain", "unicode", "signs", "breaks", "long"],
)
def test_label_shows_its_text_whatever_is_in_it(line, shown):
    graph = Graph("", "", [Node("n1", "call", [line])], [Edge("n1", "n1", [line])])
    label = shown or "".join(c if c.isalnum() or c in " ." else f"#{ord(c)};" for c in line)
    assert render(graph) == f'flowchart TD\n  n1["{label}"]\n  n1 -->|"{label}"| n1\n'
