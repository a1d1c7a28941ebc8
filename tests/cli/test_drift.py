"""What `chatforge drift` shows of answers that are not what the reference says."""

import json

AGENT = {"id": "a1", "name": "Support", "welcome_message": None, "active": True, "primary_color": "#fff"}
FLOW = "trigger: {uses: manual}\nsteps: [{id: agents, uses: chatforge.list_agents}]\n"


def drift(scene):
    found = json.loads(scene("drift", "--json").out)
    return [(one["operation"], one["kind"], one["path"], one["times"]) for one in found]


def test_added_fields_break_nothing_and_are_told(scene):
    scene.write_flow(FLOW)
    agents = [AGENT | {"created_at": "2026-03-25T10:00:00Z", "language": "en"}, AGENT | {"language": "de"}]
    scene.break_api("v1-agents", status=200, body={"agents": agents, "total": 2})
    assert scene("run", "flows/leads.yaml").code == 0
    assert drift(scene) == [
        ("chatforge.list_agents", "unknown", "agents[].language", 2),
        ("chatforge.list_agents", "unknown", "total", 1),
        ("chatforge.list_agents", "missing", "agents[].created_at", 1),
    ]
    shown = scene("drift").out.splitlines()
    assert shown[0] == "chatforge.list_agents"
    assert shown[1].startswith("  unknown  agents[].language: 2 times, last ")


def test_retyped_field_fails_its_step_and_is_named_and_told(scene):
    scene.write_flow(FLOW)
    scene.break_api("v1-agents", status=200, body={"agents": [AGENT | {"active": "yes"}]})
    result = scene("run", "flows/leads.yaml")
    assert result.code != 0
    assert "agents.0.active: input should be a valid boolean, not 'yes'" in result.out
    assert drift(scene) == [("chatforge.list_agents", "retyped", "agents[].active", 1)]


def test_polled_list_and_the_server_are_heard(scene):
    scene.visit()
    scene.write_flow("trigger: {uses: chatforge.lead_captured}\nsteps: [{id: contacts, uses: contacts.list}]\n")
    leads = [{"id": "l1", "visitor_email": 7, "score": 3}]
    scene.break_api("v1-leads", status=200, body={"leads": leads}, times=1)
    with scene.serving():
        scene.wait_for(scene.is_swept)
    found = drift(scene)
    assert ("chatforge.list_leads", "retyped", "leads[].visitor_email", 1) in found
    assert not [one for one in found if one[2].startswith("leads[].visitor_name")]


def test_sandbox_answers_as_the_reference_says(scene):
    scene.visit()
    scene.write_flow("trigger: {uses: chatforge.lead_captured}\nsteps: [{id: agents, uses: chatforge.list_agents}]\n")
    with scene.serving():
        scene.visit("bob@example.com")
        scene.wait_for(lambda: any(run.status == "succeeded" for run in scene.runs()))
    assert drift(scene) == []
    assert scene("drift").out == "no answer differs from what the plugins declare, as far as flows have asked\n"


def test_key_that_comes_back_as_a_name_is_not_told(scene):
    scene.write_flow(FLOW)
    scene.break_api("v1-agents", status=200, body={"agents": [], scene.sandbox.api_key: 1})
    assert scene("run", "flows/leads.yaml").code == 0
    assert drift(scene) == [("chatforge.list_agents", "unknown", "[secret]", 1)]
