"""The provider in the real Airflow, with the sandbox behind it."""

import json
import os
import re
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from hosts.airflow.airflow_host import FERNET_KEY, Airflow, make, stop, wait_for
from hosts.results import record

from connector.sandbox import Sandbox
from connector.sandbox.server import running

pytestmark = pytest.mark.hosts


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running() as served:
        yield served


@pytest.fixture
def airflow(tmp_path, sandbox) -> Iterator[Airflow]:
    host = make(tmp_path / "airflow", sandbox)
    yield host
    assert sandbox.api_key not in host.logs()


def visit(sandbox: Sandbox, **visitor: str) -> dict[str, str]:
    answer = httpx.post(f"{sandbox.control_url}/visitors", json={"webhook": False, **visitor})
    assert answer.status_code == 201, answer.text
    found: dict[str, str] = answer.json()
    return found


def fail(sandbox: Sandbox, action: str, times: int, **how: object) -> None:
    answer = httpx.post(f"{sandbox.control_url}/faults", json={"action": action, "times": times, **how})
    assert answer.status_code == 201, answer.text


def test_each_action_runs_as_a_task(airflow, built_in):
    story = visit(airflow.sandbox, visitor_email="ann@example.com", visitor_name="Ann")
    known = {"agent_id": airflow.sandbox.agent_id, "visitor_email": "ann@example.com", **story}
    actions = [action for name, action in built_in.actions.items() if name.startswith("chatforge.")]
    actions.sort(key=lambda action: action.effect == "destructive")
    given = []
    for action in actions:
        taken = action.example | {name: value for name, value in known.items() if name in action.example}
        taken.pop("captured_at", None)
        given.append((action.name, taken, {}))
    found = airflow.run_actions(*given)
    for action, one in zip(actions, found, strict=True):
        assert (one["state"], one["tries"]) == ("success", 1), action.name
        action.output.model_validate(one["output"])
        record("airflow", f"action:{action.name.partition('.')[2]}", "task")
    record("airflow", "sample", "output as XCom")


def test_error_says_what_to_do_and_is_tried_again_only_where_that_helps(airflow):
    retries = {"retries": 1, "retry_delay": 0}
    agent = {"agent_id": airflow.sandbox.agent_id}
    message = {**agent, "conversation_id": visit(airflow.sandbox)["conversation_id"], "content": "Hello"}
    fail(airflow.sandbox, "v1-analytics", 1, status=429, headers={"Retry-After": "1"})
    fail(airflow.sandbox, "v1-leads", 1, status=200, style="html")
    fail(airflow.sandbox, "v1-message", 1, status=502)
    missing, limited, page, unknown = airflow.run_actions(
        ("chatforge.get_agent", {"agent_id": "gone"}, retries),
        ("chatforge.get_analytics", agent, retries),
        ("chatforge.list_leads", agent, retries),
        ("chatforge.inject_message", message, retries),
    )
    assert (missing["state"], missing["tries"]) == ("failed", 1)
    assert (limited["state"], limited["tries"]) == ("success", 2)
    assert (page["state"], page["tries"]) == ("failed", 1)
    assert (unknown["state"], unknown["tries"]) == ("failed", 1)
    logs = airflow.logs()
    for words in (
        "AirflowFailException: chatforge.get_agent: not found at ChatForge (404",
        "AirflowException: chatforge.get_analytics: ",
        "expected JSON from ChatForge, got an HTML page",
        "it may have carried out the request, so look there before you repeat it",
    ):
        assert words in logs
    airflow.key = "cf_wrong"
    [refused] = airflow.run_actions(("chatforge.list_agents", {}, retries))
    assert (refused["state"], refused["tries"]) == ("failed", 1)
    assert "here it is the password of the Airflow connection 'chatforge_default'" in airflow.logs()
    assert "cf_wrong" not in airflow.logs()
    record("airflow", "errors", "failed task with the hint; tried again only where that helps")


def test_connection_is_tested_by_the_command(airflow):
    airflow.more["AIRFLOW_CONN_WRONG"] = json.dumps(
        {"conn_type": "chatforge", "password": "cf_wrong", "host": airflow.sandbox.url}
    )
    airflow.more["AIRFLOW_CONN_MISTYPED"] = json.dumps({"conn_type": "chatforge", "password": "cf_x", "host": "a b"})
    good, wrong, mistyped = (
        airflow.call("airflow", "connections", "test", name) for name in ("chatforge_default", "wrong", "mistyped")
    )
    assert "Connection success!" in good.stdout
    assert "the API key is not accepted" in wrong.stdout
    assert "the password of the Airflow connection 'wrong'" in wrong.stdout
    assert "the host of the Airflow connection" in mistyped.stdout
    assert not any("cf_wrong" in text for text in (wrong.stdout, wrong.stderr))


