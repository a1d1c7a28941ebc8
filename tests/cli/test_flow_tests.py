"""`chatforge test`: tests of flows, in which nothing is called."""

from textwrap import dedent

import pytest

from connector.runs.flow_tests.running import differences

FLOW = """
flow: refund
inputs: {email: {type: str}, rows: {type: "list[str]", default: []}}
config: {owner: {type: str}, limit: {type: int, default: 10}}
steps:
  - {id: found, uses: contacts.find, with: {email: "${{ inputs.email }}"}}
  - {id: known, switch: {on: steps.found.contact != null, cases: {false: [{id: nobody, stop: Nobody is known.}]}}}
  - {id: ask, approve: {title: "Refund ${{ inputs.email }}?", form: {note: {type: str, default: none}}}}
  - {id: reply, wait_for: {uses: chatforge.event, match: "true", timeout: 1d}}
  - {id: pause, wait: 2h}
  - {id: late, not_after: "add_duration(run.started_at, '1h')", uses: contacts.list}
  - {id: each, for_each: inputs.rows, uses: contacts.upsert, with: {email: "${{ item }}", note: "${{ config.owner }}"}}
  - {id: inner, uses: flow.inner, with: {text: "${{ steps.ask.note }}"}}
on_error: [{id: told, uses: contacts.upsert, with: {email: boss@example.com, note: "${{ error.message }}"}}]
outputs: {by: "${{ steps.ask.by }}", event: "${{ steps.reply?.event }}", text: "${{ steps.inner.text }}"}
"""
INNER = """
flow: inner
inputs: {text: {type: str}}
steps: [{id: keep, uses: contacts.upsert, with: {email: in@example.com, note: "${{ inputs.text }}"}}]
outputs: {text: "${{ steps.keep.id }} ${{ inputs.text }}"}
"""
GOOD = """
tests:
  - name: all goes well
    inputs: {email: ann@example.com, rows: [a, b]}
    config: {owner: "${{ Anna }}"}
    pins:
      found: {contact: {id: c1, created_at: TIME, updated_at: TIME, properties: {}, notes: []}}
      ask: {by: Ann}
      reply: null
      each[0]: {id: e0, created: true}
      each[]: {id: e, created: true}
      inner/keep: {id: in1, created: true}
    errors: {}
    expect:
      status: succeeded
      steps:
        ask: {input: {title: "Refund ann@example.com?"}}
        late: {status: skipped, reason: "not_after: it is later than 2026-03-25T13:00:00Z"}
        each[1]: {input: {email: b, note: "${{ Anna }}"}}
        nobody: not_reached
        inner/keep: succeeded
      outputs: {by: Ann, event: null, text: in1 none}
""".replace("TIME", "2026-01-01T00:00:00Z")


@pytest.fixture
def refund(chatforge, tmp_path):
    (tmp_path / "refund.yaml").write_text(FLOW)
    (tmp_path / "inner.yaml").write_text(INNER)

    def run(tests: str, **environment: str):
        (tmp_path / "refund.test.yaml").write_text(dedent(tests))
        return chatforge("test", "refund.test.yaml", **environment)

    return run


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_test_passes_where_all_is_as_expected(refund):
    result = refund(GOOD)
    assert (result.code, result.error) == (0, "")
    assert result.out == "refund.test.yaml\n  ok      all goes well\n1 test, none failed\n"


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("status: succeeded", "status: held", 'status\n      expected "held"\n      got      "succeeded"'),
        ("by: Ann, event", "by: Bob, event", 'outputs.by\n      expected "Bob"\n      got      "Ann"'),
        ("event: null", "events: null", "outputs.events\n      expected null\n      got      nothing"),
        ("email: b,", "email: c,", 'steps.each[1].input.email\n      expected "c"\n      got      "b"'),
        ("nobody: not_reached", "nobody: skipped", 'steps.nobody.status\n      expected "skipped"'),
        ("than 2026-03-25T13", "than 2026-03-25T12", "steps.late.reason\n"),
    ],
)
def test_failing_test_shows_each_place_that_differs(refund, old, new, shown):
    result = refund(changed(old, new))
    assert result.code == 1
    assert f"  FAILED  all goes well  (refund.test.yaml:3)\n    {shown}" in result.out
    assert result.out.endswith("1 test, 1 failed\n")


@pytest.mark.parametrize(
    ("left_out", "path", "hint"),
    [
        (
            "      found: {",
            "found",
            'contacts.find is not done in a test; write its output: pins: {"found": {"contact": {"id"',
        ),
        ("      ask: {by", "ask", 'approve is not done in a test; write its output: pins: {"ask": {"approved": true}}'),
        ("      reply: null", "reply", 'write its output: pins: {"reply": {"event": "sample event"'),
        ("      each[]: {", "each[1]", 'write its output: pins: {"each[]": {"id": "sample id"'),
        ("      inner/keep: {id", "inner/keep", 'write its output: pins: {"inner/keep": {"id": "sample id"'),
    ],
    ids=["action", "approval", "event", "item", "called flow"],
)
def test_step_without_an_output_says_what_to_write(refund, left_out, path, hint):
    lines = [line for line in GOOD.splitlines() if not line.startswith(left_out)]
    result = refund("\n".join(lines))
    assert result.code == 1
    assert f"    steps.{path}: " in result.out
    assert hint in result.out
    assert result.error == ""


def test_nothing_of_the_installation_reaches_a_test(refund, tmp_path):
    (tmp_path / "connections.yaml").write_text("config: {owner: Bob, limit: x}\n")
    result = refund(GOOD, CHATFORGE_CONFIG_OWNER="Carl")
    assert result.code == 0, result.out + result.error
    assert not list(tmp_path.glob("*.sqlite*"))


