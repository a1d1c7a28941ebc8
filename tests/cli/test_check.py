import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from connector.cli.annotations import annotation
from connector.flows.problems import Problem

POLLS = "polls of chatforge/default: "
MISTAKE = "steps.contact.created"


def break_flow(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "leads.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_clean_flow_ends_with_0(chatforge, flow):
    result = chatforge("check", flow)
    assert (result.code, result.out) == (
        0,
        f"1 flow checked, no problems\n{POLLS}1 request a minute per agent, enough for 70 agents\n",
    )


def test_problem_names_the_place_what_is_wrong_and_what_was_meant(chatforge, flow, tmp_path):
    break_flow(tmp_path, "steps.contact.created", "steps.contact.creatd")
    result = chatforge("check", flow)
    assert result.code == 1
    head, line, caret, summary = result.out.splitlines()
    assert head == (
        "leads.yaml:29:23: steps.contact (UpsertedContact) has no field 'creatd'; "
        "did you mean 'created'? [unknown-field]"
    )
    assert line.strip() == "if: steps.contact.creatd && steps.chat.conversation != null"
    assert line[caret.index("^") : caret.index("^") + len(caret.strip())] == "creatd"
    assert summary == "1 flow checked, 1 problem"


def test_json_is_a_list_of_problems(chatforge, flow, tmp_path):
    assert json.loads(chatforge("check", flow, "--format", "json").out) == []
    break_flow(tmp_path, "steps.contact.created", "steps.contact.creatd")
    result = chatforge("check", flow, "--format", "json")
    [problem] = json.loads(result.out)
    assert result.code == 1
    assert problem == {
        "path": "leads.yaml",
        "line": 29,
        "column": 23,
        "end_column": 29,
        "rule": "unknown-field",
        "message": "steps.contact (UpsertedContact) has no field 'creatd'",
        "hint": "did you mean 'created'?",
    }


def test_github_annotation_has_place_rule_message_and_hint(chatforge, flow, tmp_path):
    assert chatforge("check", flow, "--format", "github").out == ""
    break_flow(tmp_path, "steps.contact.created", "steps.contact.creatd")
    result = chatforge("check", flow, "--format", "github")
    assert result.code == 1
    assert result.out == (
        "::error file=leads.yaml,line=29,col=23,endColumn=29,title=unknown-field::"
        "steps.contact (UpsertedContact) has no field 'creatd'; did you mean 'created'?\n"
    )


def test_github_annotation_escapes_what_would_end_a_property_or_the_line():
    problem = Problem("a:b,c%\n.yaml", 1, 2, 3, "type", "100 %, as: this\r\n")
    assert annotation(problem) == (
        "::error file=a%3Ab%2Cc%25%0A.yaml,line=1,col=2,endColumn=3,title=type::100 %25, as: this%0D%0A"
    )


def test_strict_lists_where_a_value_may_be_anything(chatforge, tmp_path):
    (tmp_path / "any.yaml").write_text(
        "flow: any\ntrigger: {uses: chatforge.event, if: trigger.data.vip}\n"
        "steps: [{id: agents, uses: chatforge.list_agents}]\n"
    )
    assert chatforge("check", "any.yaml").code == 0
    result = chatforge("check", "--strict", "any.yaml")
    assert result.code == 1
    assert result.out.startswith("any.yaml:2:38: trigger.data.vip is any: nothing checks that it is bool; write ")


def test_connection_must_be_in_connections_yaml(chatforge, flow, tmp_path):
    break_flow(tmp_path, "uses: chatforge.lead_captured", "uses: chatforge.lead_captured\n  connection: acme")
    assert "there is no chatforge connection 'acme'" in chatforge("check", flow).out
    (tmp_path / "connections.yaml").write_text("acme: {connector: chatfogre}\n")
    wrong = "the connection 'acme' is for the connector 'chatfogre', not for 'chatforge'"
    assert wrong in chatforge("check", flow).out
    (tmp_path / "connections.yaml").write_text("acme: {connector: chatforge, api_key: {env: NOT_SET_HERE}}\n")
    assert chatforge("check", flow).code == 0, "checking needs no secrets"


def test_flow_with_problems_is_not_served_and_not_run(chatforge, flow, tmp_path):
    break_flow(tmp_path, "steps.contact.created", "steps.contact.creatd")
    keys = {"CHATFORGE_API_KEY": "k", "CHATFORGE_WEBHOOK_SECRET": "s"}
    for command in (["serve", "--flows", "."], ["run", flow]):
        result = chatforge(*command, **keys)
        assert result.code == 1
        assert "leads.yaml:29:23:" in result.error
        assert "[unknown-field]" in result.error


def test_two_flows_of_one_name_are_not_served(chatforge, flow, tmp_path):
    (tmp_path / "same.yaml").write_bytes((tmp_path / flow).read_bytes())
    result = chatforge("serve", "--flows", ".")
    assert result.code == 1
    assert "there are two flows 'lead-to-crm', the first in leads.yaml" in result.error
    assert "[duplicate-flow]" in chatforge("check", ".").out


POLLING = """
flow: NAME
trigger: {uses: TRIGGER, with: {every: EVERY, AGENT}}
steps: [{id: agents, uses: chatforge.list_agents}]
"""


@pytest.mark.parametrize(
    ("flows", "sentences"),
    [
        pytest.param([("manual", "", "")], [], id="none"),
        pytest.param(
            [("chatforge.new_lead", "1m", ""), ("chatforge.lead_captured", "30s", "")],
            ["2 requests a minute per agent, enough for 35 agents"],
            id="one list is polled once",
        ),
        pytest.param(
            [("chatforge.new_lead", "1m", ""), ("chatforge.new_conversation", "1m", "")],
            ["2 requests a minute per agent, enough for 35 agents"],
            id="two lists are polled",
        ),
        pytest.param(
            [("chatforge.new_lead", "5m", "agent_id: a"), ("chatforge.new_lead", "2m", "agent_id: b")],
            ["0.7 requests a minute for the agents that flows name"],
            id="agents are named",
        ),
        pytest.param(
            [("chatforge.new_lead", "1m", ""), ("chatforge.new_lead", "10s", "agent_id: a")],
            ["1 request a minute per agent and 5 more for the agents that flows name, enough for 65 agents"],
            id="an agent is named beside all",
        ),
    ],
)
def test_requests_of_polls_are_told(chatforge, tmp_path, flows, sentences):
    for number, (trigger, every, agent) in enumerate(flows):
        text = POLLING.replace("NAME", f"flow-{number}").replace("TRIGGER", trigger).replace("AGENT", agent)
        text = text.replace("EVERY", every) if every else text.replace(", with: {every: EVERY, }", "")
        (tmp_path / f"{number}.yaml").write_text(text)
    result = chatforge("check", ".")
    shown = result.out.replace("\n", " ").replace(f" {POLLS}", f"\n{POLLS}").splitlines()[1:]
    assert [line.strip() for line in shown] == [f"{POLLS}{sentence}" for sentence in sentences]


def test_polls_that_need_too_much_are_warned_about_and_are_no_problem(chatforge, flow, tmp_path):
    (tmp_path / "connections.yaml").write_text(
        "acme: {connector: chatforge, rate_limit: 10, api_key: {env: NOT_SET_HERE}}\n"
    )
    break_flow(tmp_path, "uses: chatforge.lead_captured", "uses: chatforge.lead_captured\n  connection: acme")
    break_flow(tmp_path, "connection: acme", "connection: acme\n  with: {every: 8s}")
    result = chatforge("check", flow)
    assert result.code == 0
    assert result.out.splitlines()[-2:] == [
        "warning: polling chatforge/acme needs at least 7.5 requests a minute, more than",
        "70% of its 10; the server will poll less often: write a longer `every`",
    ]
    assert chatforge("check", flow, "--format", "json").out == "[]\n"


def test_terminal_breaks_a_problem_between_words_and_piped_it_stays_one_line(chatforge, flow, tmp_path):
    break_flow(tmp_path, "contact.created", "contact.creatd")
    main, terminal = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "connector", "check", flow],
        env={"PATH": os.environ["PATH"], "COLUMNS": "80", "TERM": "xterm"},
        cwd=tmp_path,
        stdout=terminal,
        check=False,
    )
    os.close(terminal)
    shown = os.read(main, 10_000).decode().splitlines()
    os.close(main)
    assert shown[:2] == [
        "leads.yaml:29:23: steps.contact (UpsertedContact) has no field 'creatd'; did you",
        "mean 'created'? [unknown-field]",
    ]
    assert chatforge("check", flow).out.splitlines()[0] == f"{shown[0]} {shown[1]}"


@pytest.mark.parametrize("command", ["check", "graph", "run"])
def test_test_file_is_not_taken_for_a_flow(chatforge, tmp_path, command):
    (tmp_path / "leads.test.yaml").write_text("tests: []\n")
    result = chatforge(command, "leads.test.yaml")
    sentence = "error: 'leads.test.yaml' is a test file; run it with: chatforge test leads.test.yaml\n"
    assert (result.code, result.error) == (2, sentence)


def test_connections_are_not_taken_for_a_flow(chatforge, tmp_path):
    (tmp_path / "connections.yaml").write_text("config: {owner: ann@example.com}\n")
    result = chatforge("check", "connections.yaml")
    assert (result.code, "holds accounts and config, and is no flow" in result.error) == (2, True)