def use_page(airflow: Airflow, folder: Path) -> None:
    """The DAGs are those of docs/airflow.md, but look every two seconds."""
    airflow.dags = folder
    folder.mkdir()
    page = (Path(__file__).parents[3] / "docs" / "airflow.md").read_text()
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", page, re.DOTALL)):
        text = code.replace('"every": "1m"', '"every": "2s"')
        (folder / f"page_{number}.py").write_text(text)


def ask(airflow: Airflow, query: str) -> list[Any]:
    """Rows of Airflow's database."""
    with closing(sqlite3.connect(airflow.folder / "airflow.db", timeout=30)) as database:
        return database.execute(query).fetchall()


def start_dag(client: httpx.Client, name: str) -> None:
    wait_for(lambda: client.patch(f"/dags/{name}", json={"is_paused": False}).is_success)


def greetings(sandbox: Sandbox, stories: list[dict[str, str]]) -> list[list[str]]:
    """What a person said in each conversation."""
    found = [sandbox.find_conversation(story["conversation_id"])[1].messages for story in stories]
    return [[message.content for message in messages if message.content.startswith("Hi ")] for messages in found]


IDENTITIES = "SELECT DISTINCT json_extract(extra, '$.payload.identity') FROM asset_event"
TOLD = "Hi {}, this is Cal jumping in. How can I help?"


def test_leads_are_greeted_once_though_triggerer_and_scheduler_fail(airflow, tmp_path):
    use_page(airflow, tmp_path / "dags")
    together = {"created_at": datetime.now(UTC).isoformat()}
    stories, names = [], ["{{ 7 * 7 }}", "Ann", None, "Cleo", "Dan", "Eve"]

    def come(*visitors: str | None) -> None:
        for name in visitors:
            email = f"{names.index(name)}@example.com"
            called = {} if name is None else {"visitor_name": name}
            stories.append(visit(airflow.sandbox, visitor_email=email, **called, **together))
        wait_for(lambda: len(ask(airflow, IDENTITIES)) == len([unknown, *stories]))

    with airflow.serving() as client:
        triggerer = airflow.start("triggerer")
        try:
            start_dag(client, "greet_leads")
            wait_for(lambda: ask(airflow, "SELECT 1 FROM asset_state_store"))
            [(kwargs,)] = ask(airflow, "SELECT kwargs FROM trigger")
            shown = Fernet(FERNET_KEY).decrypt(kwargs.encode()).decode()
            assert "chatforge_default" in shown
            assert airflow.sandbox.api_key not in shown
            unknown = visit(airflow.sandbox, visitor_phone="+15550100", **together)
            for pair in (names[:2], names[2:4]):
                come(*pair)
                stop(triggerer)  # the events are stored, the state after them is not
                triggerer = airflow.start("triggerer")
            os.killpg(airflow.served["scheduler"].pid, signal.SIGSTOP)
            come("Dan")
            come("Eve")  # Airflow starts a run with the first event, and none with the second
            os.killpg(airflow.served["scheduler"].pid, signal.SIGCONT)
            wait_for(lambda: all(greetings(airflow.sandbox, stories)))
            time.sleep(10)
        finally:
            stop(triggerer)
    assert greetings(airflow.sandbox, stories) == [[TOLD.format(name or "there")] for name in names]
    assert greetings(airflow.sandbox, [unknown]) == [[]]
    [(events,)] = ask(airflow, "SELECT count(*) FROM asset_event")
    assert events > len([unknown, *stories]), "no crash came between the events and the state"
    record("airflow", "poll", "asset events and a sensor; the triggerer killed: none lost, none doubled")


