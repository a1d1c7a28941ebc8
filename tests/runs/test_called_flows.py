from typing import Any

import pytest
from runs.conftest import Bench

from connector.flows.folder import Folder
from connector.runs import records

CALLED = """
flow: called
inputs: {text: {type: str}}
steps: [{id: put, uses: test.put, with: {text: "${{ inputs.text.lower() }}"}}]
"""
MAIN = """
flow: main
trigger: {uses: test.ping}
steps: [{id: call, uses: flow.called, with: {text: "${{ trigger.anything }}"}}]
"""


def run(bench: Bench, anything: Any) -> tuple[records.Run, dict[str, records.Step]]:
    checked = Folder({"main": MAIN, "called": CALLED}, bench.adapter().catalogue).check("main")
    assert checked.flow is not None
    return bench.run(checked.flow, anything=anything)


@pytest.mark.parametrize("anything", [12, None, ["x"]])
def test_input_that_a_called_flow_does_not_take_fails_the_step(bench: Bench, anything: Any) -> None:
    ended, steps = run(bench, anything)
    assert ended.error is not None
    assert (ended.error.kind, ended.error.step) == ("input", "call")
    assert "text: expected str, not " in ended.error.message
    assert steps["call"].input == {"text": anything}
    assert not bench.calls
