"""How the polls stand, beside a server and after it."""

import json
import sqlite3
from contextlib import closing

KEY = "cf_sandbox_wrong_key"
FLOW = "trigger: {uses: chatforge.lead_captured, with: {every: 5s, wait_for_lead: 30s}}\n"
STEPS = "steps: [{id: contacts, uses: contacts.list}]\n"


def polls(scene):
    return json.loads(scene("polls", "--json").out)


def test_nothing_polled_is_said(scene):
    scene.write_flow("trigger: {uses: chatforge.event}\n" + STEPS)
    with scene.serving():
        assert scene("polls").out == "nothing was polled yet; chatforge serve does it for triggers that watch a list\n"
        assert polls(scene) == {"executed": True, "polls": [], "failures": [], "waiting": []}


def test_list_that_was_seen_whole_is_told_with_its_entries(scene):
    scene.visit()
    scene.write_flow(FLOW + STEPS)
    with scene.serving():
        scene.wait_for(scene.is_swept)
        shown = scene("polls").out.splitlines()
        [state] = polls(scene)["polls"]
    with closing(sqlite3.connect(scene.database)) as database, database:
        database.execute("UPDATE polls SET alert = 'ChatForge ignores `offset`'")
    assert "\n  alert    ChatForge ignores `offset`\n" in scene("polls").out
    assert shown[0] == f"chatforge/default  leads  {scene.sandbox.agent_id}"
    assert [line.split()[0] for line in shown[1:]] == ["polled", "whole", "entries"]
    assert shown[1].endswith(" s ago")
    assert shown[3] == "  entries  1"
    assert (state["list"], state["partition"], state["entries"]) == ("leads", scene.sandbox.agent_id, 1)
    assert state["swept_at"]
    assert [state[name] for name in ("failing_since", "error", "alert", "retired_at")] == [None] * 4


def test_failing_poll_says_what_fails_and_which_webhooks_wait(scene):
    scene.write_flow(FLOW + STEPS)
    with scene.serving():
        scene.wait_for(scene.is_swept)
        scene.break_api("v1-leads", status=500, times=50)
        scene.visit()
        scene.wait_for(lambda: polls(scene)["polls"][0]["error"] and polls(scene)["waiting"])
        shown = scene("polls").out
    assert "\n  fails    since " in shown
    assert max(map(len, shown.splitlines())) <= 80
    waits = "chatforge/default, leads: 1 webhook waits until its entry is listed; a flow starts without that at "
    assert waits in shown.replace("\n", " ")
    [waiting] = polls(scene)["waiting"]
    assert waiting.pop("due_at")
    assert waiting == {"connector": "chatforge", "connection": "default", "list": "leads", "webhooks": 1}


def test_agents_that_cannot_be_listed_from_the_first_start_are_told_until_they_can(scene):
    scene.write_flow(FLOW + STEPS)
    with scene.serving(CHATFORGE_API_KEY=KEY):
        [failure] = scene.wait_for(lambda: polls(scene)["failures"])
        shown = scene("polls").out
    assert shown.startswith("chatforge/default  leads\n  fails    since "), shown
    expected = "chatforge.list_agents does not say what there is to poll: the API key is not accepted (401"
    assert expected in " ".join(shown.split())
    assert (failure["connector"], failure["connection"], failure["list"]) == ("chatforge", "default", "leads")
    assert expected in failure["error"]
    assert failure["failing_since"]
    with scene.serving():
        scene.wait_for(scene.is_swept)
        assert polls(scene)["failures"] == []


def test_failure_of_agents_that_are_not_asked_for_any_more_is_forgotten(scene):
    scene.write_flow(FLOW + STEPS)
    with scene.serving(CHATFORGE_API_KEY=KEY):
        scene.wait_for(lambda: polls(scene)["failures"])
    scene.write_flow(FLOW.replace("30s", f"30s, agent_id: {scene.sandbox.agent_id}") + STEPS)
    with scene.serving():
        scene.wait_for(scene.is_swept)
        assert polls(scene)["failures"] == []


def test_poll_without_a_server_is_told(scene):
    scene.write_flow(FLOW + STEPS)
    with scene.serving():
        scene.wait_for(scene.is_swept)
        assert "no server" not in scene("polls").out
    assert scene("polls").out.startswith("no server runs, so nothing is polled; start chatforge serve\n\nchatforge/")
    assert polls(scene)["executed"] is False


def test_list_that_no_flow_watches_any_more_is_told_until_one_does(scene):
    path = scene.write_flow(FLOW + STEPS)
    with scene.serving():
        scene.wait_for(scene.is_swept)
    path.unlink()
    scene.write_flow(FLOW.replace("lead_captured", "new_conversation").replace(", wait_for_lead: 30s", "") + STEPS, "b")
    with scene.serving():
        scene.wait_for(lambda: [one["unwatched_at"] is None for one in polls(scene)["polls"]] == [True, False])
        shown = scene("polls").out
    assert ": no flow that is served watches it any more" in " ".join(shown.partition("  leads  ")[2].split())
    scene.write_flow(FLOW + STEPS)
    with scene.serving():
        scene.wait_for(lambda: [one["unwatched_at"] for one in polls(scene)["polls"]] == [None, None])


def test_pauses_that_are_longer_than_wanted_are_told(scene):
    scene.write_flow(FLOW.replace("5s", "1s") + STEPS)
    with scene.serving(CHATFORGE_RATE_LIMIT="43"):
        scene.wait_for(scene.is_swept)
        shown = " ".join(scene("polls").out.split())
    assert "slow its pauses are 2.0 times as long as wanted: the polls of an account leave 30% of its rate" in shown


def test_poll_that_waits_for_the_rate_limit_is_told_with_the_reason(scene):
    scene.write_flow(FLOW.replace("5s", "1s") + STEPS)
    with scene.serving():
        scene.wait_for(scene.is_swept)
        scene.break_api("v1-agent", status=429, headers={"Retry-After": "100"})
        scene("call", "chatforge.get_agent", "--arg", f"agent_id={scene.sandbox.agent_id}")
        scene.wait_for(lambda: "\n  late     due " in scene("polls").out)
        shown = " ".join(scene("polls").out.split())
    assert "; it waits for the rate limit: " in shown
    assert ", as ChatForge asked with a 429" in shown


def test_agent_that_is_gone_is_told(scene):
    agent = json.loads(scene("call", "chatforge.create_agent", "--arg", "name=Second").out)["agent"]["id"]
    scene.write_flow(FLOW + STEPS)
    with scene.serving():
        scene.wait_for(lambda: len(polls(scene)["polls"]) == 2)
        assert scene("call", "chatforge.delete_agent", "--arg", f"agent_id={agent}", "--yes").code == 0
        scene.wait_for(lambda: any(one["retired_at"] for one in polls(scene)["polls"]))
        shown = scene("polls").out
    blocks = shown.split("\n\n")
    assert [agent in block for block in blocks] == [False, True], "what is gone comes last"
    assert ": it is gone at the other side" in blocks[1].splitlines()[1]
