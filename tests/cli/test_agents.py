"""`chatforge agents` against the sandbox: what is written here, and what is read of it."""

import json
import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from cli.agents_api import FIRST, apply, content, pull, write_new
from hostile import TEXTS

ROOT = Path(__file__).parents[2]
EXACT = ["a\r\nb", "no end", "end\n", " \ttrailing \n\n", "\r", "\ufefftext", "\x00", "\ud800half\udfff", *TEXTS]
EXACT.remove("\ud83d\ude00")  # JSON reads the two halves as one character


PROBLEMS = f"""\
agents/support-agent/agent.yaml:2:1: an agent has no key 'welcom_message'; write welcome_message: [unknown-key]
agents/support-agent/agent.yaml:3:9: active is true or false [type]
agents/support-agent/agent.yaml:4:1: agent.yaml has no key 'system_prompt'; write the text into prompt.md [unknown-key]
agents/twin/agent.yaml:2:1: the id '{FIRST}' stands in support-agent/agent.yaml already; \
remove the line where this is to be a new agent [duplicate-key]
agents/untold/agent.yaml:1:7: a new agent needs a name that is not blank; write one [type]
"""


def test_agent_is_written_as_files_and_an_edit_is_sent_alone(scene, vendor, agents):
    vendor.update(system_prompt="Be helpful.\nBe short.\n", knowledge_base="Closed on Sunday.")
    result = pull(scene)
    files = ("agent.yaml", "prompt.md", "knowledge_base.txt", "read-only.json")
    shown = "".join(f"wrote support-agent/{name}\n" for name in files)
    assert (result.code, result.out, result.error) == (0, f"{shown}1 agent, 4 files written\n", "")
    assert (agents / "support-agent/agent.yaml").read_text() == (
        f'id: "{FIRST}"\nname: Support Agent\nwelcome_message: "Hi! How can I help?"\nactive: true\n'
        'primary_color: "#6366f1"\n'
    )
    (agents / "support-agent/prompt.md").write_text("Be helpful.\nBe kind.\n")
    before = len(vendor.effects())
    result = apply(scene)
    assert (result.code, result.error) == (0, "")
    assert result.out == (
        f"change support-agent ({FIRST})\n"
        "  --- ChatForge support-agent/prompt.md\n"
        "  +++ here      support-agent/prompt.md\n"
        "  @@ -1,2 +1,2 @@\n"
        "   Be helpful.\n"
        "  -Be short.\n"
        "  +Be kind.\n"
        "1 to change\n"
        "updated support-agent\n"
    )
    assert vendor.effects()[before:] == [("PUT", {"system_prompt": "Be helpful.\nBe kind.\n"})]
    assert apply(scene).out == "nothing to send\n"


def test_any_text_comes_back_as_it_was(scene, vendor, agents):
    scene.sandbox.settings = replace(scene.sandbox.settings, rate_limit=1_000)
    scene.settings["CHATFORGE_RATE_LIMIT"] = "1000"
    ids = [vendor.create(text or "x", system_prompt=text, knowledge_base=text, welcome_message=text) for text in EXACT]
    assert pull(scene).code == 0
    assert len(list(agents.glob("*/agent.yaml"))) == len(EXACT) + 1
    before, effects = content(agents), vendor.effects()
    assert apply(scene).out == "nothing to send\n"
    for path in agents.glob("*/prompt.md"):
        path.with_name("knowledge_base.txt").write_bytes(path.read_bytes() + b"!")
    assert apply(scene).code == 0
    assert {body["knowledge_base"] for _, body in vendor.effects()[len(effects) :]} == {f"{one}!" for one in EXACT}
    assert pull(scene).out.endswith(" 0 files written\n")
    assert {name for name, text in content(agents).items() if before[name] != text} <= {
        name for name in before if name.endswith("knowledge_base.txt") or name.startswith(".")
    }
    assert [vendor.get(one)["system_prompt"] for one in ids] == EXACT


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "..", "a" * 5_000, "日本", "Sales", "SALES", "sales\n"])
def test_agents_of_one_name_and_of_strange_ones_get_folders_inside(scene, vendor, agents, name):
    vendor.create(name)
    vendor.create(name)
    before = set(scene.folder.iterdir())
    assert pull(scene).code == 0
    assert set(scene.folder.iterdir()) - before == {agents, scene.folder / "budget.sqlite"} - before
    folders = sorted(path.name for path in agents.iterdir() if path.is_dir())
    assert len(folders) == 3
    assert all(len(folder) < 70 and folder.replace("-", "").isalnum() and folder.isascii() for folder in folders)
    assert apply(scene).out == "nothing to send\n"


def test_pull_leaves_what_was_edited_here_and_takes_the_rest(scene, vendor, agents):
    pull(scene)
    (agents / "support-agent/prompt.md").write_text("mine")
    vendor.update(name="Help", welcome_message="Hello")
    path = agents / "support-agent/agent.yaml"
    path.write_text(f"# ours\n{path.read_text()}active: true # always\n".replace("active: true\n", ""))
    result = pull(scene)
    assert result.code == 0
    assert "left support-agent/prompt.md, which was edited here and not applied\n" in result.out
    assert (agents / "support-agent/prompt.md").read_text() == "mine"
    text = path.read_text()
    assert text.startswith("# ours\n")
    assert "name: Help\n" in text
    assert "welcome_message: Hello\n" in text
    assert "active: true # always\n" in text
    assert pull(scene, "--force").code == 0
    assert (agents / "support-agent/prompt.md").read_text() == ""


