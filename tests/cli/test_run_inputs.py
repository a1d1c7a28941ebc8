"""`chatforge run` of a flow with inputs, and what other commands say of it."""

import json

import pytest

FLOW = """
inputs:
  email: {type: str}
  amount: {type: int, default: 5}
steps:
  - {id: keep, uses: contacts.upsert, with: {email: "${{ inputs.email }}", note: "refund ${{ inputs.amount }}"}}
outputs: {email: "${{ inputs.email }}", amount: "${{ inputs.amount }}"}
"""


@pytest.fixture
def here(chatforge, tmp_path):
    (tmp_path / "refund.yaml").write_text(f"flow: refund{FLOW}")
    return chatforge


@pytest.mark.parametrize(
    "options",
    [
        ["--set", "email=ann@example.com", "--set", "amount=7"],
        ["--input", '{"email": "ann@example.com", "amount": 7}'],
    ],
    ids=["one by one", "all"],
)
def test_inputs_reach_the_flow_by_their_types(here, options):
    done = json.loads(here("run", "refund.yaml", "--json", *options).out)
    assert (done["status"], done["outputs"]) == ("succeeded", {"email": "ann@example.com", "amount": 7})


def test_run_with_inputs_is_stored_with_an_event_made_by_hand(here):
    run = json.loads(here("run", "refund.yaml", "--json", "--set", "email=ann@example.com").out)
    event = json.loads(here("events", "show", run["event_id"], "--json").out)
    assert (event["name"], event["connector"], event["connection"]) == ("inputs", "flow", "refund")
    assert json.loads(event["body"]) == {"email": "ann@example.com"}
    assert event["starts"] == [{"flow": "refund", "run_id": run["id"], "reason": None}]


@pytest.mark.parametrize(
    ("options", "faults"),
    [
        pytest.param([], "email (str) is missing", id="missing"),
        pytest.param(
            ["--set", "amount=x", "--set", "emial=y"],
            "--set amount=x: expected int, not 'x'; --set emial: there is no such field; did you mean 'email'?; "
            "email (str) is missing",
            id="wrong and missing",
        ),
        pytest.param(
            ["--input", '{"amount": "7"}'], "email (str) is missing; amount: expected int, not '7'", id="of an object"
        ),
    ],
)
def test_all_that_is_wrong_with_the_inputs_is_told_at_once(here, options, faults):
    result = here("run", "refund.yaml", *options)
    how = "give them with --set NAME=VALUE or --input '{…}'"
    assert (result.code, result.out) == (2, "")
    assert result.error == f"error: the inputs of 'refund' do not fit: {faults}; {how}\n"


def test_inputs_are_given_in_one_way(here):
    result = here("run", "refund.yaml", "--input", "{}", "--set", "email=a")
    assert (result.code, result.error) == (2, "error: --set and --input give the inputs; give one of them\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["backfill", "refund.yaml"], "'refund' has inputs and no trigger, so no list tells its events of the past"),
        (["events", "resend", "EVENT", "--flow", "refund", "--flows", "refund.yaml"], "has inputs and takes no events"),
    ],
    ids=["backfill", "resend"],
)
def test_command_that_needs_a_trigger_says_so(here, arguments, sentence):
    run = json.loads(here("run", "refund.yaml", "--json", "--set", "email=ann@example.com").out)
    result = here(*[run["event_id"] if one == "EVENT" else one for one in arguments])
    assert result.code == 2
    assert sentence in result.error
    assert "run it with: chatforge run" in result.error


def test_server_says_that_others_start_the_flow(scene):
    scene.write_flow(FLOW, "refund")
    server = scene.start("serve", "--flows", "flows", "--port", "0")
    try:
        lines = [server.stdout.readline() for _ in range(3)]
    finally:
        server.terminate()
        server.communicate(timeout=20)
    assert lines[2] == "flow      refund, called by others, or with chatforge run\n"
