"""The recipes with messages to people, served against the sandbox, a double of Slack and a real SMTP server."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import yaml
from cli.test_recipes import EMAIL, NAME, RECIPES, SUMMARY
from plugins import mail_server, slack_double

from connector.chatforge.analytics import store
from connector.chatforge.analytics.sample import Sample
from connector.chatforge.analytics.store import Agent

SECRETS = {"SLACK_TOKEN": "xoxb-canary", "SMTP_PASSWORD": mail_server.PASSWORD}
VISITOR = {"visitor_name": NAME, "conversation_summary": SUMMARY}


@pytest.fixture
def prepare(scene):
    """prepare(recipe, {connection: changes}, what is replaced in the flow)"""

    def write(name: str, changes: dict, *replaced: tuple[str, str]) -> None:
        connections = yaml.safe_load((RECIPES / "connections.yaml").read_text())
        text = (RECIPES / f"{name}.yaml").read_text()
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new)
        (scene.folder / "flows").mkdir()
        (scene.folder / "flows" / f"{name}.yaml").write_text(text)
        mine = {name: connections[name] | change for name, change in changes.items()}
        (scene.folder / "flows" / "connections.yaml").write_text(yaml.safe_dump(mine))

    return write


def mail_to(box) -> dict:
    return {"host": "127.0.0.1", "port": box.port, "security": "none", "networks": ["127.0.0.0/8"], "user": "cal"}


def wait_for_status(scene, status: str):
    def find():
        return next((run for run in scene.runs() if run.status == status), None)

    return scene.wait_for(find, 40)


@pytest.mark.parametrize(
    ("answer", "messages"),
    [
        (["--set", "greeting=this is Ann."], [f"Hi {NAME}, this is Ann."]),
        ([], [f"Hi {NAME}, this is Cal jumping in. How can I help?"]),
        (["--reject"], []),
    ],
    ids=["go with a greeting", "go", "no"],
)
def test_visitor_is_greeted_once_a_person_says_go(scene, prepare, answer, messages):
    with slack_double.running("xoxb-canary") as (served, slack):
        prepare("notify-and-takeover", {"slack": {"address": served.url}})
        with scene.serving(**SECRETS):
            story = scene.visit(EMAIL, **VISITOR)
            run = wait_for_status(scene, "waiting")
            assert scene.messages(story["conversation_id"]) == []
            scene("runs", "approve", run.id, *answer)
            wait_for_status(scene, "succeeded")
    assert scene.messages(story["conversation_id"]) == messages
    [told] = slack.messages
    assert told["channel"] == "#leads"
    assert told["text"].startswith(
        f"<!here> *Take over the chat with {NAME}?*\n{SUMMARY}\n`chatforge runs approve {run.id}"
    )


def test_visitor_is_left_alone_where_nobody_says_go_in_time(scene, prepare):
    with slack_double.running("xoxb-canary") as (served, slack):
        prepare("notify-and-takeover", {"slack": {"address": served.url}}, ("15m", "1s"))
        with scene.serving(**SECRETS):
            story = scene.visit(EMAIL, **VISITOR)
            wait_for_status(scene, "succeeded")
    assert (len(slack.messages), scene.messages(story["conversation_id"])) == (1, [])


def test_each_agent_is_reported_in_an_email_of_its_own(scene, prepare):
    week = datetime.now(UTC).replace(microsecond=0) - timedelta(days=7)
    sample = Sample(week, f"{week:%Y-%m}", 0, 0, 0, 0, 0)
    file = scene.database.with_name("analytics.sqlite")
    agent = Agent("default", scene.sandbox.agent_id)
    asyncio.run(store.use(file, lambda connection: store.add(connection, agent, sample), writing=True))
    scene.visit(EMAIL)
    with mail_server.running(login=True, auth_require_tls=False) as box:
        prepare("weekly-report", {"mail": mail_to(box)})
        result = scene("run", "flows/weekly-report.yaml", "--set", "scheduled_at=2026-03-23T07:00:00Z", **SECRETS)
    assert result.code == 0, result.out + result.error
    agents = json.loads(scene("call", "chatforge.list_agents").out)["agents"]
    subjects = [f"{agent['name']} in the week to 23.03.2026" for agent in agents]
    assert [mail["Subject"] for mail in box.messages] == subjects
    told = box.messages[0].get_content().splitlines()
    assert told[:3] == ["Conversations: 1", "Leads: 1", "Messages: 1"]


@pytest.mark.parametrize("taken_over", [False, True], ids=["nobody", "somebody"])
def test_team_gets_an_email_where_nobody_takes_over(scene, prepare, taken_over):
    timeout = ("10m", "5m" if taken_over else "2s")
    with mail_server.running(login=True, auth_require_tls=False) as box:
        prepare("follow-up", {"mail": mail_to(box)}, timeout, ("every: 30s", "every: 1s"))
        with scene.serving(**SECRETS):
            story = scene.visit(EMAIL, **VISITOR, messages=["Hello"])
            if taken_over:
                wait_for_status(scene, "waiting")
                scene.wait_for(scene.is_swept)
                message = {"conversation_id": story["conversation_id"], "content": "This is Ann."}
                inject = f"{scene.sandbox.url}?action=v1-message&agent_id={story['agent_id']}"
                key = {"Authorization": f"Bearer {scene.sandbox.api_key}"}
                httpx.post(inject, json=message, headers=key).raise_for_status()
            wait_for_status(scene, "succeeded")
    if taken_over:
        assert box.messages == []
        return
    [mail] = box.messages
    assert (mail["To"], mail["Reply-To"], mail["Subject"]) == (
        "sales@example.com",
        EMAIL,
        f"Nobody has answered {NAME}",
    )
    plain, html = (part.get_content() for part in mail.iter_parts())
    assert SUMMARY in plain
    assert f"<b>{NAME}</b>" in html