def test_change_at_chatforge_alone_is_told_and_not_undone(scene, vendor, agents):
    pull(scene)
    vendor.update(system_prompt="theirs")
    result = apply(scene)
    assert result.out == (
        "note: support-agent/prompt.md was changed at ChatForge; chatforge agents pull takes it over\nnothing to send\n"
    )
    assert pull(scene).out == "wrote support-agent/prompt.md\n1 agent, 1 file written\n"


def test_problems_of_all_files_are_told_with_their_places(scene, agents):
    pull(scene)
    path = agents / "support-agent/agent.yaml"
    path.write_text(f"id: '{FIRST}'\nwelcom_message: Hi\nactive: yes\nsystem_prompt: x\n")
    write_new(agents, "twin", f"name: ' '\nid: '{FIRST}'\n")
    write_new(agents, "untold", "name: ' '\n")
    for command in (apply, pull):
        result = command(scene)
        assert (result.code, result.out) == (1, "")
        heads = [line for line in result.error.splitlines() if line.startswith("agents/")]
        assert heads == PROBLEMS.splitlines()


def test_links_are_neither_sent_nor_written_through(scene, vendor, agents):
    pull(scene)
    secret = scene.folder / "secret"
    secret.write_text("secret")
    prompt = agents / "support-agent/prompt.md"
    prompt.unlink()
    prompt.symlink_to(secret)
    vendor.update(system_prompt="theirs")
    for command in (apply, pull):
        result = command(scene)
        assert result.code == 1
        assert (
            "agents/support-agent/prompt.md' cannot be read: it is a link, and links are not followed" in result.error
        )
    assert secret.read_text() == "secret"
    prompt.unlink()
    (agents / "support-agent").rename(scene.folder / "outside")
    (agents / "support-agent").symlink_to(scene.folder / "outside")
    assert "'agents/support-agent' is a link, and links are not followed here" in apply(scene, "--delete").error
    assert vendor.names() == ["Support Agent"]


def test_fields_that_come_later_are_kept_and_not_sent(scene, vendor, agents):
    later = {**vendor.get(), "tone": {"warm": 1}, "note": "\ud800"}
    fault = {"action": "v1-agent", "method": "GET", "status": 200, "body": {"agent": later}}
    assert httpx.post(f"{vendor.control}/faults", content=json.dumps(fault)).is_success
    assert pull(scene).code == 0
    kept = json.loads((agents / "support-agent/read-only.json").read_text())
    assert kept == {"created_at": later["created_at"], "tone": {"warm": 1}, "note": "\ud800"}
    (agents / "support-agent/prompt.md").write_text("x")
    apply(scene)
    assert vendor.effects() == [("PUT", {"system_prompt": "x"})]


def test_field_that_is_not_shown_is_neither_emptied_here_nor_sent(scene, vendor, agents):
    vendor.update(system_prompt="Be helpful.")
    pull(scene)
    short = {"id": FIRST, "name": "Support Agent", "system_prompt": None}
    scene.break_api("v1-agent", method="GET", status=200, body={"agent": short}, times=2)
    assert pull(scene).code == 0
    assert (agents / "support-agent/prompt.md").read_text() == "Be helpful."
    assert apply(scene).out == "nothing to send\n"
    assert pull(scene).out == "wrote support-agent/read-only.json\n1 agent, 1 file written\n"


def test_two_accounts_have_two_folders(scene, vendor, agents):
    (scene.folder / "connections.yaml").write_text(
        f"other: {{connector: chatforge, api_key: {{env: OTHER}}, base_url: '{scene.sandbox.url}'}}\n"
    )
    other = {"OTHER": scene.sandbox.other_api_key}
    pull(scene)
    assert scene("agents", "pull", "theirs", "--connection", "other", **other).code == 0
    (scene.folder / "theirs/support-agent/prompt.md").write_text("x")
    wrong = scene("agents", "apply", "agents", "--connection", "other", **other)
    assert wrong.code == 1
    assert (
        "the agents in 'agents' are of the connection 'default', not 'other'; give --connection default" in wrong.error
    )
    assert scene("agents", "apply", "theirs", "--yes", **other).code == 0
    assert vendor.get()["system_prompt"] == ""
    swapped = scene("agents", "pull", "agents", CHATFORGE_API_KEY=scene.sandbox.other_api_key)
    assert swapped.code == 1
    assert "none of the agents in 'agents' is in this account" in swapped.error


def test_page_shows_what_the_commands_print(scene):
    page = (ROOT / "docs" / "agents.md").read_text()
    [shown] = re.findall(r"```console\n(\$ chatforge agents pull agents\n.*?)```", page, re.DOTALL)
    commands = [line[2:] for line in shown.splitlines() if line.startswith("$ ")]
    printed = ""
    for command in commands:
        printed += f"$ {command}\n"
        if command.startswith("chatforge "):
            printed += scene(*shlex.split(command)[1:]).out
        else:
            subprocess.run(command, shell=True, cwd=scene.folder, check=True)  # noqa: S602 - the page's own
    assert printed == shown


def test_flow_makes_an_agent_for_a_customer_from_a_template_once(scene, vendor):
    vendor.update(system_prompt="You answer for [customer], see [site].", primary_color="#10b981")
    shutil.copy(ROOT / "docs/flows/new-agent-per-customer.yaml", scene.folder)
    page = (ROOT / "docs" / "agents.md").read_text()
    [command] = re.findall(r"^\$ chatforge (run .*)$", page, re.MULTILINE)
    for _ in range(2):
        result = scene(*shlex.split(command.replace("docs/flows/", "")))
        assert result.code == 0, result.out + result.error
    [made] = vendor.called("Smith")
    whole = vendor.get(made["id"])
    assert whole["system_prompt"] == "You answer for Smith, see https://smith.example.com."
    assert (whole["primary_color"], whole["welcome_message"]) == ("#10b981", "Hi! How can I help?")
