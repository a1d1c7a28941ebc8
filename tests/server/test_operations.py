"""The pages of operations: what they show, and what comes of trying one."""

import html
import os
import re
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from server.conftest import FLOW, Server

from connector.sandbox import Sandbox
from connector.sandbox.server import running

INJECT = "chatforge.inject_message"
CONNECTIONS = """\
acme:
  connector: chatforge
  api_key: {env: CHATFORGE_API_KEY}
broken:
  connector: chatforge
  api_key: {env: NOBODY_SET_THIS}
"""
HOSTILE = [
    "'\"><script>alert(1)</script>",
    "{{ 7 * 7 }}<b>",
    "\x07\u202e<b>",
    "[" * 5_000,
    "9" * 5_000,
    "</textarea><b>",
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Sandbox]]:
    """One server for all tests; each makes what it needs."""
    folder = tmp_path_factory.mktemp("operations")
    flows = folder / "flows"
    flows.mkdir()
    (flows / "lead-to-crm.yaml").write_text(FLOW.read_text())
    (flows / "connections.yaml").write_text(CONNECTIONS)
    with running() as sandbox:
        environment = {
            "PATH": os.environ["PATH"],
            "CHATFORGE_BASE_URL": sandbox.url,
            "CHATFORGE_API_KEY": sandbox.api_key,
            "CHATFORGE_WEBHOOK_SECRET": sandbox.webhook_secret,
            "CHATFORGE_DATABASE_URL": "sqlite:///runs.sqlite",
            "CHATFORGE_RATE_LIMIT": "100000",
        }
        server = Server(Path(folder), environment, flows).start("--port", "0")
        yield server, sandbox
        assert server.process
        if server.process.poll() is None:
            server.stop(signal.SIGKILL)
        assert "Traceback" not in server.log()


@pytest.fixture
def server(world: tuple[Server, Sandbox]) -> Server:
    return world[0]


@pytest.fixture
def sandbox(world: tuple[Server, Sandbox]) -> Sandbox:
    return world[1]


CLIENT = httpx.Client(timeout=20)
"""To make one takes longer than to ask with it."""


def get(server: Server, path: str) -> httpx.Response:
    return CLIENT.get(server.address + path)


def find_token(server: Server) -> str:
    return str(get(server, "/api/token").json()["token"])


