import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from cli.problems_page import read
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from connector import flow_schema
from connector.flow_schema import Offer
from connector.flows.calls import CALL_KEYS, RETRY_KEYS
from connector.flows.check import FLOW_KEYS, TRIGGER_KEYS
from connector.flows.controls import APPROVE_KEYS, SWITCH_KEYS, WAIT_FOR_KEYS
from connector.flows.steps import KINDS, STEP_KEYS

ROOT = Path(__file__).parents[2]
DOCUMENTED = [path for path in sorted((ROOT / "docs" / "flows").glob("*.yaml")) if not path.stem.endswith(".test")]
OK = sorted((ROOT / "tests" / "flows" / "ok").glob("*.yaml"))


def shown_flows() -> Iterator[Any]:
    """The flows of the documentation, those on the page about problems as they should be."""
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        if path.name not in ("problems.md", "plugins.md"):  # the first shows faults, the other a reader's own plugin
            for number, text in enumerate(re.findall(r"```yaml\n(flow: .*?)```", path.read_text(), re.DOTALL)):
                yield pytest.param(text, id=f"{path.stem}-{number}")
    for section in read():
        for name, text in section.corrected().items():
            yield pytest.param(text, id=f"{section.rule}-{name}")


def test_schema_is_one(schema):
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"] == flow_schema.DRAFT


def test_schema_is_the_same_each_time(schema, built_in):
    again = flow_schema.build(flow_schema.offers(built_in.triggers), flow_schema.offers(built_in.actions))
    assert json.dumps(again) == json.dumps(schema)


@pytest.mark.parametrize("path", DOCUMENTED, ids=lambda path: path.stem)
def test_flow_of_the_documentation_is_not_refused(refused, path):
    assert refused(path.read_text()) == []


@pytest.mark.parametrize("text", [*shown_flows()])
def test_flow_that_a_page_shows_is_not_refused(refused, text):
    assert refused(text) == []


@pytest.mark.parametrize("path", OK, ids=lambda path: path.stem)
def test_sound_flow_is_not_refused(refused_of_models, path):
    assert refused_of_models(path.read_text()) == []


HEAD = "flow: a\ntrigger: {uses: manual}\n"
STEP = f"{HEAD}steps:\n- id: a\n"
CALL = f"{STEP}  uses: contacts.upsert\n"
AGENT = f"{STEP}  uses: chatforge.get_agent\n"
STEPS = "steps: [{id: a, uses: contacts.list}]\n"
EITHER = "is not valid under any of the given schemas"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (f"{CALL}  wiht: {{}}\n", "steps[0]", "('wiht' was unexpected)"),
        (f"{CALL}  with: {{mail: a}}\n", "steps[0].with", "('mail' was unexpected)"),
        (f"{CALL}  with: {{email: 5}}\n", "steps[0].with.email", "is not of type 'string', 'null'"),
        (f"{AGENT}  with: {{}}\n", "steps[0].with", "'agent_id' is a required property"),
        (AGENT, "steps[0]", "'with' is a required property"),
        (f"{STEP}  uses: contacts.list\n  with: {{limit: ten}}\n", "steps[0].with.limit", EITHER),
        (f"{STEP}  uses: contacts.nope\n", "steps[0].uses", EITHER),
        (f"{HEAD}steps: [{{uses: contacts.list}}]\n", "steps[0]", "'id' is a required property"),
        (f"{HEAD}steps: [{{id: A, uses: contacts.list}}]\n", "steps[0].id", "does not match"),
        (f"{HEAD}steps: [{{id: steps, uses: contacts.list}}]\n", "steps[0].id", "should not be valid under"),
        (f"{CALL}  wait: 1m\n", "steps[0]", "False schema does not allow '1m'"),
        (f"{STEP}  name: b\n", "steps[0]", "is not valid under any of the given schemas"),
        (f"{STEP}  wait: 1m\n  timeout: 5m\n", "steps[0]", "'uses' is a dependency of 'timeout'"),
        (f"{CALL}  max_parallel: 3\n", "steps[0]", "'for_each' is a dependency of 'max_parallel'"),
        (f"{CALL}  timeout: 30\n", "steps[0].timeout", "30 is not of type 'string'"),
        (f"{CALL}  timeout: 0s\n", "steps[0].timeout", "does not match"),
        (f"{CALL}  if: ${{{{ true }}}}\n", "steps[0].if", "does not match"),
        (f"{CALL}  retry: {{max_attempts: 101}}\n", "steps[0].retry.max_attempts", "is greater than the maximum"),
        (f"{CALL}  on_ambiguous: stop\n", "steps[0].on_ambiguous", "is not one of"),
        (f"{STEP}  uses: flow.b\n  timeout: 5m\n", "steps[0]", "False schema does not allow '5m'"),
        (f"{STEP}  wait_for: {{uses: manual, timeout: 5m}}\n", "steps[0].wait_for", "'match' is a required"),
        (f"{STEP}  switch: {{on: a, cases: {{b: [{{}}]}}}}\n", "steps[0].switch.cases.b[0]", "'id' is a required"),
        (f"{STEP}  approve: {{title: a, form: {{b: {{}}}}}}\n", "steps[0].approve.form.b", "'type' is a required"),
        (f"flow: A\n{STEPS}trigger: {{uses: manual}}\n", "flow", "does not match"),
        (f"flow: a\n{STEPS}", "$", "'trigger' is a required property"),
        (f"flow: a\ninputs: {{}}\ntrigger: {{uses: manual}}\n{STEPS}", "$", "False schema does not allow {'uses'"),
        (f"{HEAD}", "$", "'steps' is a required property"),
        (f"{HEAD}{STEPS}vars: {{A: 1}}\n", "vars", "does not match"),
        (f"{HEAD}{STEPS}concurrency: {{key: a}}\n", "concurrency", "'limit' is a required property"),
        (
            f"{HEAD}{STEPS}concurrency: {{key: a, mode: queue, limit: 1}}\n",
            "concurrency",
            "False schema does not allow 1",
        ),
        (f"flow: a\n{STEPS}trigger: {{uses: manual, with: {{a: 1}}}}\n", "trigger.with", "('a' was unexpected)"),
    ],
    ids=lambda value: value.splitlines()[-1].strip() if "\n" in value else "",
)
def test_mistake_of_structure_is_refused_in_its_place(refused, text, place, message):
    found = refused(text)
    assert any(one.startswith(f"{place}: ") and message in one for one in found), found


