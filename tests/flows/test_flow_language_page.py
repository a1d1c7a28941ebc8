"""docs/flow-language.md names every word of the language, and its examples check and have the values it says."""

import asyncio
import re
import tomllib
from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from connector import registry, settings
from connector.adapter import Adapter
from connector.cli.dry_run import sample_pins
from connector.flows import calls, check, controls, steps
from connector.flows.document import Scalar, Source
from connector.flows.expressions.functions import FUNCTIONS
from connector.flows.expressions.narrowing import Known
from connector.flows.expressions.tree import RESERVED
from connector.flows.folder import Folder
from connector.flows.parameters import as_input
from connector.flows.problems import Report, render
from connector.flows.samples import sample
from connector.flows.slots import Slots
from connector.flows.types import ANY
from connector.runs.events import Decision
from connector.runs.rehearsal import rehearse

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "flow-language.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
AROUND = "flow: example-{}\ntrigger: {{uses: chatforge.lead_captured}}\nsteps:\n{}"
FLOWS = {
    f"{number}.yaml": text if text.startswith("flow:") else AROUND.format(number, text)
    for number, text in enumerate(EXAMPLES)
}
PAIRS = re.findall(r"^\| (`[^|]*`) \| (`[^|]*`) \|$", PAGE.split("| expression | value |")[1], re.MULTILINE)


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    """With the plugins of this package, and a value for what the examples read as `config`."""
    points = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"][registry.GROUP]
    plugins = registry.load([EntryPoint(name, value, registry.GROUP) for name, value in points.items()])
    environ = {"CHATFORGE_CONFIG_OWNER": "cal@example.com"}
    return Adapter(plugins, settings.load(tmp_path_factory.mktemp("settings"), environ=environ))


@pytest.fixture(scope="module")
def folder(adapter):
    return Folder(FLOWS, adapter.catalogue)


@pytest.mark.parametrize("path", FLOWS)
def test_example_checks_clean(folder, path):
    checked = folder.check(path)
    assert [render(problem, checked.source) for problem in checked.problems] == []


@pytest.mark.parametrize("path", FLOWS)
def test_example_runs_with_samples_of_what_its_steps_give(adapter, folder, path):
    flow = folder.check(path).flow
    given = sample(adapter.catalogue.triggers[flow.trigger.uses].output if flow.trigger else as_input("", flow.inputs))
    decision = Decision(flow.name, flow, given)
    outcome = asyncio.run(
        rehearse(adapter, flow, decision, sample_pins(adapter, flow), datetime(2026, 3, 25, 12, tzinfo=UTC))
    )
    assert (outcome.run.status, outcome.run.error) == ("succeeded", None)


def evaluate(text):
    report = Report("f")
    expression = Slots(Source(text), report).expression(Scalar(text, text, None, 0, len(text)), Known({}), ANY)
    assert expression, report.problems()
    return expression.evaluate({})


@pytest.mark.parametrize(("expressions", "values"), PAIRS)
def test_expression_has_the_value_beside_it(expressions, values):
    lefts, rights = (re.findall(r"`([^`]*)`", cell) for cell in (expressions, values))
    assert [evaluate(text) for text in lefts] == [evaluate(text) for text in rights]


def test_every_function_is_shown():
    shown = " ".join(expressions for expressions, _ in PAIRS) + "`age(t)`"
    assert [name for name in FUNCTIONS if f"{name}(" not in shown] == []
    assert len(PAIRS) > 10


def test_every_key_and_name_is_told_of():
    keys = {*check.FLOW_KEYS, *check.DEDUPE_KEYS, *check.CONCURRENCY_KEYS, *steps.STEP_KEYS, *calls.CALL_KEYS}
    keys |= {*calls.RETRY_KEYS, *controls.APPROVE_KEYS, *controls.WAIT_FOR_KEYS, *controls.SWITCH_KEYS, *steps.KINDS}
    told = set(re.findall(r"[a-z_]+", " ".join([*EXAMPLES, *re.findall(r"`[^`\n]+`", PAGE)])))
    assert (keys | RESERVED) - told == set()