def test_read_is_not_sent_either(scene):
    scene.write_flow("inputs: {}\nsteps: [{id: agents, uses: chatforge.list_agents}]", "reads")
    (scene.folder / "flows" / "reads.test.yaml").write_text("tests: [{name: reads, inputs: {}, expect: {}}]")
    result = scene("test")
    assert result.code == 1
    assert "steps.agents: chatforge.list_agents is not done in a test" in result.out
    assert scene.requests() == {}


def test_error_fails_the_step_and_holds_the_run_where_it_says_so(refund):
    case = """
    tests:
      - name: fails
        inputs: {email: a}
        config: {owner: A}
        errors: {found: {kind: network, message: "it was cut ${{ off }}"}}
        pins: {told: {id: t, created: false}}
        expect:
          status: failed
          error: it was cut ${{ off }}
          steps:
            found: {status: failed, error: "it was cut ${{ off }}"}
            told: {input: {note: "it was cut ${{ off }}"}}
      - name: is held
        inputs: {email: a}
        config: {owner: A}
        errors: {found: {kind: ambiguous, held: true}}
        pins: {told: {id: t, created: false}}
        expect: {status: held, error: ambiguous error of a test}
      - name: stops
        inputs: {email: a}
        config: {owner: A}
        pins: {found: {}}
        expect: {status: succeeded, reason: Nobody is known.}
    """
    result = refund(case)
    assert result.code == 0, result.out + result.error


def test_trigger_that_is_not_wanted_starts_nothing(chatforge, flow, tmp_path):
    (tmp_path / "leads.test.yaml").write_text(
        "tests:\n- name: no e-mail\n  trigger: {agent_id: a, captured_at: 2026-03-25T12:00:00Z, source: poll}\n"
        "  expect:\n    status: not_started\n"
        '    reason: "trigger.if: trigger.visitor_email != null is false: trigger.visitor_email is null"\n'
    )
    assert chatforge("test", "leads.test.yaml").code == 0


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("tests:", "test: []\ntests:", "refund.test.yaml:2:1: a test file has no key 'test'; write tests:"),
        ("- name: all goes well", "- nam: all", ":3:5: a test has no key 'nam'; write name:"),
        ("inputs: {email: ann@example.com,", "inputs: {", ":4:13: the inputs of the flow 'refund': email (str) is"),
        ("    inputs: {", "    trigger: {", ":4:5: the flow 'refund' has inputs; write inputs:"),
        ("config: {owner", "config: {onwer", "there is no 'onwer'; expected owner, limit"),
        ('    config: {owner: "${{ Anna }}"}\n', "", ":3:5: the config of the flow 'refund': owner (str) is missing"),
        ("    errors: {}", "    now: noon", "now is a time, not 'noon'; write it as 2026-03-25T12:00:00Z"),
        ("      ask: {by: Ann}", "      aks: {by: Ann}", "the flow 'refund' has no step 'aks'; did you mean 'ask'?"),
        ("      ask: {by: Ann}", "      ask: {by: 7}", ":8:12: the output does not fit: by is 7, but str | null"),
        ("      ask: {by: Ann}", "      pause: 1", ":8:14: this step is a wait and gives nothing; leave the pin out"),
        ("errors: {}", "errors: {ask: {message: x}}", "an error needs the key 'kind'; add `kind: network`"),
        ("status: succeeded", "status: skipped", "the status is succeeded, failed, held or not_started, not 'skipped'"),
        ("nobody: not_reached", "nobdy: skipped", "has no step 'nobdy'; did you mean 'nobody'?"),
        ("ask: {input", "ask: {output", "what is expected of ask has no key 'output'"),
    ],
)  # fmt: skip
def test_wrong_test_file_is_told_with_the_place(refund, old, new, problem):
    result = refund(changed(old, new))
    assert (result.code, result.out) == (1, "")
    assert problem in result.error


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "refund.test.yaml:1:1: the file is empty; start with `tests:` [yaml]"),
        ("- name: a", "refund.test.yaml:1:1: a test file is made of `key: value` lines; start with `tests:`"),
        ("tests: []", "refund.test.yaml:1:8: tests is a list of tests; write - name: … and its keys below it"),
        ("tests: [7]", "refund.test.yaml:1:9: a test is made of `key: value` lines; expected the keys name,"),
    ],
    ids=["empty", "list", "no test", "number"],
)
def test_file_without_tests_is_told(refund, text, problem):
    result = refund(text)
    assert result.code == 1
    assert problem in result.error


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["leads.yaml"], "'leads.yaml' is no test file; give one called NAME.test.yaml"),
        (["no.test.yaml"], "there is no file 'no.test.yaml'"),
        (["."], "there is no test file (*.test.yaml) in the folder '.'"),
        ([], "there is no file 'flows'"),
    ],
)
def test_file_that_is_no_test_is_told(chatforge, flow, arguments, sentence):
    result = chatforge("test", *arguments)
    assert (result.code, result.out) == (2, "")
    assert sentence in result.error


def test_problems_of_the_flow_are_told_with_their_place(refund, tmp_path):
    (tmp_path / "refund.yaml").write_text(FLOW.replace("steps.ask.by", "steps.ask.byy"))
    assert "refund.yaml:15:" in refund(GOOD).error


@pytest.mark.parametrize(
    ("expected", "got", "paths"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, []),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 3}]}}, ["x.a.b[1].c"]),
        ([1], [1, 2], ["x"]),
        (1, 1.0, []),
        (1, True, ["x"]),
        (None, 0, ["x"]),
        ({"a": 1}, None, ["x"]),
    ],
)
def test_difference_names_the_innermost_place(expected, got, paths):
    assert [one.path for one in differences("x", expected, got)] == paths