def show(server: Server, name: str, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = get(server, f"/api/operations/{name}{query}").json()
    return found


def submit(server: Server, name: str, change: str = "try", **form: str) -> tuple[dict[str, Any], str]:
    """Send the form as a browser does; what the page then shows, as JSON and as HTML."""
    answer = CLIENT.post(f"{server.address}/operations/{name}/{change}", data={"token": find_token(server), **form})
    assert answer.status_code == 303, answer.text
    path = answer.headers["location"]
    return get(server, f"/api{path}").json(), get(server, path).text


def typed(**inputs: str) -> dict[str, str]:
    return {f"input.{name}": text for name, text in inputs.items()}


def ask(server: Server, name: str, **body: Any) -> httpx.Response:
    headers = {"X-ChatForge-Token": find_token(server)}
    return CLIENT.post(f"{server.address}/api/operations/{name}/try", json=body, headers=headers)


def order_fault(sandbox: Sandbox, action: str, **fault: Any) -> None:
    httpx.post(f"{sandbox.control_url}/faults", json={"action": action, "times": 1, **fault}).raise_for_status()


def converse(sandbox: Sandbox) -> dict[str, str]:
    """A conversation, as the inputs of a message into it."""
    answer = httpx.post(f"{sandbox.control_url}/visitors", json={"messages": ["Hello"], "visitor_name": "Ann"})
    return {"agent_id": sandbox.agent_id, "conversation_id": answer.json()["conversation_id"], "content": "Hi there"}


def count(sandbox: Sandbox, conversation: str) -> int:
    messages = sandbox.find_conversation(conversation)[1].messages
    return sum(message.content == "Hi there" for message in messages)


def test_all_operations_are_listed_by_connector_and_found_by_text(server):
    listed = get(server, "/api/operations").json()
    names = [one["name"] for row in listed["connectors"] for one in row["operations"]]
    assert len(names) == len(set(names)) == listed["count"]
    assert {INJECT, "contacts.upsert", "schedule", "chatforge.new_lead"} <= {*names}
    assert [row["connector"] for row in listed["connectors"]][-1] is None
    found = get(server, "/api/operations?text=HUMAN%20takeover").json()["connectors"]
    assert [one["name"] for row in found for one in row["operations"]] == [INJECT]
    assert found[0]["operations"][0]["does"] == "acts once"
    assert "No operation has “nothing of it”" in get(server, "/operations?text=nothing%20of%20it").text


def test_page_of_an_action_tells_all_of_it(server):
    found = show(server, INJECT)
    assert (found["used_by"], found["fault"]) == (["lead-to-crm"], None)
    assert found["connections"] == ["default", "acme", "broken"]
    assert {"name": "agent_id", "type": "str", "required": True}.items() <= found["input"][0].items()
    assert {"name": "id", "level": 2, "type": "str"}.items() <= found["output"][1].items()
    assert yaml.safe_load(found["example"])[0]["uses"] == INJECT
    assert [(one["name"], one["choices"]) for one in found["form"]] == [
        ("agent_id", []),
        ("conversation_id", ["agent_id"]),
        ("content", None),
    ]
    page = get(server, f"/operations/{INJECT}").text
    assert '<a href="/flows/lead-to-crm">lead-to-crm</a>' in page
    assert "token is missing" in show(server, "hubspot.find_contact")["fault"]
    assert get(server, "/operations/chatforge.nothing").status_code == 404


@pytest.mark.parametrize("name", ["chatforge.event", "schedule", "manual", "chatforge.lead_captured"])
def test_trigger_that_is_not_polled_cannot_be_fetched(server, name):
    assert show(server, name)["tryable"] is False
    assert "Fetch one" not in get(server, f"/operations/{name}").text
    assert ask(server, name, input={}).status_code == 409


def test_action_that_reads_is_run(server, sandbox):
    found, page = submit(server, "chatforge.list_agents", connection="acme")
    assert found["tried"]["what"] == "done"
    assert found["tried"]["output"]["agents"][0]["id"] == sandbox.agent_id
    assert found["tried"]["seconds"] < 20
    assert sandbox.agent_id in page
    assert "<option selected>acme</option>" in page
    assert "audit: /operations/{id}/try 'chatforge.list_agents' by a person at this machine" in server.log()
    assert sandbox.agent_id not in server.log()


def test_action_that_acts_needs_the_checkbox_and_keeps_what_was_typed(server, sandbox):
    message = converse(sandbox)
    found, page = submit(server, INJECT, **typed(**message))
    assert found["tried"]["what"] == "refused"
    assert found["tried"]["failure"]["sentence"].startswith(f"{INJECT} acts once more each time, and nothing was done")
    assert found["texts"] == message
    assert f'value="{message["conversation_id"]}"' in page
    assert re.search(r'<textarea id="field-3".*>\nHi there</textarea>', page)
    assert 'name="really" value="true" autocomplete="off">' in page
    assert count(sandbox, message["conversation_id"]) == 0
    refused = ask(server, INJECT, input=message)
    assert (refused.status_code, refused.json()) == (422, {"error": found["tried"]["failure"]["sentence"]})
    done, _ = submit(server, INJECT, really="true", **typed(**message))
    assert done["tried"]["output"]["message"]["content"] == "Hi there"
    assert count(sandbox, message["conversation_id"]) == 1


def test_form_that_is_sent_twice_acts_once(server, sandbox):
    message = converse(sandbox)
    key = show(server, INJECT)["key"]
    form = {"really": "true", "key": key, **typed(**message)}
    order_fault(sandbox, "v1-message", delay_seconds=0.3)
    with ThreadPoolExecutor() as pool:
        tries = [pool.submit(submit, server, INJECT, **form) for _ in range(3)]
        ids = {one.result()[0]["tried"]["output"]["message"]["id"] for one in tries}
    assert len(ids) == 1
    assert count(sandbox, message["conversation_id"]) == 1
    other, _ = submit(server, INJECT, **{**form, "input.content": "Something else"})
    assert other["tried"]["failure"]["sentence"] == "this form was sent before, with other values; load the page again"
    again = ask(server, INJECT, input=message, really=True, key=key)
    assert again.json() == {"path": f"/operations/{INJECT}?try={key}"}
    assert count(sandbox, message["conversation_id"]) == 1


def test_wrong_field_is_named_and_a_right_one_stays(server):
    found, page = submit(server, "contacts.upsert", **typed(name="Ann", properties='{"a": '))
    sentence = found["tried"]["failure"]["sentence"]
    assert sentence.startswith("properties: expected map[any] as JSON, not '{\"a\":' (")
    assert html.escape(sentence).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in page
    assert found["texts"] == {"name": "Ann", "properties": '{"a": '}
    missing, _ = submit(server, INJECT, **typed(agent_id="x", conversation_id="", content="y"))
    assert "conversation_id is missing" in missing["tried"]["failure"]["sentence"]


def test_failure_tells_whether_it_was_carried_out(server, sandbox):
    message = converse(sandbox)
    order_fault(sandbox, "v1-message", cut="after_effect")
    found, page = submit(server, INJECT, really="true", **typed(**message))
    assert {"kind": "network", "processed": "unknown"}.items() <= found["tried"]["failure"].items()
    assert "It may have been carried out all the same: look there before you repeat it." in page
    _, page = submit(server, INJECT, really="true", **typed(**{**message, "conversation_id": "none"}))
    assert "The kind of the error is <code>not_found</code>." in page
    assert "Nothing was carried out." in page


def test_secret_of_the_connection_is_not_shown(server, sandbox):
    order_fault(sandbox, "v1-agents", status=400, body={"error": f"bad {sandbox.api_key}"})
    found, page = submit(server, "chatforge.list_agents")
    assert "400: 'bad [" in found["tried"]["failure"]["sentence"]
    assert [(one["method"], one["status"]) for one in found["tried"]["requests"]] == [("GET", 400)]
    assert sandbox.api_key not in page + str(found)


def test_preview_shows_the_request_and_sends_nothing(server, sandbox):
    message = converse(sandbox)
    found, page = submit(server, INJECT, "preview", **typed(**message))
    assert found["tried"]["preview"]["method"] == "POST"
    assert message["conversation_id"] in found["tried"]["preview"]["body"]
    assert "Nothing was sent. It would begin with this request:" in page
    assert count(sandbox, message["conversation_id"]) == 0
    other, page = submit(server, "contacts.upsert", "preview", **typed(email="a@example.com"))
    assert other["tried"]["preview"] is None
    assert "there is no request to show" in page


def test_polled_trigger_shows_an_event_or_says_that_it_is_a_sample(server, sandbox):
    empty, page = submit(server, "chatforge.conversation_updated")
    assert (empty["tried"]["is_sample"], empty["tried"]["what"]) == (True, "done")
    assert "There is no event yet, so this is a sample." in page
    converse(sandbox)
    found, page = submit(server, "chatforge.new_conversation")
    assert (found["tried"]["is_sample"], found["tried"]["output"]["agent_id"]) == (False, sandbox.agent_id)
    assert "It took" in page
    wrong, _ = submit(server, "chatforge.new_lead", **typed(every="soon"))
    assert wrong["tried"]["failure"]["sentence"] == "every: expected duration, not 'soon'"


def test_connection_that_lacks_something_is_refused_with_a_sentence(server):
    for connection, sentence in (("broken", "NOBODY_SET_THIS"), ("none", "there is no chatforge connection 'none'")):
        found, _ = submit(server, "chatforge.list_agents", connection=connection)
        assert found["tried"]["what"] == "refused"
        assert sentence in found["tried"]["failure"]["sentence"]


def test_page_that_sends_requests_is_not_shown_where_another_site_has_led(server):
    led = {"sec-fetch-site": "cross-site", "sec-fetch-dest": "document"}
    for path in (f"/operations/{INJECT}/choices?field=agent_id", "/connections?test=chatforge/default"):
        for one in (path, f"/api{path}"):
            assert httpx.get(server.address + one, headers=led).status_code == 403, one
    assert httpx.get(f"{server.address}/connections", headers=led).status_code == 200


def test_values_to_choose_from_come_when_they_are_asked_for(server, sandbox):
    message = converse(sandbox)
    path = f"/operations/{INJECT}/choices"
    agents = get(server, f"/api{path}?field=agent_id").json()
    assert {"value": sandbox.agent_id, "label": "Support Agent"} in agents["choices"]
    first = get(server, f"{path}?field=conversation_id&connection=acme").text
    assert "choose agent_id first: what there is to choose from depends on it" in first
    page = get(server, f"{path}?field=conversation_id&input.agent_id={sandbox.agent_id}").text
    assert f'<datalist id="list-2"><option value="{message["conversation_id"]}">Ann</option>' in page
    for field, sentence in (("content", "nothing lists the values"), ("<b>", "choose one of agent_id, conv")):
        assert sentence in get(server, f"/api{path}?field={field}").json()["error"]


def test_hostile_text_in_every_field_is_a_sentence_or_an_output_and_never_markup(server):
    names = [one["name"] for row in get(server, "/api/operations").json()["connectors"] for one in row["operations"]]
    shown = [one for one in (show(server, name) for name in names) if one["tryable"] and one["form"]]
    assert len(shown) > 20
    for number, one in enumerate(shown):
        name, fields = one["operation"]["name"], [field["name"] for field in one["form"]]
        texts = {field: HOSTILE[(number + place) % len(HOSTILE)] for place, field in enumerate(fields)}
        found, page = submit(server, name, "preview" if one["operation"]["effect"] else "try", **typed(**texts))
        assert found["tried"]["what"] in ("refused", "failed", "previewed"), name
        assert "<script>alert" not in page, name
        assert "<b>" not in page, name
        assert page.count("</textarea>") == page.count("<textarea "), name


def test_program_may_give_any_json_and_gets_a_sentence(server):
    for body in (
        {"input": []},
        {"input": {"a": {"b": []}}},
        {"key": "x"},
        {"connection": 5},
        {"input": {"agent_id": 5}},
    ):
        answer = ask(server, "chatforge.get_agent", **body)
        assert (answer.status_code, [*answer.json()]) == (422, ["error"]), body
    assert ask(server, "chatforge.nothing").status_code == 409
    deep: Any = {}
    for _ in range(90):
        deep = {"a": deep}
    assert ask(server, "contacts.upsert", input={"properties": deep}).status_code == 422


def test_server_that_stops_says_that_nobody_knows(server, sandbox):
    """The last one: it ends the server of this module."""
    message = converse(sandbox)
    order_fault(sandbox, "v1-message", delay_seconds=30)
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(ask(server, INJECT, input=message, really=True)))
    thread.start()
    server.wait_for(lambda: count(sandbox, message["conversation_id"]) == 1)
    assert server.stop() == 0
    thread.join()
    assert (answers[0].status_code, "nobody knows whether it took effect" in answers[0].text) == (503, True)
