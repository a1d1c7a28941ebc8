"""`chatforge runs export --as-test`: a run as a test that passes."""

import json

import pytest

from connector.flows import document
from connector.flows.problems import Report
from connector.flows.yaml_text import write_yaml
from connector.runs.flow_tests.reading import plain

FLOW = """
trigger: {uses: chatforge.event, if: trigger.event == 'lead.captured'}
config: {owner: {type: str}}
steps:
  - {id: agents, uses: chatforge.list_agents}
  - {id: none, if: size(agents.agents) > 9, wait: 1h}
  - {id: pause, wait: 500ms}
  - id: each
    for_each: steps.agents.agents
    uses: flow.inner
    with: {email: "${{ item.id }}@example.com", note: "${{ config.owner }} ${{ run.id }}"}
  - {id: ask, approve: {title: Go?, timeout: 200ms, on_timeout: approve, form: {note: {type: str, default: fine}}}}
  - {id: found, uses: contacts.find, with: {email: "${{ steps.agents.agents[0]?.id ?? '' }}@example.com"}}
  - {id: end, if: steps.found.contact == null, stop: "Nobody: ${{ steps.ask.note }}"}
outputs: {run: "${{ run.id }}", id: "${{ steps.found.contact?.id }}", at: "${{ run.started_at }}"}
""".replace("size(agents.agents)", "size(steps.agents.agents)")
INNER = """
inputs: {email: {type: str}, note: {type: str}}
steps: [{id: keep, uses: contacts.upsert, with: {email: "${{ inputs.email }}", note: "${{ inputs.note }}"}}]
outputs: {id: "${{ steps.keep.id }}"}
"""


def export(scene, run_id: str, name: str) -> str:
    """The run as a test, which passes."""
    result = scene("runs", "export", run_id, "--as-test")
    assert (result.code, result.error) == (0, ""), result.out
    path = scene.folder / "flows" / f"{name}.test.yaml"
    path.write_text(result.out)
    before = scene.requests()
    tested = scene("test", str(path), CHATFORGE_API_KEY="", CHATFORGE_CONFIG_OWNER="")
    assert tested.code == 0, tested.out + tested.error
    assert scene.requests() == before
    return result.out


def test_run_of_all_kinds_of_steps_passes_as_a_test(scene):
    scene.write_flow(FLOW, "all")
    scene.write_flow(INNER, "inner")
    done = scene("run", "flows/all.yaml", "--json", CHATFORGE_CONFIG_OWNER="Anna")
    run = json.loads(done.out)
    assert run["status"] == "succeeded", done.error
    result = scene("runs", "export", run["id"], "--as-test", CHATFORGE_CONFIG_OWNER="Anna")
    assert (result.code, result.error) == (0, "")
    (scene.folder / "flows" / "all.test.yaml").write_text(result.out)
    tested = scene("test")
    assert tested.code == 0, tested.out
    for text in ("owner: Anna", '"each[0]/keep":', "status: skipped", "ask: succeeded", f"name: as in {run['id']}"):
        assert text in result.out
    assert run["id"] not in result.out.partition("expect:")[2], "another run has another id"


@pytest.mark.parametrize(
    ("fault", "status", "expected"),
    [
        ({"status": 404, "body": "{}"}, "failed", "kind: not_found"),
        ({"status": 500}, "held", "held: true"),
    ],
    ids=["failed", "held"],
)
def test_run_that_did_not_succeed_passes_as_a_test(scene, fault, status, expected):
    text = "inputs: {}\nsteps: [{id: say, uses: chatforge.inject_message, with: {agent_id: AGENT, conversation_id: c, "
    scene.write_flow(text.replace("AGENT", scene.sandbox.agent_id) + "content: hi}}]", "says")
    scene.break_api("v1-message", **fault)
    run = json.loads(scene("run", "flows/says.yaml", "--json").out)
    assert run["status"] == status
    assert expected in export(scene, run["id"], "says")


def test_run_of_a_trigger_passes_as_a_test_of_the_flow_as_it_is_now(scene, flow):
    (scene.folder / "flows").mkdir()
    (scene.folder / flow).rename(scene.folder / "flows" / flow)
    story = scene.visit(visitor_name="Ann # ${{ x }}: 'é' \u2028 \x1b 😀")
    data = {"visitor_email": "ann@example.com", "visitor_name": story["conversation_id"]}
    event = {"event": "lead.captured", "agent_id": scene.sandbox.agent_id, "data": data}
    run = json.loads(scene("run", f"flows/{flow}", "--json", "--input", json.dumps(event)).out)
    test = export(scene, run["id"], "leads")
    path = scene.folder / "flows" / flow
    path.write_text(path.read_text().replace("this is Cal", "this is Kim"))
    changed = scene("test")
    assert changed.code == 1
    assert "steps.takeover.input.content" in changed.out
    assert "visitor_email: ann@example.com" in test


