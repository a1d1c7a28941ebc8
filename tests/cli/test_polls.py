"""How the polls stand, beside a server and after it."""

import json
import sqlite3
from contextlib import closing

FLOW = "trigger: {uses: chatforge.lead_captured, with: {every: 5s, wait_for_lead: 30s}}\n"
STEPS = "steps: [{id: contacts, uses: contacts.list}]\n"


def polls(scene):
    return json.loads(scene("polls", "--json").out)


def test_nothing_polled_is_said(scene):
    scene.write_flow("trigger: {uses: chatforge.event}\n" + STEPS)
    with scene.serving():
        assert scene("polls").out == "nothing was polled yet; chatforge serve does it for triggers that watch a list\n"
        assert polls(scene) == {"polls": [], "waiting": []}


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
    assert (
        "chatforge/default, leads: 1 webhook waits until its entry is listed; a flow starts without that at " in shown
    )
    [waiting] = polls(scene)["waiting"]
    assert waiting.pop("due_at")
    assert waiting == {"connector": "chatforge", "connection": "default", "list": "leads", "webhooks": 1}


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
