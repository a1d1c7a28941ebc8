"""`chatforge agents`, against the sandbox: what is written here, what is sent, and what is left alone."""

import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from hostile import TEXTS

ROOT = Path(__file__).parents[2]
FIRST = "00000000-0000-4000-8000-000000000001"
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


class Vendor:
    """The agents at ChatForge, as another program changes them."""

    def __init__(self, scene):
        self.url, self.key = scene.sandbox.url, scene.sandbox.api_key
        self.control = scene.sandbox.control_url

    def ask(self, method, action, body=None, **params):
        headers = {"Authorization": f"Bearer {self.key}"}
        content = None if body is None else json.dumps(body)
        answer = httpx.request(method, self.url, params={"action": action, **params}, content=content, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    def create(self, name, **more):
        return self.ask("POST", "v1-agents", {"name": name, **more})["agent"]["id"]

    def get(self, agent_id=FIRST):
        return self.ask("GET", "v1-agent", agent_id=agent_id)["agent"]

    def update(self, agent_id=FIRST, **values):
        self.ask("PUT", "v1-agent", values, agent_id=agent_id)

    def called(self, name):
        return [agent for agent in self.ask("GET", "v1-agents")["agents"] if agent["name"] == name]

    def names(self):
        return sorted(agent["name"] for agent in self.ask("GET", "v1-agents")["agents"])

    def effects(self):
        """The bodies of what was changed through the API, by method."""
        effects = httpx.get(f"{self.control}/effects").json()["effects"]
        return [(effect["method"], effect["body"]) for effect in effects]


@pytest.fixture
def vendor(scene):
    return Vendor(scene)


@pytest.fixture
def agents(scene):
    """The folder of the agents; it is made by the first pull."""
    return scene.folder / "agents"


def pull(scene, *more):
    return scene("agents", "pull", "agents", *more)


def apply(scene, *more):
    return scene("agents", "apply", "agents", "--yes", *more)


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write_new(agents, name="sales", text="name: Sales\n", **files):
    (agents / name).mkdir(parents=True)
    (agents / name / "agent.yaml").write_text(text)
    for file, written in files.items():
        (agents / name / file.replace("_md", ".md")).write_text(written)


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


def test_plan_is_printed_as_json(scene, vendor, agents):
    gone = vendor.create("Gone")
    pull(scene)
    (agents / "gone").rename(scene.folder / "gone")
    (agents / "support-agent/prompt.md").write_text("x")
    write_new(agents)
    vendor.update(name="Help")
    result = scene("agents", "apply", "agents", "--dry-run", "--json", "--delete")
    assert (result.code, result.error) == (0, "")
    assert json.loads(result.out) == {
        "changes": [{"folder": "support-agent", "id": FIRST, "fields": {"system_prompt": {"from": "", "to": "x"}}}],
        "creations": [{"folder": "sales", "fields": {"name": "Sales"}}],
        "deletions": [{"folder": "gone", "id": gone, "name": "Gone"}],
        "notes": ["name in support-agent/agent.yaml was changed at ChatForge; chatforge agents pull takes it over"],
        "refusals": [],
    }
    refused = apply(scene, "--json")
    assert refused.code == 2
    assert "--json shows what would be sent; give --dry-run with it" in refused.error


def test_dry_run_and_no_terminal_send_nothing(scene, vendor, agents):
    pull(scene)
    (agents / "support-agent/prompt.md").write_text("x")
    assert scene("agents", "apply", "agents", "--dry-run").code == 0
    result = scene("agents", "apply", "agents")
    assert result.code == 2
    assert "nobody can be asked here; give --yes to send it" in result.error
    assert vendor.effects() == []


@pytest.mark.parametrize(("answer", "code", "sent"), [(b"y\n", 0, 1), (b"n\n", 1, 0)])
def test_terminal_is_asked(scene, vendor, agents, answer, code, sent):
    pull(scene)
    (agents / "support-agent/prompt.md").write_text("x")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(scene.folder)
        command = [sys.executable, "-m", "connector", "agents", "apply", "agents"]
        os.execve(command[0], command, scene.settings | {"PATH": os.environ["PATH"]})  # noqa: S606 - as above
    shown = b""
    while b"send it?" not in shown:
        shown += os.read(terminal, 1_000)
    os.write(terminal, answer)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code
    os.close(terminal)
    assert len(vendor.effects()) == sent


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


def test_change_on_both_sides_is_a_conflict_until_somebody_decides(scene, vendor, agents):
    pull(scene)
    prompt = agents / "support-agent/prompt.md"
    prompt.write_text("mine")
    vendor.update(system_prompt="theirs", name="Help")
    refused = apply(scene)
    assert refused.code == 1
    assert "support-agent/prompt.md was changed here and at ChatForge; take theirs with" in refused.error
    assert refused.out.endswith("nothing was sent\n")
    left = pull(scene)
    assert left.code == 1
    assert "support-agent/prompt.md was changed here and at ChatForge, and was left; --force" in left.error
    assert prompt.read_text() == "mine"
    assert vendor.get()["system_prompt"] == "theirs"
    forced = apply(scene, "--force")
    assert forced.code == 0
    assert "  -theirs\n" in forced.out
    assert vendor.get() | {"created_at": ""} == vendor.get() | {
        "system_prompt": "mine",
        "name": "Help",
        "created_at": "",
    }
    vendor.update(system_prompt="theirs again")
    prompt.write_text("mine again")
    assert pull(scene, "--force").code == 0
    assert prompt.read_text() == "theirs again"


def test_change_at_chatforge_alone_is_told_and_not_undone(scene, vendor, agents):
    pull(scene)
    vendor.update(system_prompt="theirs")
    result = apply(scene)
    assert result.out == (
        "note: support-agent/prompt.md was changed at ChatForge; chatforge agents pull takes it over\nnothing to send\n"
    )
    assert pull(scene).out == "wrote support-agent/prompt.md\n1 agent, 1 file written\n"


def test_new_folder_becomes_an_agent_whose_files_a_pull_leaves(scene, vendor, agents):
    write_new(agents, text="# for the shop\nname: Sales\nactive: false # not yet\n", prompt_md="Sell.")
    result = apply(scene)
    assert result.code == 0, result.error
    [created] = vendor.called("Sales")
    assert f"created sales as {created['id']}\n" in result.out
    assert (created["active"], vendor.get(created["id"])["system_prompt"]) == (False, "Sell.")
    text = (agents / "sales/agent.yaml").read_text().replace('"', "")
    assert text.startswith(f"# for the shop\nid: {created['id']}\nname: Sales\nactive: false # not yet\n")
    before = content(agents / "sales")
    pull(scene)
    assert content(agents / "sales") == before
    assert apply(scene).out == "nothing to send\n"


def test_agent_of_a_known_name_is_created_only_where_another_is_wanted(scene, vendor, agents):
    write_new(agents, text="name: Support Agent\n")
    result = apply(scene)
    assert result.code == 1
    assert "agents/sales/agent.yaml: there is an agent of its name that no folder holds" in result.error
    pull(scene)
    assert apply(scene).code == 0
    assert vendor.names() == ["Support Agent", "Support Agent"]


def test_agent_is_deleted_only_where_its_folder_was_pulled_and_is_gone_and_it_is_asked_for(scene, vendor, agents):
    gone, moved = vendor.create("Gone"), vendor.create("Moved")
    pull(scene)
    late = vendor.create("Never pulled")
    for path in (agents / "gone").iterdir():
        path.unlink()
    (agents / "gone").rmdir()
    (agents / "moved").rename(agents / "elsewhere")
    result = apply(scene)
    assert (result.code, result.out) == (
        0,
        "note: the folder of 'Gone', gone, is gone; --delete deletes the agent too\nnothing to send\n",
    )
    result = apply(scene, "--delete")
    assert result.out.splitlines() == [
        f"delete Gone ({gone}) and all its conversations; gone is gone",
        "1 to delete",
        f"deleted Gone ({gone})",
    ]
    assert vendor.names() == ["Moved", "Never pulled", "Support Agent"]
    assert apply(scene, "--delete").out == "nothing to send\n"
    assert vendor.get(moved)
    assert vendor.get(late)


def test_agent_that_was_changed_since_the_pull_is_not_deleted(scene, vendor, agents):
    pull(scene)
    (agents / "support-agent").rename(scene.folder / "backup")
    vendor.update(system_prompt="important")
    result = apply(scene, "--delete")
    assert result.code == 1
    assert "system_prompt of 'Support Agent', whose folder support-agent is gone, was changed at" in result.error
    assert apply(scene, "--delete", "--force").code == 0
    assert vendor.names() == []


def test_folder_without_its_agent_yaml_keeps_its_agent(scene, vendor, agents):
    pull(scene)
    (agents / "support-agent/agent.yaml").unlink()
    assert apply(scene, "--delete").out == "nothing to send\n"


@pytest.mark.parametrize(
    ("fault", "there"),
    [({"cut": "after_effect"}, True), ({"status": 500}, False)],
    ids=["created", "not created"],
)
def test_creation_of_unknown_outcome_is_not_repeated_by_itself(scene, vendor, agents, fault, there):
    write_new(agents)
    scene.break_api("v1-agents", method="POST", **fault)
    result = apply(scene)
    assert result.code != 0
    assert "the next apply says whether an agent of the name 'Sales' is there" in result.error
    result = apply(scene)
    assert result.code == 1
    assert "agents/sales/agent.yaml: whether this agent was created at 20" in result.error
    assert vendor.names() == (["Sales"] if there else []) + ["Support Agent"]
    if there:
        [sales] = vendor.called("Sales")
        assert f"write `id: '{sales['id']}'` into it, or give --force" in result.error
        (agents / "sales/agent.yaml").write_text(f"id: {sales['id']}\nname: Sales\n")
        assert apply(scene).out == "nothing to send\n"
    else:
        assert "none of its name is there now; to create it give --force" in result.error
        assert apply(scene, "--force").code == 0
    assert vendor.names() == ["Sales", "Support Agent"]


def test_refused_creation_leaves_no_doubt(scene, vendor, agents):
    write_new(agents)
    scene.break_api("v1-agents", method="POST", status=402, body={"error": "agent limit of the plan reached"})
    result = apply(scene)
    assert result.code == 1
    assert "agent limit of the plan reached" in result.error
    scene.break_api("v1-agents", method="POST", status=403)
    result = apply(scene)
    assert result.code == 3
    assert "the plan of this API key does not include the API" in result.error
    assert apply(scene).code == 0
    assert vendor.names() == ["Sales", "Support Agent"]


def test_interrupted_apply_goes_on(scene, vendor, agents):
    write_new(agents, "a", "name: A\nactive: false\n")
    write_new(agents, "b", "name: B\n")
    scene.break_api("v1-agent", method="PUT", status=500)
    assert apply(scene).code == 1
    assert vendor.names() == ["A", "Support Agent"]
    assert apply(scene).code == 0
    assert vendor.names() == ["A", "B", "Support Agent"]
    assert [agent["active"] for agent in vendor.called("A")] == [False]


def test_killed_creation_is_not_repeated(scene, vendor, agents):
    write_new(agents)
    scene.break_api("v1-agents", method="POST", delay_seconds=30)
    running = scene.start("agents", "apply", "agents", "--yes")
    while "Sales" not in vendor.names():
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    result = apply(scene)
    assert result.code == 1
    assert ", and there is an agent of its name that no folder holds: write `id: " in result.error
    assert vendor.names() == ["Sales", "Support Agent"]


def test_id_that_is_gone_or_lost_is_told(scene, vendor, agents):
    pull(scene)
    path = agents / "support-agent/agent.yaml"
    path.write_text(path.read_text().replace(f'id: "{FIRST}"\n', ""))
    result = apply(scene)
    assert f"agents/support-agent/agent.yaml has no id, and was pulled with one; write `id: '{FIRST}'`" in result.error
    path.write_text("name: x\nid: nobody\n")
    result = apply(scene)
    assert (result.code, vendor.effects()) == (1, [])
    assert "agents/support-agent/agent.yaml:2: there is no agent 'nobody' in this account; remove" in result.error
    assert pull(scene).out.startswith("wrote support-agent-2/agent.yaml\n")
    assert "left support-agent, whose agent nobody is no longer at ChatForge\n" in pull(scene).out


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


def test_apply_without_a_folder_says_what_to_do(scene):
    result = apply(scene)
    assert result.code == 2
    assert "'agents' is no folder; write the agents into one first: chatforge agents pull DIR" in result.error
    assert "File name too long" in scene("agents", "pull", "x" * 5_000).error
    assert scene("agents", "apply", "x" * 5_000).code == 2


def test_agent_that_is_changed_while_somebody_thinks_is_not_overwritten(scene, vendor, agents):
    pull(scene)
    (agents / "support-agent/prompt.md").write_text("x")
    shown = vendor.get()
    scene.break_api("v1-agent", method="GET", status=200, body={"agent": shown | {"system_prompt": ""}})
    vendor.update(system_prompt="just now")
    result = apply(scene)
    assert result.code == 1
    assert "support-agent was changed at ChatForge just now, so it was not sent; run the command again" in result.error
    assert vendor.get()["system_prompt"] == "just now"


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