def test_examples_stand_in_place_of_what_tells_about_a_person(scene):
    text = """
trigger: {uses: chatforge.lead_captured, if: trigger.source == 'webhook'}
steps:
  - {id: kept, uses: contacts.upsert, with: {email: "${{ trigger.visitor_email ?? '' }}", name: OUT}}
  - {id: found, uses: contacts.find, with: {email: "${{ trigger.visitor_email ?? '' }}"}}
  - {id: cal, if: trigger.conversation_summary == 'Cal', uses: contacts.list}
outputs: {text: "${{ trigger.visitor_name ?? '' }} of ${{ (trigger.visitor_email ?? '').upper() }}"}
"""
    scene.write_flow(text.replace("OUT", "\"${{ (trigger.visitor_name ?? '').lower() }} <ann@work.example>\""), "keeps")
    person = {"visitor_name": "Ann O'Hara", "visitor_email": "ann@firm.example", "conversation_summary": "Cal"}
    event = {"agent_id": "a", "captured_at": "2026-03-25T10:30:00Z", "source": "webhook", **person}
    run = json.loads(scene("run", "flows/keeps.yaml", "--json", "--input", json.dumps(event)).out)
    assert run["status"] == "succeeded", run
    result = scene("runs", "export", run["id"], "--as-test", "--examples")
    assert (result.code, result.error) == (0, "")
    assert "ann" not in result.out.lower().replace("ann@work.example", "")
    assert "text: John Smith of JOHN@EXAMPLE.COM" in result.out
    assert 'name: "john smith <ann@work.example>"' in result.out, "the flow itself names the address"
    assert "conversation_summary: Cal" in result.out, "the flow itself names the word"
    (scene.folder / "flows" / "keeps.test.yaml").write_text(result.out)
    assert scene("test", "flows/keeps.test.yaml").code == 0


def test_secret_is_not_in_the_test(scene):
    text = "inputs: {text: {type: str}}\nsteps: [{id: agents, uses: chatforge.list_agents}]\noutputs: {text: OUT}"
    scene.write_flow(text.replace("OUT", '"${{ inputs.text }}"'), "leak")
    secret = scene.sandbox.api_key
    run = json.loads(scene("run", "flows/leak.yaml", "--json", "--set", f"text=my {secret}").out)
    test = export(scene, run["id"], "leak")
    assert secret not in test
    assert 'text: "my [secret]"' in test


def test_what_a_test_cannot_show_is_told_with_the_test(scene):
    steps = "[{id: late, not_after: \"add_duration(run.started_at, '1ms')\", uses: contacts.list}]"
    scene.write_flow(f"inputs: {{}}\nsteps: {steps}", "late")
    run = json.loads(scene("run", "flows/late.yaml", "--json").out)
    result = scene("runs", "export", run["id"], "--as-test")
    assert result.code == 1
    assert "the test does not pass, change it: steps.late: contacts.list is not done in a test" in result.error
    assert "status: skipped" in result.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run_0"], "say as what the run shall be printed: chatforge runs export run_0 --as-test"),
        (["run_0", "--as-test"], "there is no run 'run_0'; see: chatforge runs list"),
    ],
    ids=["no form", "no run"],
)
def test_wrong_export_is_told(scene, arguments, sentence):
    scene.write_flow("inputs: {}\nsteps: [{id: all, uses: contacts.list}]", "plain")
    scene("run", "flows/plain.yaml")
    result = scene("runs", "export", *arguments)
    assert (result.code, result.out, result.error) == (2, "", f"error: {sentence}\n")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "null",
        "12",
        "1e3",
        "yes",
        "2026-03-25T12:00:00Z",
        "a: b",
        "a #b",
        "- a",
        "[x]",
        "${{ x }}",
        "'a' \"b\" \\ \n\t\r\x00\x7f\x85\u2028\ufeff\U0001f600\ufffe",
        " a ",
        None,
        True,
        1.5,
        -3,
        1e300,
        [],
        {},
        [[], {}, [[1]], {"a": [{"b": 1, "c": []}]}],
        {"a b": 1, "x: y": {"each[0]/in": 2}, "null": 3, "1": 4, "": 5},
    ],
    ids=repr,
)
def test_value_is_read_as_it_was_written(value):
    report = Report("x")
    root = document.parse(document.decode(write_yaml({"value": value}), report), report)
    assert report.problems() == []
    assert root
    assert plain(root) == {"value": value}
    assert isinstance(plain(root)["value"], type(value))
