"""`chatforge run --dry-run` and `--pin`: nothing is sent, and what a step is given instead."""

import json

import pytest

PIN = '{"conversation": {"id": "c9"}, "candidates": 1, "complete": true}'
FLOW = """
trigger: {uses: manual}
steps:
  - {id: agents, uses: chatforge.list_agents}
  - id: ask
    approve:
      title: Greet?
      form: {text: {type: str}}
      notify: [{id: note, uses: contacts.upsert, with: {email: "boss@example.com"}}]
  - {id: pause, wait: 30d}
  - id: greet
    for_each: steps.agents.agents
    if: steps.ask.approved
    uses: chatforge.inject_message
    with: {agent_id: "${{ item.id }}", conversation_id: c1, content: "${{ steps.ask.text ?? '' }}"}
outputs: {agents: "${{ size(steps.agents.agents) }}"}
"""


def steps_of(result) -> dict:
    assert result.code == 0, result.error
    return {step["id"]: step for step in json.loads(result.out)["steps"]}


@pytest.fixture
def greet(scene):
    scene.write_flow(FLOW, "greet")
    return lambda *options: scene("run", "flows/greet.yaml", "--json", *options)


def test_dry_run_sends_nothing_and_keeps_nothing(scene, greet):
    steps = steps_of(greet("--dry-run"))
    assert list(steps) == ["agents", "ask", "note", "pause", "greet", "greet[0]"]
    assert scene.requests() == {}
    assert not list(scene.folder.glob("*.sqlite")), "no run, no contact, no budget"


def test_dry_run_shows_the_request_and_the_effect_with_samples_for_what_came_before(greet):
    step = steps_of(greet("--dry-run"))["greet[0]"]
    assert (step["effect"], step["status"]) == ("once", "succeeded")
    assert step["input"] == {"agent_id": "sample id", "conversation_id": "c1", "content": "sample text"}
    assert step["request"]["method"] == "POST"
    assert step["request"]["url"].endswith("?action=v1-message&agent_id=sample+id")
    assert json.loads(step["request"]["body"]) == {"conversation_id": "c1", "content": "sample text"}


def test_dry_run_hides_secrets_in_what_would_be_sent(scene):
    steps = "steps: [{id: say, uses: chatforge.inject_message, with: {agent_id: a, conversation_id: c, content: KEY}}]"
    scene.write_flow(f"trigger: {{uses: manual}}\n{steps}".replace("KEY", scene.sandbox.api_key), "leak")
    request = steps_of(scene("run", "flows/leak.yaml", "--json", "--dry-run"))["say"]["request"]
    assert json.loads(request["body"])["content"] == "[secret]"


def test_dry_run_without_a_key_says_why_the_request_is_unknown(scene, greet):
    result = scene("run", "flows/greet.yaml", "--dry-run", CHATFORGE_API_KEY="")
    assert result.code == 0
    assert result.out.count("sends    unknown, see the end") == 2
    assert result.out.count("the ChatForge API key is missing") == 1
    assert result.out.splitlines()[-1].startswith("to know what is sent: the ChatForge API key is missing")


def test_dry_run_of_an_event_that_is_not_wanted_says_why(chatforge, flow):
    result = chatforge("run", flow, "--dry-run", "--input", '{"event": "lead.captured", "agent_id": "a", "data": {}}')
    assert result.code == 1
    assert "the event started nothing: trigger.if: trigger.visitor_email != null is false" in result.error


def test_pin_takes_the_place_of_a_sample(greet):
    steps = steps_of(greet("--dry-run", "--pin", 'ask={"approved": false, "by": "Ann"}'))
    assert steps["greet[0]"]["reason"] == "if: steps.ask.approved is false"
    assert (steps["ask"]["output"]["by"], steps["ask"]["output"]["text"]) == ("Ann", None)


def test_pin_of_a_real_run_is_given_instead_of_a_call(scene, flow):
    result = scene("run", flow, "--pin", f"chat={PIN}", "--pin", 'takeover={"message": {"id": "m"}}')
    assert result.code == 0, result.error
    [run] = scene.runs()
    steps = scene.read(lambda journal: journal.steps(run.id))
    assert scene.requests() == {}
    assert steps["takeover"].input["conversation_id"] == "c9"
    assert steps["chat"].reason == steps["takeover"].reason == "pinned"
    assert steps["contact"].reason is None


def test_pin_holds_where_a_server_does_the_run(scene):
    path = scene.write_flow(FLOW.replace("wait: 30d", "wait: 1s"), "greet")
    pins = ["--pin", 'agents={"agents": []}', "--pin", "ask={}"]
    with scene.serving():
        result = scene("run", str(path), "--pin", "greet=[]", *pins, "--json")
    assert json.loads(result.out)["outputs"] == {"agents": 0}, result.error
    assert scene.requests() == {}


@pytest.mark.parametrize(
    ("pin", "sentence"),
    [
        ("chat", "--pin 'chat': expected STEP=JSON or STEP=@FILE"),
        ("caht={}", "--pin caht: the flow 'lead-to-crm' has no such step; did you mean 'chat'?"),
        ("chat={", "--pin chat: this is not JSON"),
        ("chat=@no.json", "--pin chat: the file 'no.json' cannot be read"),
        ("chat={}", "--pin chat: the output does not fit: FoundConversation needs the field 'candidates' (int)"),
        ('chat={"x": 1}', "--pin chat: the output does not fit: FoundConversation has no field 'x'"),
        ("contact[0]={}", "--pin contact[0]: the flow 'lead-to-crm' has no such step"),
    ],
)
def test_pin_that_does_not_fit_is_told_before_anything_is_done(chatforge, flow, pin, sentence):
    result = chatforge("run", flow, "--pin", pin)
    assert (result.code, result.out) == (2, "")
    assert sentence in result.error


def test_pin_of_a_step_that_gives_nothing_says_so(greet):
    assert "--pin pause: this step is a wait and gives nothing; leave the pin out" in greet("--pin", "pause=1").error


def test_input_that_the_action_refuses_fails_the_pinned_step_too(chatforge, tmp_path):
    step = "{id: page, uses: contacts.list, with: {limit: '${{ inputs.n }}'}}"
    (tmp_path / "one.yaml").write_text(f"flow: one\ninputs: {{n: {{type: int}}}}\nsteps: [{step}]\n")
    result = chatforge("run", "one.yaml", "--dry-run", "--set", "n=0")
    assert result.code == 1
    assert "the input of contacts.list does not fit: limit" in result.out