@pytest.mark.parametrize(
    ("line", "is_refused"),
    [
        ("uses: crm.find, with: {agent_id: a, wait_up_to: 30}", True),
        ("uses: crm.find, with: {agent_id: a, wait_up_to: soon}", True),
        ("uses: crm.find, with: {agent_id: a, wait_up_to: '${{ config.wait }}'}", False),
        ("uses: crm.book, with: {room: a, seats: 0}", True),
        ("uses: crm.book, with: {room: a, seats: '${{ 1 }}'}", False),
        ("uses: crm.send, with: {conversation_id: a, content: b, lines: [{txt: a}]}", True),
        ("uses: crm.send, with: {conversation_id: a, content: b, lines: '${{ [] }}'}", False),
        ("uses: crm.order, with: {transport: {kind: '${{ a }}', address: b}, content: {name: a}}", False),
        ("uses: crm.order, with: {transport: {kind: pickup, address: b}, content: {name: a}}", True),
        ("uses: crm.order, with: {transport: '${{ a }}', content: {name: a, parts: [{nam: b}]}}", True),
        ("uses: crm.order, with: {transport: '${{ a }}', content: {name: a, size: [x, 1]}}", True),
        ("uses: crm.order, with: {transport: '${{ a }}', content: {name: a, size: ['${{ a }}', 1]}}", False),
        ("uses: crm.payment, with: null", False),
    ],
)
def test_value_may_be_computed_wherever_it_stands(refused_of_models, line, is_refused):
    found = refused_of_models(f"flow: a\ntrigger: {{uses: crm.lead}}\nsteps: [{{id: a, {line}}}]\n")
    assert bool(found) == is_refused, found


class Cat(BaseModel):
    kind: Literal["cat"]
    name: str


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Adoption(BaseModel):
    animal: Annotated[Cat | Dog, Field(discriminator="kind")]


def test_kind_of_an_object_may_be_computed():
    schema = flow_schema.build({}, {"pets.adopt": Offer("Adopt", "", Adoption.model_json_schema())})
    given = {"$ref": "#/$defs/action-pets.adopt", "$defs": schema["$defs"]}
    is_valid = Draft202012Validator(given).is_valid
    assert is_valid({"animal": {"kind": "${{ trigger.kind }}", "name": "Tom"}})
    assert not is_valid({"animal": {"kind": "cow", "name": "Tom"}})


def described(schema: Mapping[str, Any]) -> dict[str, str]:
    return {key: part["description"] for key, part in schema["properties"].items()}


def test_each_key_of_the_language_has_a_description(schema):
    step = schema["$defs"]["steps"]["items"]
    for part, keys in (
        (schema, FLOW_KEYS),
        (schema["properties"]["trigger"], TRIGGER_KEYS),
        (step, [*STEP_KEYS, *CALL_KEYS, *(kind for kind in KINDS if kind != "uses")]),
        (step["properties"]["retry"], RETRY_KEYS),
        (step["properties"]["wait_for"], WAIT_FOR_KEYS),
        (step["properties"]["approve"], APPROVE_KEYS),
        (step["properties"]["switch"], SWITCH_KEYS),
    ):
        assert [key for key, text in described(part).items() if text.endswith((".", "`."))] == [*keys]


def test_inputs_have_the_descriptions_of_their_models(schema):
    given = schema["$defs"]["action-contacts.upsert"]["properties"]
    assert given["email"]["description"] == "Compared without regard to case."


def test_names_of_operations_have_descriptions(schema):
    uses = schema["$defs"]["steps"]["items"]["properties"]["uses"]["anyOf"][0]
    found = dict(zip(uses["enum"], uses["enumDescriptions"], strict=True))
    assert found["contacts.list"] == "List contacts. List the contacts, oldest first."
