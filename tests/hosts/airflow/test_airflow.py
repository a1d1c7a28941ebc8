"""The provider in a real Airflow."""

import json
import time

import pytest
from hosts.airflow.conftest import BIN
from hosts.results import record

pytestmark = pytest.mark.hosts


def test_each_action_is_a_task(airflow, built_in):
    conversation = airflow.visit("john@example.com")
    airflow.more["AIRFLOW_VAR_GIVEN"] = json.dumps(
        {"agent_id": airflow.sandbox.agent_id, "conversation_id": conversation}
    )
    found = airflow.run("actions")
    names = [name.partition(".")[2] for name in built_in.actions if name.startswith("chatforge.")]
    assert found["states"] == dict.fromkeys(names, "success")
    for name in names:
        built_in.action(f"chatforge.{name}").output.model_validate(found["outputs"][name])
        record("airflow", f"action:{name}", "task")
    record("airflow", "sample", "output as XCom")


@pytest.mark.parametrize(
    ("key", "fault", "error", "words"),
    [
        ("wrong-key-canary", None, "AirflowFailException", "set CHATFORGE_API_KEY to a key"),
        ("", None, "AirflowFailException", "check the ids: what they name must exist"),
        ("", {"status": 429, "headers": {"Retry-After": "7"}}, "AirflowException", "ChatForge takes 100 a minute"),
        (
            "",
            {"status": 200, "style": "html"},
            "AirflowFailException",
            "from ChatForge, got an HTML page",
        ),
    ],
    ids=["wrong key", "missing agent", "429", "page"],
)
def test_failure_is_tried_again_only_where_that_may_help(airflow, key, fault, error, words):
    airflow.key = key
    if fault:
        airflow.break_api(action="v1-agent", **fault)
    assert airflow.run("failing")["states"] == {"agent": "failed"}
    assert f"airflow.sdk.exceptions.{error}: chatforge.get_agent: " in airflow.log
    assert words in airflow.log
    assert "canary" not in airflow.logs()
    record("airflow", "errors", "AirflowFailException, or AirflowException where a retry may help")


@pytest.mark.parametrize(("key", "words"), [("", "Connection success!"), ("wrong-key", "the API key is not")])
def test_connection_is_tested(airflow, key, words):
    airflow.key = key
    assert words in " ".join(airflow.command(BIN / "airflow", "connections", "test", "chatforge_default").split())
    record("airflow", "credential test", "the Test button, `airflow connections test`")


def test_sensor_gives_each_lead_to_one_run(airflow):
    airflow.visit("ann@example.com")
    airflow.visit("bob@example.com")  # at the same time
    first = airflow.run("leads")["outputs"]["leads"]
    assert {one["lead"]["visitor_email"] for one in first} == {"ann@example.com", "bob@example.com"}
    airflow.visit("carl@example.com")
    [second] = airflow.run("leads")["outputs"]["leads"]
    assert second["lead"]["visitor_email"] == "carl@example.com"


def test_killed_triggerer_loses_and_doubles_nothing(airflow):
    with airflow.started("dag-processor", "scheduler"):
        with airflow.started("triggerer"):
            airflow.visit("ann@example.com")
            airflow.visit("bob@example.com")  # at the same time
            wait_for(airflow, 2)
            time.sleep(3)  # the state is kept once Airflow has confirmed the events
        airflow.visit("carl@example.com")
        with airflow.started("triggerer"):
            wait_for(airflow, 3)
            airflow.visit("dora@example.com")
            wait_for(airflow, 4)
            time.sleep(3)
    assert sorted(airflow.asset_events()[:2]) == ["ann@example.com", "bob@example.com"]
    assert airflow.asset_events()[2:] == ["carl@example.com", "dora@example.com"]
    record("airflow", "poll", "asset events, and a deferrable sensor")


def wait_for(airflow, number: int, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while len(airflow.asset_events()) < number:
        assert time.monotonic() < end, airflow.logs()[-5000:]
        time.sleep(0.5)
