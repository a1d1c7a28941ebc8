"""The pages of a real server: what they show, what people change with them, and who may."""

import json
import re
import socket
import time
from typing import Any

import httpx
import pytest
from server.conftest import FLOW

from connector.chatforge.webhooks import SIGNATURE_HEADER, sign
from connector.server.changes import CHANGES
from connector.server.web import PAGES

HOSTILE = ["%00", "%ed%a0%80", "%27%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "..%2f..%2fetc", "a" * 5_000]
WEBHOOK = "/webhooks/chatforge"


def visit(sandbox: Any, **visitor: Any) -> dict[str, Any]:
    answer = httpx.post(f"{sandbox.control_url}/visitors", json={"messages": ["Hello"], **visitor})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def order_fault(sandbox: Any, action: str, **fault: Any) -> None:
    answer = httpx.post(f"{sandbox.control_url}/faults", json={"action": action, "times": 1, **fault})
    assert answer.status_code == 201, answer.text


def get(server: Any, path: str, **more: Any) -> httpx.Response:
    return httpx.get(server.address + path, timeout=20, **more)


def token(server: Any) -> str:
    return str(get(server, "/api/token").json()["token"])


def attempts_of(server: Any, run_id: str, step: str) -> list[dict[str, Any]]:
    steps = {one["id"]: one for one in get(server, f"/api/runs/{run_id}").json()["steps"]}
    return list(steps[step]["attempts"])


def requests_of(server: Any, run_id: str, step: str) -> list[dict[str, Any]]:
    return list(attempts_of(server, run_id, step)[-1]["requests"])


def wait_for_run(server: Any, status: str) -> dict[str, Any]:
    found = server.wait_for(lambda: get(server, f"/api/runs?status={status}").json()["runs"])
    return dict(found[0])


def texts(sandbox: Any, conversation: str) -> list[str]:
    return [message.content for message in sandbox.find_conversation(conversation)[1].messages]


@pytest.fixture
def held(server, sandbox) -> dict[str, Any]:
    """A run of which nobody knows whether its message arrived."""
    order_fault(sandbox, "v1-message", cut="after_effect")
    story = visit(sandbox, visitor_email="dora@example.com", visitor_name="Dora <b>&amp;</b>")
    return {**wait_for_run(server, "held"), "conversation_id": story["conversation_id"]}


def test_each_page_is_html_and_the_same_as_json(server, held):
    event = get(server, f"/api/runs/{held['id']}").json()["event_id"]
    answer = server.post("/runs/retry", data={"token": token(server), "runs": held["id"]})
    batch = answer.headers["location"].rpartition("/")[2]
    operation = "chatforge.inject_message"
    names = {
        "/runs/{id}": held["id"],
        "/runs/{id}/test": held["id"],
        "/runs/retries/{id}": batch,
        "/events/{id}": event,
        "/flows/{id}": "lead-to-crm",
        "/flows/files/{id}": "lead-to-crm.yaml",
    }
    for page in PAGES:
        path = page.path.replace("{id}", names.get(page.path, operation))
        shown, plain = get(server, path), get(server, f"/api{path}" if path != "/" else "/api/home")
        assert (shown.status_code, plain.status_code) == (200, 200), path
        assert shown.headers["content-type"] == "text/html; charset=utf-8"
        assert "script-src 'self'" in shown.headers["content-security-policy"]
        assert re.findall(r"<script(?! src=\"/static/)|<style| style=| on\w+=|javascript:", shown.text) == []
        assert "<b>" not in shown.text
        page.shows.model_validate(plain.json())


def test_held_run_says_why_and_goes_on_with_one_click(server, sandbox, held):
    home = get(server, "/").text
    assert "1 run held" in home
    assert "dora@example.com" in home
    page = get(server, f"/runs/{held['id']}").text
    assert "Nobody knows whether takeover took effect" in page
    short = get(server, f"/api/runs/{held['id']}?most=1").json()
    assert ([one["id"] for one in short["steps"]], short["left"]) == (["contact", "takeover"], 1)
    assert get(server, f"/api/runs/{held['id']}").json()["trace"] is None  # no collector is named
    form = {"token": token(server), "step": "takeover", "took_effect": "no"}
    answer = server.post(f"/runs/{held['id']}/resolve", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{held['id']}")
    server.wait_for(lambda: get(server, f"/api/runs/{held['id']}").json()["run"]["status"] == "succeeded")
    assert sum("jumping in" in text for text in texts(sandbox, held["conversation_id"])) == 2  # the person said so
    decided = get(server, f"/api/runs/{held['id']}").json()["decisions"]
    assert [(one["what"], one["step"], one["by"]) for one in decided] == [
        ("not_done", "takeover", "a person at this machine")
    ]
    assert f"audit: /runs/{{id}}/resolve '{held['id']}' by a person at this machine" in server.log()


def test_failed_run_is_retried(server, sandbox):
    order_fault(sandbox, "v1-message", status=400, body={"error": "closed"})
    story = visit(sandbox, visitor_email="fred@example.com")
    run = wait_for_run(server, "failed")
    page = get(server, f"/runs/{run['id']}").text
    assert "The step takeover failed: the request was refused (400: &#39;closed&#39;)" in page
    [request] = requests_of(server, run["id"], "takeover")
    assert (request["status"], json.loads(request["answer"])) == (400, {"error": "closed"})
    assert request["headers"] == {"authorization": "…", "content-type": "application/json"}
    assert json.loads(request["body"])["conversation_id"] == story["conversation_id"]
    assert server.post(f"/runs/{run['id']}/retry", data={"token": token(server)}).status_code == 303
    server.wait_for(lambda: get(server, f"/api/runs/{run['id']}").json()["run"]["status"] == "succeeded")
    assert sum("jumping in" in text for text in texts(sandbox, story["conversation_id"])) == 1
    [request] = requests_of(server, run["id"], "takeover")
    assert (request["status"], request["answer"]) == (201, None)


def test_each_attempt_shows_what_it_sent(server, sandbox):
    order_fault(sandbox, "v1-message", status=429, headers={"Retry-After": "0"})
    visit(sandbox, visitor_email="gina@example.com")
    run = wait_for_run(server, "succeeded")
    first, second = attempts_of(server, run["id"], "takeover")
    assert [[request["status"] for request in one["requests"]] for one in (first, second)] == [[429], [201]]


def test_event_shows_its_headers_and_why_it_was_believed(server, sandbox):
    visit(sandbox, visitor_email="hugo@example.com")
    events = server.wait_for(lambda: get(server, "/api/events?text=hugo").json()["events"])
    shown = get(server, f"/api/events/{next(one['id'] for one in events if one['source'] == 'webhook')}").json()
    assert len(shown["headers"]["x-chatforge-signature"]) == 64
    assert json.loads(shown["text"]) == shown["body"]
    body = json.dumps(json.loads(shown["text"]), indent=1)
    changed = body.replace("hugo", "hugh").encode()
    signature = sign(json.dumps(json.loads(changed), separators=(",", ":"), ensure_ascii=False), sandbox.webhook_secret)
    answer = server.post(WEBHOOK, content=changed, headers={SIGNATURE_HEADER: signature, "Cookie": "c=1"})
    assert answer.status_code == 202
    rewritten = get(server, f"/api/events/{answer.json()['event_id']}").json()
    assert "the body was written anew on its way" in rewritten["verdict"]
    assert rewritten["headers"]["cookie"] == "…"


def test_search_tells_why_nothing_was_started(server, sandbox):
    visit(sandbox, visitor_phone="+15551234", visitor_name="Zoë Ünder_%")
    for text in ("+15551234", "zoë", "Ünder_%"):
        events = server.wait_for(lambda text=text: get(server, "/api/events", params={"text": text}).json()["events"])
        reasons = [start["reason"] for event in events for start in event["starts"]]
        assert "trigger.if: trigger.visitor_email != null is false: trigger.visitor_email is null" in reasons
    assert get(server, "/api/events", params={"text": "Ünder%"}).json()["events"] == []
    assert "Nothing that came in tells of “nobody@”" in get(server, "/events?text=nobody@").text


def test_event_is_decided_anew_for_a_flow_that_started_nothing(server, sandbox):
    visit(sandbox, visitor_phone="+15551234")
    events = server.wait_for(lambda: get(server, "/api/events").json()["events"])
    path = f"/events/{events[0]['id']}"
    answer = server.post(f"{path}/resend", data={"token": token(server), "flow": "lead-to-crm"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{path}?again=lead-to-crm")
    assert "Decided anew for lead-to-crm: it started nothing" in get(server, answer.headers["location"]).text
    wrong = server.post(f"{path}/resend", data={"token": token(server), "flow": "none"})
    assert wrong.status_code == 409
    assert "the server has no flow &#39;none&#39;" in wrong.text


def test_flow_that_is_off_says_so(make_server, sandbox, tmp_path):
    (tmp_path / "off.yaml").write_text(FLOW.read_text().replace("trigger:", "enabled: false\ntrigger:", 1))
    server = make_server(flows=tmp_path / "off.yaml").start("--port", "0")
    sandbox.webhook_url = f"{server.address}{WEBHOOK}"
    assert "every flow is off (enabled: false), so nothing starts" in get(server, "/").text
    visit(sandbox, visitor_email="otto@example.com")
    [event] = server.wait_for(lambda: get(server, "/api/events?text=otto").json()["events"])
    assert [(start["flow"], start["reason"]) for start in event["starts"]] == [
        ("lead-to-crm", "it is off (enabled: false)")
    ]
    assert "lead-to-crm, which is off: it starts all the same" in get(server, f"/events/{event['id']}").text


def test_no_answer_is_made_of_a_host_that_was_not_looked_at(server):
    for path in ("/runs/", "/webhooks/chatforge/", "//evil.example.com"):
        assert get(server, path, headers={"Host": "evil.example.com"}).status_code in (404, 405), path
    assert httpx.head(f"{server.address}/changes", timeout=5).status_code == 200


def test_step_that_took_effect_gave_what_nobody_knows(server, held):
    form = {"token": token(server), "step": "takeover", "took_effect": "yes"}
    assert server.post(f"/runs/{held['id']}/resolve", data=form).status_code == 303
    server.wait_for(lambda: get(server, f"/api/runs/{held['id']}").json()["run"]["status"] == "succeeded")
    steps = get(server, f"/api/runs/{held['id']}").json()["steps"]
    assert steps[-1]["output"]["message"]["id"] == "unknown"


def test_refused_delivery_is_shown_with_its_reason_and_without_what_may_be_a_secret(server):
    headers = {"X-ChatForge-Signature": "whsec_sandbox", "Cookie": "a=whsec_cookie", "X-Secret": "whsec_sandbox"}
    data = {"visitor_email": "<i>eve@example.com", "secret": "whsec_sandbox"}
    body = json.dumps({"event": "lead.captured", "data": data})
    assert server.post(WEBHOOK, content=body, headers=headers).status_code == 401
    assert (
        "1 delivery was refused, the last one: the X-ChatForge-Signature header is malformed" in get(server, "/").text
    )
    page = get(server, "/events?text=eve@example").text
    assert "&lt;i&gt;eve@example.com" in page
    assert "whsec" not in page
    assert get(server, "/api/events?text=other").json()["refused"] == []
    good = '{"event":"lead.captured","agent_id":"a","data":{}}'
    assert (
        server.post(WEBHOOK, content=good, headers={SIGNATURE_HEADER: sign(good, "whsec_sandbox")}).status_code == 202
    )
    assert "1 delivery was refused" not in get(server, "/").text


def test_times_without_a_zone_are_utc(make_server, sandbox):
    server = make_server(environment={"TZ": "America/Los_Angeles"}).start("--port", "0")
    sandbox.webhook_url = f"{server.address}{WEBHOOK}"
    visit(sandbox, visitor_email="ann@example.com")
    [run] = server.wait_for(lambda: get(server, "/api/runs").json()["runs"])
    moment = run["created_at"].removesuffix("+00:00").removesuffix("Z")
    assert len(get(server, f"/api/runs?until={moment}").json()["runs"]) == 0
    assert len(get(server, f"/api/runs?since={moment[:-7]}").json()["runs"]) == 1
    assert len(get(server, "/api/runs?since=0001-01-01").json()["runs"]) == 1


def test_prometheus_gets_numbers(server, sandbox, held):
    server.post(WEBHOOK, content="{}")
    text = get(server, "/metrics").text
    for line in (
        'chatforge_runs{flow="lead-to-crm",status="held"} 1.0',
        "chatforge_events_held 0.0",
        "chatforge_deliveries_refused_total 1.0",
        'chatforge_webhook_answers_total{status="202"} 1.0',
        'chatforge_webhook_answers_total{status="401"} 1.0',
        'chatforge_step_attempts_total{action="chatforge.inject_message",status="held"} 1.0',
        'chatforge_runs_ended_total{flow="lead-to-crm",status="held"} 1.0',
        'chatforge_action_duration_seconds_count{action="chatforge.inject_message"} 1.0',
        'chatforge_budget_limit{connection="chatforge/default"} 100.0',
        f'chatforge_poll_failing{{connection="chatforge/default",list="leads",partition="{sandbox.agent_id}"}} 0.0',
    ):
        assert line in text.splitlines(), text
    assert "chatforge_last_webhook_timestamp_seconds 1." in text
    assert "_created" not in text
    [budget] = get(server, "/api/home").json()["budgets"]
    assert budget["limit"] == 100
    assert budget["used"] >= 3  # the list, the chat, the message
    used = next(line for line in text.splitlines() if line.startswith("chatforge_budget_used{"))
    assert float(used.split()[-1]) >= 3
    assert re.search(
        r"<dt>chatforge/default</dt><dd>\d+ of 100 requests in the last minute</dd>", get(server, "/").text
    )


def test_change_tells_open_pages(server, sandbox):
    with httpx.stream("GET", f"{server.address}/changes", timeout=20) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "retry: 5000"
        visit(sandbox, visitor_email="live@example.com")
        assert "event: changed" in lines


def test_every_route_needs_a_login_from_elsewhere_and_every_change_the_token(server):
    elsewhere = {"X-Forwarded-For": "192.0.2.7"}
    for page in PAGES:
        path = page.path.replace("{id}", "x")
        shown = get(server, path, headers=elsewhere)
        assert (shown.status_code, shown.headers["location"]) == (303, f"/login?next={path}")
        assert get(server, f"/api{path}" if path != "/" else "/api/home", headers=elsewhere).status_code == 401
    for path in ("/api/openapi.json", "/api/token", "/changes", "/metrics"):
        assert get(server, path, headers=elsewhere).status_code in (303, 401), path
    for change in CHANGES:
        path = change.path.replace("{id}", "x")
        assert server.post(path, data={}).status_code == 403, path
        assert server.post(f"/api{path}", json={}).status_code == 403, path
        assert server.post(path, data={}, headers=elsewhere).status_code in (303, 401), path
    assert server.post("/logout", data={}).status_code == 403


@pytest.mark.parametrize("name", ["evil.example.com", "localhost.evil.example.com:80", "127.0.0.1.nip.io", ""])
def test_pages_answer_only_under_their_own_names(server, name):
    for path in ("/", "/api/home", "/login"):
        assert get(server, path, headers={"Host": name}).status_code == 421, path


def test_login_with_the_password(make_server, sandbox):
    server = make_server(
        environment={"CHATFORGE_PASSWORD": "open sesame", "CHATFORGE_PUBLIC_URL": "https://flows.example.com"}
    )
    server.start("--port", "0", "--host", "127.0.0.1")
    outside = {"Host": "flows.example.com", "X-Forwarded-Proto": "https"}
    with httpx.Client(base_url=server.address, headers=outside) as client:
        assert client.get("/").headers["location"] == "/login?next=/"
        asked = client.get("/runs", params={"text": "ann@example.com"}).headers["location"]
        assert 'value="/runs?text=ann%40example.com"' in client.get(asked).text
        assert client.post("/runs/x/retry", data={}).headers["location"] == "/login?next=/runs/x"
        wrong = client.post("/login", data={"password": "sesame", "next": "/flows"})
        assert wrong.status_code == 401
        assert 'value="/flows"' in wrong.text
        assert "the password is wrong" in wrong.text
        good = client.post("/login", data={"password": "open sesame", "next": "//evil.example.com"})
        assert (good.status_code, good.headers["location"]) == (303, "/")
        cookie = good.headers["set-cookie"]
        assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Secure"))
        session = {"Cookie": cookie.partition(";")[0]}
        assert client.get("/", headers=session).status_code == 200
        assert client.post("/logout", data={"token": "x"}, headers=session).status_code == 403
        given = client.get("/api/token", headers=session).json()["token"]
        assert client.post("/logout", data={"token": given}, headers=session).status_code == 303
        assert client.get("/", headers=session).status_code == 303
    assert "open sesame" not in server.log()


def test_address_of_other_machines_needs_a_password(make_server):
    server = make_server()
    server.launch("--port", "0", "--host", "0.0.0.0")
    assert server.process
    assert server.process.stdout
    assert server.process.wait(20) == 2
    server.process.stdout.close()
    assert "set CHATFORGE_PASSWORD, or leave the pages out with --no-pages" in server.log()


def test_pages_can_be_left_out(make_server):
    server = make_server().start("--port", "0", "--no-pages")
    assert [get(server, path).status_code for path in ("/", "/runs", "/api/home", "/healthz")] == [404, 404, 404, 200]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:20])
def test_hostile_text_is_answered_with_a_sentence_and_never_shown_as_markup(server, text):
    paths = [page.path.replace("{id}", text) for page in PAGES]
    queries = [
        f"/runs?text={text}",
        f"/events?text={text}",
        f"/runs?flow={text}",
        f"/runs?before={text}",
        f"/?{text}={text}",
    ]
    for path in [*paths, *queries, f"/runs?status={text}", f"/runs?since={text}", f"/connections?test={text}"]:
        answer = get(server, path)
        assert answer.status_code in (200, 404, 422), path[:100]
        assert "<script>alert" not in answer.text
    assert "Traceback" not in server.log()


def test_nul_is_refused_as_postgres_would(server):
    given = {"X-ChatForge-Token": token(server)}
    for path in ("/runs?text=%00", "/runs?flow=a%00", "/runs?before=%00", "/runs/%00", "/events/%00"):
        assert get(server, f"/api{path}").status_code == 422, path
    answer = server.post("/api/runs/x/retry", json={"reason": "a\0"}, headers=given)
    assert (answer.status_code, answer.json()) == (422, {"error": "'reason' has a NUL character; leave it out"})


def test_form_that_cannot_be_read_is_refused(server):
    given = {"X-ChatForge-Token": token(server)}
    for body, status in ((b"[1", 400), (b"[]", 400), (b"[" * 200_000, 400), (b"\xff", 400), (b"x" * 300_000, 413)):
        assert server.post("/api/runs/x/retry", content=body, headers=given).status_code == status
    assert server.post("/api/runs/x/retry", json={}, headers=given).json() == {"error": "there is no run 'x'"}
    many = "&".join(f"a{number}=1" for number in range(100))
    assert server.post("/runs/x/retry", content=many).status_code == 400


def test_output_that_is_nested_too_deeply_is_refused(server, held):
    form = {"token": token(server), "step": "takeover", "took_effect": "yes", "output": "[" * 50_000}
    answer = server.post(f"/runs/{held['id']}/resolve", data=form)
    assert answer.status_code == 422
    assert "nested too deeply" in answer.text


def send_half(server: Any, path: str) -> socket.socket:
    """A form of which only the beginning comes."""
    host, port = server.address.removeprefix("http://").split(":")
    sending = socket.create_connection((host, int(port)), timeout=20)
    sending.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\ntoken=".encode())
    return sending


def test_form_of_which_only_half_comes_ends_without_a_traceback(server):
    with send_half(server, "/login"):
        time.sleep(0.2)  # the server reads it
    with send_half(server, "/login") as slow:
        assert slow.recv(100).startswith(b"HTTP/1.1 408 ")
    with send_half(server, "/runs/x/retry") as last:
        time.sleep(0.2)
        assert server.stop() == 0
        assert last.recv(100).startswith(b"HTTP/1.1 503 ")
    assert "Traceback" not in server.log()


ASKING = """\
flow: ask-first
trigger: {uses: chatforge.lead_captured, if: trigger.visitor_email != null}
steps:
  - id: sure
    approve: {title: "Greet?", form: {tone: {type: "'formal' | 'casual'"}, times: {type: int, default: 1}}}
"""


def test_form_of_an_approval_is_read_by_its_types(make_server, sandbox, tmp_path):
    (tmp_path / "ask.yaml").write_text(ASKING)
    server = make_server(flows=tmp_path / "ask.yaml").start("--port", "0")
    sandbox.webhook_url = f"{server.address}{WEBHOOK}"
    visit(sandbox, visitor_email="ida@example.com")
    run = wait_for_run(server, "waiting")
    [form] = [one["form"] for one in get(server, f"/api/runs/{run['id']}").json()["choices"] if one["form"]]
    assert [(one["name"], one["widget"], one["required"]) for one in form] == [
        ("tone", "select", True),
        ("times", "number", False),
    ]

    def answer(**typed: str) -> httpx.Response:
        fields = {"token": token(server), "step": "sure", "answer": "approve", **typed}
        return server.post(f"/runs/{run['id']}/answer", data=fields)

    assert "the form of sure does not fit: tone (&#39;formal&#39; | &#39;casual&#39;) is missing" in answer().text
    assert "times: " in answer(**{"input.tone": "formal", "input.times": "many"}).text
    refused = answer(form='{"tone": "loud"}')
    assert (refused.status_code, "tone: " in refused.text) == (422, True)
    assert answer(**{"input.tone": "formal", "input.times": "2"}).status_code == 303
    [step] = get(server, f"/api/runs/{server.ended(run['id']).id}").json()["steps"]
    assert (step["output"]["tone"], step["output"]["times"]) == ("formal", 2)
