"""A run as the text of a test file, which has been tried."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from connector.adapter import Adapter
from connector.flows.flow import Flow
from connector.flows.paths import find_step
from connector.flows.yaml_text import write_yaml
from connector.runs.flow_tests.cases import Case
from connector.runs.flow_tests.examples import put_examples
from connector.runs.flow_tests.exporting import expect, make_test
from connector.runs.flow_tests.reading import read_tests
from connector.runs.flow_tests.running import Difference, run_case
from connector.runs.waits import RunView
from connector.settings import Settings

_HEAD = "# Keep it beside the flow, under its name: leads.test.yaml for leads.yaml. Run it with: chatforge test\n"


@dataclass(frozen=True, slots=True)
class Saved:
    """The text of a test file, and in what it differs from what its flow does: in nothing, if it can be a test."""

    text: str
    differences: Sequence[Difference]


async def save(adapter: Adapter, settings: Settings, flow: Flow, view: RunView, *, examples: bool) -> Saved:
    """A test of what the run did. Nothing is called. Raises ConnectorError.

    `examples` puts examples in place of what tells about a person, and expects what the flow makes of them. Where the
    flow takes another way with them, the differences say so.
    """
    flow = replace(flow, enabled=True)
    content = make_test(adapter, flow, view)
    if examples:
        content = put_examples(adapter, flow, content)
        content["tests"][0]["expect"] = _statuses(flow, view)  # other values were made of what the visitor wrote
    trial = await run_case(adapter.registry, settings, flow, _read(adapter, flow, content))
    if examples and not trial.differences and trial.outcome.run is not None:
        content["tests"][0]["expect"] = expect(flow, trial.outcome.run, [*trial.outcome.steps.values()])
    return Saved(_HEAD + write_yaml(content), trial.differences)


def _read(adapter: Adapter, flow: Flow, content: Mapping[str, Any]) -> Case:
    _, [case] = read_tests(write_yaml(content), Path("made.test.yaml"), lambda _: flow, adapter.catalogue)
    return case


def _statuses(flow: Flow, view: RunView) -> dict[str, Any]:
    steps = {step.id: step.status for step in view.steps if find_step(flow, step.id) is not None}
    return {"status": view.run.status, "steps": steps}
