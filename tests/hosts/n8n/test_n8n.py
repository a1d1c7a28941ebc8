"""The exported package in the real n8n: every operation, the credential, errors, webhooks, polls, a whole workflow."""

import json
import signal
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hosts.n8n.n8n_host import chain, node, read_run, wait_for
from hosts.results import record

from connector.chatforge.webhooks import sign

pytestmark = pytest.mark.hosts

START = datetime(2026, 3, 25, 10, 30, tzinfo=UTC)
LISTS = ("list_agents", "list_conversations", "list_leads")


def _operation(account: Any, name: str, operation: str, given: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A node with the inputs in the places of the form."""
    forms = json.loads((account.n8n.package / "dist" / "lib" / "definitions.json").read_text())["forms"]["actions"]
    shown = [one for one in forms if operation in one.get("displayOptions", {}).get("show", {}).get("operation", ())]
    top = {one["name"]: one["type"] for one in shown}
    placed = {"operation": operation, "additional": {}}
    for key, value in given.items():
        if key not in top:
            placed["additional"][key] = value
        else:
            placed[key] = {"__rl": True, "mode": "id", "value": value} if top[key] == "resourceLocator" else value
    return node(name, "chatForge", placed, account.credential, **more)


def _run(account: Any, *nodes: dict[str, Any]) -> dict[str, Any]:
    """The run of these nodes by n8n's command, after it has imported them."""
    workflow = chain(node("Start", "manualTrigger", {}), *nodes) | {"id": uuid4().hex[:16], "active": False}
    file = account.n8n.folder / "workflow.json"
    file.write_text(json.dumps([workflow]))
    account.n8n.command("import:workflow", f"--input={file}")
    printed = account.n8n.command("execute", f"--id={workflow['id']}", "--rawOutput")
    found = json.JSONDecoder().raw_decode(printed[printed.index('{\n  "data"') :])[0]
    return read_run(found["data"]["resultData"])


def test_each_operation_gives_what_it_declares(account, built_in):
    conversation = account.visit("john@example.com", START, name="John")
    known = {"agent_id": account.sandbox.agent_id, "conversation_id": conversation}
    actions = [one for name, one in built_in.actions.items() if name.startswith("chatforge.") and not one.local]
    actions.sort(key=lambda action: action.effect == "destructive")
    nodes = []
    for action in actions:
        key = action.name.partition(".")[2]
        given = {name: known.get(name, value) for name, value in action.example.items() if name != "captured_at"}
        nodes.append(_operation(account, key, key, given, executeOnce=True))
    found = _run(account, *nodes)
    assert found["error"] is None, found
    for action in actions:
        key = action.name.partition(".")[2]
        items = found["nodes"][key]
        output = {key.removeprefix("list_"): items, "next_offset": None} if key in LISTS else items[0]
        action.output.model_validate(
            {name: value for name, value in output.items() if name in action.output.model_fields}
        )
        record("n8n", f"action:{key}", "operation")
    assert found["nodes"]["find_lead"][0]["lead"]["visitor_email"] == "john@example.com"
    assert found["nodes"]["inject_message"][0]["message"]["content"].startswith("Hi, this is Cal")


def test_credential_is_tested_with_what_to_do(n8n, account):
    def test(**others: str) -> tuple[str, str]:
        given = {"id": "", "name": "ChatForge", "type": "chatForgeApi", "data": account.values(**others)}
        found = n8n.ask("POST", "/credentials/test", json={"credentials": given})
        return found["status"], found["message"]

    assert test()[0] == "OK"
    assert test(api_key="wrong-key") == (
        "Error",
        "the API key is not accepted (401); set the API key to a key from the ChatForge Dashboard → Integrations",
    )
    account.order_fault("v1-agents", status=200, style="html")
    assert "check the base URL" in test()[1]
    record("n8n", "credential test", "test of the credential")


def test_agents_and_conversations_are_chosen_by_name(n8n, account):
    for position in range(60):
        account.visit(f"{position}@example.com", START + timedelta(minutes=position), name=f"Visitor {position}")
    account.set(max_limit=10)

    def search(method: str, **more: Any) -> Any:
        agent = {"__rl": True, "mode": "list", "value": account.sandbox.agent_id}
        given = {
            "nodeTypeAndVersion": {"name": "CUSTOM.chatForge", "version": 1},
            "path": f"parameters.{method}",
            "methodName": method,
            "credentials": {"chatForgeApi": {"id": account.credential, "name": "ChatForge"}},
            "currentNodeParameters": {"operation": "inject_message", "agent_id": agent},
            **more,
        }
        return n8n.ask("POST", "/dynamic-node-parameters/resource-locator-results", json=given)

    assert search("agents")["results"] == [{"name": "Support Agent", "value": account.sandbox.agent_id}]
    first = search("conversations")
    second = search("conversations", paginationToken=first["paginationToken"])
    names = [one["name"] for page in (first, second) for one in page["results"]]
    assert names == [f"Visitor {position}" for position in reversed(range(60))]
    assert [one["name"] for one in search("conversations", filter="visitor 5")["results"]] == [
        f"Visitor {position}" for position in reversed(range(50, 60))
    ]


def test_all_pages_of_a_list_are_items(account):
    for position in range(25):
        account.visit(f"{position}@example.com", START + timedelta(minutes=position))
    account.set(max_limit=10)
    given = {"agent_id": account.sandbox.agent_id}
    found = account.run(
        _operation(account, "All", "list_leads", {**given, "returnAll": True}),
        _operation(account, "Some", "list_leads", {**given, "limit": 3, "offset": 1}, executeOnce=True),
    )
    assert [lead["visitor_email"] for lead in found["nodes"]["All"]] == [f"{n}@example.com" for n in range(24, -1, -1)]
    assert [lead["visitor_email"] for lead in found["nodes"]["Some"]] == [f"{n}@example.com" for n in (23, 22, 21)]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 401}, ["the API key is not accepted", "Dashboard → Integrations"]),
        (None, ["not found at ChatForge (404: 'agent 'gone' not found')", "check the ids"]),
        ({"status": 429, "headers": {"Retry-After": "600"}}, ["too many requests for this API key"]),
        ({"status": 503}, ["ChatForge failed (503", "; try again"]),
        ({"status": 302, "headers": {"Location": "/elsewhere"}}, ["redirects are not followed (302"]),
        ({"status": 200, "style": "html"}, ["got an HTML page (status 200); check the base URL"]),
        ({"status": 200, "style": "text", "body": "hello"}, ["expected JSON from ChatForge, got 'hello'"]),
        ({"cut": "before_effect"}, ["no answer from ChatForge", "try again"]),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_error_is_one_of_n8n_with_what_to_do(account, fault, words):
    if fault:
        account.order_fault("v1-agent", **fault)
    found = account.run(_operation(account, "Get", "get_agent", {"agent_id": "gone"}))
    assert (found["status"], found["error"]["name"]) == ("error", "NodeApiError"), found
    assert [word for word in words if word not in found["error"]["message"]] == [], found["error"]["message"]
    record("n8n", "errors", "NodeApiError with the hint and the item; continue on fail")


