"""What the graph of a run says of each step."""

from datetime import UTC, datetime

import pytest

from connector.adapter import Adapter
from connector.flow_graph import draw
from connector.flows.folder import Folder
from connector.registry import load
from connector.runs.records import Step
from connector.server.drawing import draw_graph
from connector.server.states import find_states
from connector.settings import load as load_settings

FLOWS = {
    "main": """
flow: main
inputs: {rows: {type: "list[str]"}, kind: {type: str}}
steps:
  - {id: each, for_each: inputs.rows, uses: contacts.upsert, with: {email: "${{ item }}"}}
  - id: sorted
    switch: {on: inputs.kind, cases: {a: [{id: first, uses: contacts.list}], b: [{id: other, uses: contacts.list}]}}
  - {id: one, uses: flow.inner}
  - {id: two, for_each: inputs.rows, uses: flow.inner}
on_error: [{id: told, uses: contacts.list}]
""",
    "inner": "flow: inner\ninputs: {}\nsteps: [{id: note, uses: contacts.list}, {id: late, uses: contacts.list}]\n",
}
NOON = datetime(2026, 3, 25, 12, tzinfo=UTC)
RECORDS = {
    "each": "failed",
    "each[0]": "succeeded",
    "each[1]": "failed",
    "each[2]": "skipped",
    "sorted": "succeeded",
    "first": "sending",
    "one": "succeeded",
    "one/note": "succeeded",
    "two": "waiting",
    "two[0]": "succeeded",
    "two[1]": "waiting",
    "two[0]/note": "succeeded",
    "two[1]/note": "held",
    "gone": "succeeded",
    "gone/note": "succeeded",
}


def record(path, status):
    return Step(path, "contacts.list", status, None, None, None, None, 1, NOON, None)


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    folder = tmp_path_factory.mktemp("states")
    catalogue = Adapter(load(), load_settings(folder, folder, environ={})).catalogue
    found = Folder(FLOWS, catalogue).check("main")
    assert found.flow, found.problems
    return found.flow


def test_each_step_has_its_state_and_those_of_its_items(flow):
    graph = draw(flow)
    states = find_states(flow, graph, [record(path, status) for path, status in RECORDS.items()])
    nodes = {node.id: (node.flow, node.step) for one in (graph, *graph.inner) for node in one.nodes}
    shown = {nodes[node]: (one.state, one.note, one.step) for node, one in states.items()}
    assert shown == {
        ("main", "each"): ("failed", "1 of 3 succeeded, 1 failed, 1 skipped", "each"),
        ("main", "sorted"): ("succeeded", "succeeded", "sorted"),
        ("main", "first"): ("running", "running", "first"),
        ("main", "other"): ("not reached", "not reached", None),
        ("main", "one"): ("succeeded", "succeeded", "one"),
        ("main", "two"): ("waiting", "1 of 2 succeeded, 1 waiting", "two"),
        ("main", "told"): ("not reached", "not reached", None),
        ("inner", "note"): ("held", "2 of 3 succeeded, 1 held", "two[1]/note"),
        ("inner", "late"): ("not reached", "not reached", None),
    }


def test_description_lists_the_steps_with_their_states(flow):
    graph = draw(flow)
    drawing = draw_graph(graph, find_states(flow, graph, [record("each", "held")]))
    assert drawing.description.startswith("each, contacts.upsert, for each of inputs.rows, held; sorted, ")
    assert "on error, told, contacts.list, not reached" in drawing.description
    assert draw_graph(graph).description.startswith("each, contacts.upsert, for each of inputs.rows; ")