def test_sensor_gives_each_lead_to_one_run_though_the_triggerer_is_killed(airflow, tmp_path):
    use_page(airflow, tmp_path / "dags")
    together = {"created_at": datetime.now(UTC).isoformat()}

    def given() -> list[str]:
        rows = ask(airflow, "SELECT value FROM xcom WHERE dag_id = 'wait_for_leads' AND key = 'return_value'")
        return [one["lead"]["visitor_email"] for (value,) in rows for one in json.loads(value)]

    with airflow.serving() as client:
        triggerer = airflow.start("triggerer")
        try:
            start_dag(client, "wait_for_leads")
            deferred = "SELECT 1 FROM task_instance WHERE state = 'deferred'"
            wait_for(lambda: ask(airflow, deferred))
            [(kwargs,)] = ask(airflow, "SELECT kwargs FROM trigger WHERE classpath LIKE '%.LeadTrigger'")
            assert "chatforge_default" in kwargs
            assert airflow.sandbox.api_key not in kwargs
            stop(triggerer)
            for name in ("ann", "bob"):
                visit(airflow.sandbox, visitor_email=f"{name}@example.com", **together)
            triggerer = airflow.start("triggerer")
            wait_for(lambda: len(given()) >= 2)
            wait_for(lambda: ask(airflow, deferred))
            visit(airflow.sandbox, visitor_email="cleo@example.com", **together)
            wait_for(lambda: len(given()) >= 3)
            time.sleep(10)
        finally:
            stop(triggerer)
    assert sorted(given()) == ["ann@example.com", "bob@example.com", "cleo@example.com"]


def test_mapped_sensor_gives_each_agent_its_own_leads(airflow, tmp_path):
    sandbox = airflow.sandbox
    headers = {"Authorization": f"Bearer {sandbox.api_key}"}
    made = httpx.post(sandbox.url, params={"action": "v1-agents"}, json={"name": "Other"}, headers=headers)
    agents = {"ann": sandbox.agent_id, "bob": made.json()["agent"]["id"]}
    for name, agent in agents.items():
        visit(sandbox, agent_id=agent, visitor_name=name)
    inputs = [{"agent_id": agent, "start": "all"} for agent in agents.values()]
    result = tmp_path / "mapped.json"
    script = str(Path(__file__).with_name("dags") / "mapped.py")
    done = airflow.call("python", script, INPUTS=json.dumps(inputs), RESULT=str(result))
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(result.read_text())
    assert [[one["lead"]["visitor_name"] for one in leads] for leads in found] == [["ann"], ["bob"]]


def test_poll_with_a_wrong_key_says_so_and_rests(airflow, tmp_path):
    use_page(airflow, tmp_path / "dags")
    airflow.key = "cf_wrong"
    words = "here it is the password of the Airflow connection 'chatforge_default'"
    with airflow.serving() as client:
        triggerer = airflow.start("triggerer")
        try:
            start_dag(client, "greet_leads")
            start_dag(client, "wait_for_leads")
            wait_for(lambda: words in (airflow.folder / "triggerer.log").read_text())
            wait_for(lambda: ask(airflow, "SELECT 1 FROM task_instance WHERE state = 'failed'"))
            time.sleep(10)  # Airflow starts a trigger that failed again every second
        finally:
            stop(triggerer)
    assert (airflow.folder / "triggerer.log").read_text().count(words) == 1
    failed = '"exc_type":"AirflowFailException","exc_value":"new leads cannot be polled: the API key is not accepted'
    assert failed in airflow.logs()
    assert "cf_wrong" not in airflow.logs()


def test_message_is_not_sent_again_after_its_worker_was_killed(airflow):
    story = visit(airflow.sandbox)
    given = {"agent_id": airflow.sandbox.agent_id, "conversation_id": story["conversation_id"], "content": "Hi Ann"}
    airflow.more["ACTIONS"] = json.dumps([("chatforge.inject_message", given, {"retries": 1, "retry_delay": 0})])
    fail(airflow.sandbox, "v1-message", 1, delay_seconds=20)
    with airflow.serving() as client:
        start_dag(client, "actions")
        assert client.post("/dags/actions/dagRuns", json={"logical_date": None}).is_success
        wait_for(lambda: ask(airflow, "SELECT 1 FROM task_state_store"))
        time.sleep(1)
        os.kill(ask(airflow, "SELECT pid FROM task_instance")[0][0], signal.SIGKILL)
        wait_for(lambda: ask(airflow, "SELECT 1 FROM task_instance WHERE state = 'failed' AND try_number = 2"))
    assert "an earlier attempt ended while it waited for ChatForge" in airflow.logs()
    assert greetings(airflow.sandbox, [story]) == [["Hi Ann"]]


def test_test_button_tests_the_form(airflow):
    with airflow.serving() as client:
        form = {"connection_id": "new", "conn_type": "chatforge", "host": airflow.sandbox.url}
        tested = [
            client.post("/connections/test", json={**form, "password": key}).json()
            for key in (airflow.sandbox.api_key, "cf_wrong")
        ]
    assert [one["status"] for one in tested] == [True, False]
    assert tested[0]["message"] == "ChatForge takes the key; agents in the account: 1"
    assert "the API key is not accepted" in tested[1]["message"]
    record("airflow", "credential test", "Test button and command")
