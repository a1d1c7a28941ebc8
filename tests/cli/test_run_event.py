"""`chatforge run` of a flow with a trigger: what `--set` and `--input` make of `trigger`."""

import json

import pytest

FLOW = """
trigger: {uses: USES}
steps: [{id: all, uses: contacts.list}]
outputs: {trigger: "${{ trigger }}"}
"""


@pytest.fixture
def start(chatforge, tmp_path):
    """Runs a flow with the trigger; what it read as `trigger`, or the error."""

    def run(uses: str, *options: str):
        (tmp_path / "one.yaml").write_text("flow: one" + FLOW.replace("USES", uses))
        result = chatforge("run", "one.yaml", "--json", *options)
        assert result.error.count("\n") == (1 if result.code else 0), result.error
        return json.loads(result.out)["outputs"]["trigger"] if result.code == 0 else result.error

    return run


@pytest.mark.parametrize(
    ("uses", "change", "field", "value"),
    [
        ("chatforge.lead_captured", "visitor_email=ann@example.com", "visitor_email", "ann@example.com"),
        ("chatforge.lead_captured", "visitor_email=null", "visitor_email", None),
        ("chatforge.lead_captured", "visitor_name=5", "visitor_name", "5"),
        ("chatforge.conversation_updated", "message_count=5", "message_count", 5),
        ("chatforge.lead_captured, with: {agent_id: mine}", "agent_id=mine", "agent_id", "mine"),
    ],
    ids=["text", "null", "text of digits", "number", "what the trigger wants"],
)
def test_change_is_made_to_what_the_flow_reads(start, uses, change, field, value):
    assert start(uses, "--set", change)[field] == value


def test_change_inside_a_field_leaves_what_is_beside_it(start):
    data = start("chatforge.event", "--set", "data.visitor_email=ann@example.com")["data"]
    assert (data["visitor_email"], data["visitor_name"]) == ("ann@example.com", "John Smith")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("visitor_emial=x", "--set visitor_emial: there is no such field; did you mean 'visitor_email'?"),
        ("captured_at=soon", "--set captured_at=soon: expected time, not 'soon'"),
    ],
    ids=["misspelt", "wrong type"],
)
def test_change_that_does_not_fit_is_told(start, change, sentence):
    assert sentence in start("chatforge.lead_captured", "--set", change)


def test_event_of_a_changed_run_is_the_sample(chatforge, start):
    assert start("chatforge.lead_captured", "--set", "visitor_email=ann@example.com")
    [stored] = json.loads(chatforge("events", "list", "--json").out)
    body = json.loads(json.loads(chatforge("events", "show", stored["id"], "--json").out)["body"])
    assert body["data"]["visitor_email"] == "john@example.com"


LEAD = {"agent_id": "mine", "captured_at": "2026-03-25T10:30:00Z", "source": "poll", "visitor_email": "ann@example.com"}


@pytest.mark.parametrize("uses", ["chatforge.lead_captured", "chatforge.new_lead"])
def test_input_may_be_what_the_flow_reads(start, uses):
    read = start(uses, "--input", json.dumps(LEAD))
    assert (read["visitor_email"], read["source"], read["visitor_name"]) == ("ann@example.com", "poll", None)


def test_input_that_is_neither_says_what_is_missing_and_shows_the_shape(start):
    error = start("chatforge.lead_captured", "--input", '{"agent_id": "mine"}')
    assert "CapturedLead needs the field 'captured_at' (time)) nor an event (it has no field 'event'); " in error
    shape = '{"agent_id": "sample agent_id", "captured_at": "2026-03-25T12:00:00Z", "source": "webhook"}'
    assert f"write such as {shape}, see: chatforge show chatforge.lead_captured" in error
