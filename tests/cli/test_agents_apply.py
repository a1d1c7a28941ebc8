"""`chatforge agents apply`: what is sent, what is asked or refused, and how it goes on after a failure."""

import json
import os
import pty
import signal
import sys
import time

import pytest
from cli.agents_api import FIRST, apply, content, pull, write_new


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