def test_request_waits_when_there_were_too_many(account):
    account.order_fault("v1-agent", status=429, headers={"Retry-After": "1"}, times=2)
    found = account.run(_operation(account, "Get", "get_agent", {"agent_id": account.sandbox.agent_id}))
    assert found["nodes"]["Get"][0]["agent"]["name"] == "Support Agent"


def test_message_that_may_have_arrived_is_not_sent_again(account):
    conversation = account.visit("john@example.com", START)
    account.order_fault("v1-message", cut="after_effect")
    given = {"agent_id": account.sandbox.agent_id, "conversation_id": conversation, "content": "Hello"}
    found = account.run(_operation(account, "Say", "inject_message", given))
    assert "look there before you repeat it" in found["error"]["message"]
    assert _texts(account, conversation) == ["Hello", "Hello"]


def _texts(account: Any, conversation_id: str) -> list[str]:
    shown = httpx.get(f"{account.sandbox.control_url}/conversations/{conversation_id}").json()
    return [message["content"] for message in shown["messages"][1:]]  # behind the greeting


def test_item_that_fails_does_not_keep_the_others_from_going_on(account):
    code = f"return ['{account.sandbox.agent_id}', 'gone', ''].map((id) => ({{ json: {{ id }} }}))"
    get = _operation(account, "Get", "get_agent", {"agent_id": "={{ $json.id }}"}, onError="continueRegularOutput")
    found = account.run(node("Ids", "code", {"jsCode": code}, typeVersion=2), get)
    good, gone, empty = found["nodes"]["Get"]
    assert good["agent"]["name"] == "Support Agent"
    assert "not found at ChatForge" in gone["error"]
    assert empty["error"]


def test_node_can_be_a_tool_of_an_agent(n8n):
    types = n8n.api.get(f"{n8n.url}/types/nodes.json").json()
    assert {"CUSTOM.chatForge", "CUSTOM.chatForgeTool"} <= {one["name"] for one in types}


def _publish_trigger(account: Any, trigger: str, **filters: Any) -> tuple[str, str]:
    """The workflow, and the address of its webhook."""
    place = str(uuid4())
    given = {"trigger": trigger, "additional": filters}
    workflow = account.n8n.publish(
        chain(node("Trigger", "chatForgeTrigger", given, account.credential, webhookId=place))
    )
    return workflow, f"{account.n8n.url}/webhook/{place}/webhook"


