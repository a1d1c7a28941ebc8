import json
from pathlib import Path

MISTAKE = "steps.contact.created"


def break_flow(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "leads.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_clean_flow_ends_with_0(chatforge, flow):
    result = chatforge("check", flow)
    assert (result.code, result.out) == (0, "1 flow checked, no problems\n")


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


def test_connection_must_be_in_connections_yaml(chatforge, flow, tmp_path):
    break_flow(tmp_path, "uses: chatforge.lead_captured", "uses: chatforge.lead_captured\n  connection: acme")
    assert "there is no chatforge connection 'acme'" in chatforge("check", flow).out
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
