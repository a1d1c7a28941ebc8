"""Where the parts of a flow stand in its picture."""

from itertools import combinations, pairwise

import pytest
from flow_graph.cases import flows
from flows.conftest import CATALOGUE

from connector.flow_graph import Edge, Graph, Node, arrange, draw
from connector.flow_graph.texts import cut, measure
from connector.flows.check import check

HEAD = "flow: made\ntrigger: {uses: crm.lead}\nsteps:\n"
NESTED = (
    HEAD
    + """
  - id: outer
    switch:
      on: trigger.source
      cases:
        poll:
          - id: inner
            switch:
              on: trigger.visitor_phone
              cases:
                a: [{id: a1, uses: crm.payment}, {id: a2, uses: crm.payment}]
                b: [{id: b1, uses: crm.payment}]
                c: [{id: c1, stop: done}]
              default: [{id: d1, uses: crm.payment}]
          - {id: maybe, if: trigger.score > 5, stop: enough}
        webhook: [{id: w1, uses: crm.payment}]
  - {id: early, if: trigger.score > 9, stop: very good}
  - {id: last, uses: crm.payment}
"""
)


def chain(number):
    return HEAD + "".join(f"  - {{id: step_{one}, uses: crm.payment}}\n" for one in range(number))


def graph_of(text):
    found = check(text, "made.yaml", CATALOGUE)
    assert found.flow, found.problems
    return draw(found.flow)


GRAPHS = {
    **{name: draw(flow) for name, flow in flows().items()},
    "nested": graph_of(NESTED),
    "one": graph_of(chain(1)),
    "sixty": graph_of(chain(60)),
    "alone": Graph("", "", [Node("n1", "call", ["a"]), Node("n2", "call", ["b"])]),
}


def inside(box, x, y):
    return box.x < x < box.x + box.width and box.y < y < box.y + box.height


def crosses(box, line):
    """Lines are upright or level."""
    for (x, y), (to_x, to_y) in pairwise(line.points):
        left, right, top, bottom = min(x, to_x), max(x, to_x), min(y, to_y), max(y, to_y)
        if left < box.x + box.width and right > box.x and top < box.y + box.height and bottom > box.y:
            return True
    return False


@pytest.mark.parametrize("name", GRAPHS)
def test_nothing_lies_upon_something_else(name):
    picture = arrange(GRAPHS[name])
    for one, other in combinations(picture.boxes, 2):
        apart = one.x + one.width <= other.x or other.x + other.width <= one.x
        assert apart or one.y + one.height <= other.y or other.y + other.height <= one.y, (one, other)
    assert [(line, box) for line in picture.lines for box in picture.boxes if crosses(box, line)] == []
    assert [label for label in picture.labels for box in picture.boxes if inside(box, label.x, label.y)] == []
    for part in (*picture.boxes, *picture.panels):
        assert part.x >= 0
        assert part.y >= 0
        assert part.x + part.width <= picture.width
        assert part.y + part.height <= picture.height


@pytest.mark.parametrize("name", GRAPHS)
def test_each_line_leads_down_from_one_box_to_the_next(name):
    graph = GRAPHS[name]
    picture = arrange(graph)
    boxes = {box.node.id: box for box in picture.boxes}
    together = [{node.id for node in part.nodes} for part in (graph, *graph.inner)]
    edges = [edge for edge in graph.edges if any({edge.source, edge.target} <= part for part in together)]
    ends = {(edge.source, edge.target) for edge in edges}
    assert len(picture.lines) == len(edges)
    for line in picture.lines:
        (x, y), (to_x, to_y) = line.points[0], line.points[-1]
        target = boxes[line.target]
        [source] = [one for one in boxes.values() if (one.x + one.width / 2, one.y + one.height) == (x, y)]
        assert (source.node.id, line.target) in ends
        assert (to_x, to_y) == (target.x + target.width / 2, target.y)
        assert all(before[1] <= after[1] for before, after in pairwise(line.points))


def test_cases_stand_side_by_side_and_what_follows_below():
    boxes = {box.node.step: box for box in arrange(GRAPHS["nested"]).boxes}
    assert boxes["inner"].y == boxes["w1"].y < boxes["a1"].y == boxes["b1"].y == boxes["c1"].y == boxes["d1"].y
    assert boxes["a1"].x < boxes["b1"].x < boxes["c1"].x < boxes["d1"].x < boxes["w1"].x
    assert boxes["a2"].y < boxes["maybe"].y < boxes["last"].y == boxes["early"].y


def test_flow_goes_straight_on_where_it_may_stop():
    text = HEAD + "  - {id: a, uses: crm.payment}\n  - {id: b, if: trigger.score > 1, stop: now}\n"
    boxes = {box.node.step: box for box in arrange(graph_of(f"{text}  - {{id: c, uses: crm.payment}}\n")).boxes}
    assert boxes["a"].x == boxes["c"].x < boxes["b"].x
    assert boxes["b"].y < boxes["c"].y


def test_condition_stands_once_where_several_lines_lead_to_it():
    text = NESTED.replace("  - {id: last, uses", "  - {id: last, if: trigger.score > 7, uses")
    labels = [label.text.shown for label in arrange(graph_of(text)).labels]
    assert labels.count("if trigger.score > 9") == 1
    assert labels.count("if trigger.score > 7") == 1
    assert labels.count('"poll"') == 1


def test_parts_stand_beside_a_narrow_flow_and_below_a_wide_one():
    for cases, beside in ((1, True), (4, False)):
        nodes = [Node("n0", "branch", ["on"]), *(Node(f"n{one}", "call", ["x"]) for one in range(1, cases + 1))]
        edges = [Edge("n0", f"n{one}") for one in range(1, cases + 1)]
        picture = arrange(Graph("", "", nodes, edges, [Graph("g", "on error", [Node("n9", "call", ["told"])])]))
        [panel] = picture.panels
        last = max(picture.boxes[: len(nodes)], key=lambda box: box.y)
        assert (panel.y < last.y) == beside


def test_very_long_flow_is_drawn():
    assert len(arrange(graph_of(chain(900))).boxes) == 901


@pytest.mark.parametrize(
    ("text", "room", "shown"),
    [("short", 100, "short"), ("a\n b\x1b", 100, "a b"), ("x" * 50, 60, "xxxxxx…"), ("名" * 50, 60, "名名名…")],
    ids=["short", "lines", "long", "wide"],
)
def test_text_is_cut_where_it_is_too_wide(text, room, shown):
    found = cut(text, room, 12)
    assert found.shown == shown
    assert found.whole == (text if shown.endswith("…") else None)
    assert measure(found.shown, 12) <= room