def _event(**others: Any) -> dict[str, Any]:
    data = {"visitor_name": "José 😀", "visitor_email": "jose@example.com", "page_url": "https://example.com/a"}
    moment = datetime.now(UTC).isoformat()
    return {"event": "lead.captured", "agent_id": "abc123", "timestamp": moment, "data": data, **others}


def _deliver(url: str, secret: str, event: Any, body: bytes | None = None, **headers: str) -> httpx.Response:
    signed = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    usual = {"Content-Type": "application/json", "X-ChatForge-Signature": sign(signed, secret)}
    return httpx.post(url, content=signed.encode() if body is None else body, headers=usual | headers)


def test_signed_delivery_starts_the_workflow_once(account):
    workflow, url = _publish_trigger(account, "lead_captured")
    event, secret = _event(), account.sandbox.webhook_secret
    rewritten = json.dumps(event, indent=2).encode()
    answers = [_deliver(url, secret, event), _deliver(url, secret, event), _deliver(url, secret, event, rewritten)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [answer.json() for answer in answers[1:]] == [{"skipped": "came before"}] * 2
    old = _deliver(url, secret, _event(timestamp="2020-01-01T00:00:00Z"))
    other = _deliver(url, secret, _event(event="conversation.started"))
    assert [old.json(), other.json()] == [{"skipped": "more than 7 days old"}, {"skipped": "not wanted here"}]
    [found] = wait_for(lambda: account.n8n.executions(workflow))
    [lead] = found["nodes"]["Trigger"]
    assert lead.pop("id")
    assert lead == {
        "lead_id": None,
        "source": "webhook",
        "agent_id": "abc123",
        "captured_at": event["timestamp"],
        "visitor_name": "José 😀",
        "visitor_email": "jose@example.com",
        "visitor_phone": None,
        "conversation_summary": None,
        "page_url": "https://example.com/a",
    }


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"headers": {"X-ChatForge-Signature": "0" * 64}}, 401),
        ({"headers": {"X-ChatForge-Signature": ""}}, 401),
        ({"headers": {"X-ChatForge-Signature": "sha256=abc"}}, 401),
        ({"secret": "another secret"}, 401),
        ({"body": b'{"event":"lead.captured","agent_id":"other"}'}, 401),
        ({"body": b""}, 401),
        ({"body": b"\xff\xfe"}, 401),
        ({"body": b" " * 1_100_000}, 413),
        ({"event": "no object"}, 400),
        ({"event": {"event": 7}}, 400),
        ({"event": {"event": ""}}, 400),
    ],
    ids=lambda value: str(value)[:50],
)
def test_delivery_that_is_not_right_starts_nothing(account, change, status):
    workflow, url = _publish_trigger(account, "event")
    more = {name: value for name, value in change.items() if name == "body"} | change.get("headers", {})
    if "body" in change:
        more["Content-Type"] = "text/plain"
    answer = _deliver(url, change.get("secret", account.sandbox.webhook_secret), change.get("event", _event()), **more)
    assert answer.status_code == status, answer.text
    assert "; " in answer.json()["error"]
    assert account.n8n.executions(workflow) == []


def test_delivery_without_a_secret_to_check_it_is_refused(account):
    account.credential = account.n8n.save_credential(account.values(webhook_secret=""))
    workflow, url = _publish_trigger(account, "event")
    answer = _deliver(url, "", _event())
    assert answer.status_code == 503
    assert "no webhook secret is in the credential" in answer.json()["error"]
    assert account.n8n.executions(workflow) == []


def test_previous_secret_is_good_while_a_new_one_replaces_it(account):
    account.credential = account.n8n.save_credential(account.values(previous_webhook_secret="the old one"))
    _, url = _publish_trigger(account, "event", events=["lead.captured"])
    for secret in ("the old one", account.sandbox.webhook_secret):
        assert _deliver(url, secret, _event(agent_id=secret)).json() == {"accepted": True}
    record("n8n", "webhook", "raw body verified; unsigned, forged, repeated: starts nothing")


def test_event_to_try_a_workflow_with_is_the_newest_lead(n8n, account):
    for position in range(3):
        account.visit(f"{position}@example.com", START + timedelta(minutes=position), name=f"Visitor {position}")
    for key, expected in (("new_lead", "lead_id"), ("new_conversation", "conversation_id")):
        agent = {"__rl": True, "mode": "list", "value": account.sandbox.agent_id}
        given = {"trigger": key, "additional": {"agent_id": agent}}
        trigger = node("New", "chatForgePollingTrigger", given, account.credential)
        workflow = n8n.ask("POST", "/workflows", json=chain(trigger))
        order = {"workflowData": workflow, "triggerToStartFrom": {"name": "New"}}
        n8n.ask("POST", f"/workflows/{workflow['id']}/run", json=order)
        [found] = wait_for(lambda workflow=workflow: n8n.executions(workflow["id"]))
        [item] = found["nodes"]["New"]
        assert (item["visitor_email"], item["id"]) == ("2@example.com", item[expected])
    record("n8n", "sample", "the newest entry, for Fetch Test Event")


def test_new_lead_starts_once_though_n8n_is_killed(n8n, account):
    account.visit("before@example.com", START)
    every_minute = {"item": [{"mode": "everyMinute"}]}
    trigger = node(
        "New", "chatForgePollingTrigger", {"trigger": "new_lead", "pollTimes": every_minute}, account.credential
    )
    workflow = n8n.publish(chain(trigger))
    moment = datetime.now(UTC)
    for name in ("ann", "bob"):
        account.visit(f"{name}@example.com", moment)
    [found] = wait_for(lambda: n8n.executions(workflow))
    assert {lead["visitor_email"] for lead in found["nodes"]["New"]} == {"ann@example.com", "bob@example.com"}
    n8n.stop(signal.SIGKILL)
    account.visit("cid@example.com", moment)
    n8n.start()
    _, found = wait_for(lambda: (runs := n8n.executions(workflow)) and len(runs) > 1 and runs)
    assert [lead["visitor_email"] for lead in found["nodes"]["New"]] == ["cid@example.com"]
    record("n8n", "poll", "polling trigger; n8n killed: none lost, none doubled")


def test_poll_of_another_agent_begins_anew(n8n, account):
    trigger = node("New", "chatForgePollingTrigger", {"trigger": "new_lead"}, account.credential)
    workflow = n8n.publish(chain(trigger))
    account.visit("old@example.com")
    trigger["parameters"]["additional"] = {"agent_id": account.sandbox.agent_id}
    n8n.republish(workflow, chain(trigger))
    account.visit("new@example.com")
    n8n.republish(workflow, chain(trigger))
    [found] = wait_for(lambda: n8n.executions(workflow))
    assert [lead["visitor_email"] for lead in found["nodes"]["New"]] == ["new@example.com"]


def test_lead_becomes_a_contact_and_hears_of_it(account):
    contacts: dict[str, Any] = {}

    class Crm(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            contacts[self.path] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps({"id": f"c-{len(contacts)}"}).encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Crm) as crm:
        threading.Thread(target=crm.serve_forever, daemon=True).start()
        workflow, conversation = _play_takeover(account, f"http://127.0.0.1:{crm.server_port}")
        crm.shutdown()
    assert contacts == {"/contacts/ann@example.com": {"name": "Ann"}}
    assert _texts(account, conversation) == ["Hello", "Hi Ann, you are contact c-1."]
    assert [run["status"] for run in account.n8n.executions(workflow)] == ["success"]


def _play_takeover(account: Any, crm: str) -> tuple[str, str]:
    """A visitor leaves an e-mail, of which the sandbox sends the webhook twice."""
    place, agent = str(uuid4()), account.sandbox.agent_id
    wanted = {
        "agent_id": agent,
        "visitor_email": "={{ $json.visitor_email }}",
        "captured_at": "={{ $json.captured_at }}",
    }
    contact = {
        "method": "PUT",
        "url": f"={crm}/contacts/{{{{ $('Lead').item.json.visitor_email }}}}",
        "sendBody": True,
        "specifyBody": "json",
        "jsonBody": "={{ { name: $('Lead').item.json.visitor_name } }}",
    }
    said = {
        "agent_id": agent,
        "conversation_id": "={{ $('Find').item.json.conversation.id }}",
        "content": "=Hi {{ $('Lead').item.json.visitor_name }}, you are contact {{ $json.id }}.",
    }
    workflow = account.n8n.publish(
        chain(
            node("Lead", "chatForgeTrigger", {"trigger": "lead_captured"}, account.credential, webhookId=place),
            _operation(account, "Find", "find_conversation", wanted),
            node("Contact", "httpRequest", contact, typeVersion=4.2),
            _operation(account, "Say", "inject_message", said),
        )
    )
    account.set(webhook_copies=2)
    account.sandbox.webhook_url = f"{account.n8n.url}/webhook/{place}/webhook"
    conversation = account.visit("ann@example.com", name="Ann", webhook=True)
    wait_for(lambda: account.n8n.executions(workflow))
    return workflow, conversation
