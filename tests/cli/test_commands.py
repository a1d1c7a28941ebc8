"""The commands at work, against a sandbox."""

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from connector.errors import StoreError
from connector.runs.journal import Journal
from connector.sandbox import Sandbox
from connector.sandbox.server import running
from connector.sqlite import exclusive, read_file


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running() as sandbox:
        yield sandbox


@pytest.fixture
def settings(sandbox) -> dict[str, str]:
    return {
        "CHATFORGE_BASE_URL": sandbox.url,
        "CHATFORGE_API_KEY": sandbox.api_key,
        "CHATFORGE_WEBHOOK_SECRET": sandbox.webhook_secret,
    }


def event(sandbox, email: str, **more: str) -> str:
    return json.dumps({"event": "lead.captured", "agent_id": sandbox.agent_id, "data": {"visitor_email": email}} | more)


def test_run_shows_the_steps_and_ends_with_0(chatforge, flow, sandbox, settings):
    visitor = {"visitor_email": "ann@example.com"}
    story = httpx.post(f"{sandbox.control_url}/visitors", json=visitor).json()
    result = chatforge("run", flow, "--input", event(sandbox, "ann@example.com"), **settings)
    assert result.code == 0, result.error
    run_id, contact, chat, takeover, last = result.out.splitlines()
    assert run_id.startswith("run_")
    for row, words in (
        (contact, "contact    succeeded  contacts.upsert"),
        (chat, "chat       succeeded  chatforge.find_conversation"),
        (takeover, "takeover   succeeded  chatforge.inject_message"),
    ):
        assert words in row
    assert last == "succeeded"
    messages = httpx.get(f"{sandbox.control_url}/conversations/{story['conversation_id']}").json()["messages"]
    assert [message["content"] for message in messages if message["injected"]] == [
        "Hi there, this is Cal jumping in. How can I help?"
    ]


POLLED = """
flow: polled
trigger: {uses: TRIGGER}
steps:
  - {id: agents, uses: chatforge.list_agents}
outputs: {name: "${{ OUTPUT }}"}
"""


@pytest.mark.parametrize(
    ("trigger", "start"),
    [
        ("{uses: chatforge.new_lead}", "started by chatforge.new_lead, polled every 1m"),
        ("{uses: chatforge.lead_captured, with: {every: 90s}}", "started by chatforge.lead_captured, polled every 90s"),
        (
            "{uses: chatforge.new_lead, with: {start: all}}",
            "started by chatforge.new_lead, polled every 1m, start: all",
        ),
        ("{uses: chatforge.event}", "started by chatforge.event"),
        ("{uses: manual}", "started by manual, with chatforge run only"),
        ("{uses: chatforge.new_lead}\nenabled: false", "started by chatforge.new_lead (off)"),
    ],
)
def test_server_says_what_starts_a_flow(settings, tmp_path, trigger, start):
    text = f"flow: one\ntrigger: {trigger}\nsteps: [{{id: agents, uses: chatforge.list_agents}}]\n"
    (tmp_path / "one.yaml").write_text(text)
    command = [sys.executable, "-m", "connector", "serve", "--flows", "one.yaml", "--port", "0"]
    environment = settings | {"PATH": os.environ["PATH"], "CHATFORGE_DATABASE_URL": "sqlite:///runs.sqlite"}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        lines = [server.stdout.readline() for _ in range(3)]
        server.terminate()
    assert lines[2] == f"flow      one, {start}\n"


def test_run_without_input_says_that_the_event_is_a_sample_also_of_a_flow_that_is_off(chatforge, settings, tmp_path):
    (tmp_path / "off.yaml").write_text(
        "flow: off\nenabled: false\ntrigger: {uses: chatforge.event}\nsteps: [{id: all, uses: contacts.list}]\n"
    )
    result = chatforge("run", "off.yaml", **settings)
    assert result.code == 0, result.error
    assert result.out.startswith("the event is a sample of the trigger; change it with --set, or ")


def test_run_of_a_flow_that_people_start_speaks_of_no_sample(chatforge, tmp_path):
    (tmp_path / "one.yaml").write_text("flow: one\ntrigger: {uses: manual}\nsteps: [{id: all, uses: contacts.list}]\n")
    for options in ([], ["--dry-run"]):
        result = chatforge("run", "one.yaml", *options)
        assert result.code == 0, result.error
        assert "a sample of the trigger" not in result.out


def test_sample_of_a_run_can_be_changed(chatforge, settings, tmp_path):
    text = POLLED.replace("TRIGGER", "chatforge.event").replace("OUTPUT", "trigger.agent_id ?? ''")
    (tmp_path / "polled.yaml").write_text(text)
    result = chatforge("run", "polled.yaml", "--json", "--set", "agent_id=mine", **settings)
    assert json.loads(result.out)["outputs"] == {"name": "mine"}, result.error


def test_payload_that_is_not_the_trigger_s_is_named(chatforge, settings, tmp_path):
    (tmp_path / "polled.yaml").write_text(
        "flow: polled\ntrigger: {uses: chatforge.new_lead}\nsteps: [{id: agents, uses: chatforge.list_agents}]\n"
    )
    result = chatforge("run", "polled.yaml", "--input", '{"visitor_email": "ann@example.com"}', **settings)
    assert result.code == 2
    assert (
        "trigger (CapturedLead needs the field 'agent_id' (str)) nor an event (the event 'lead.listed' has no agent_id"
        in result.error
    )


def test_account_beside_the_flows_is_found_without_naming_them(chatforge, sandbox, settings, tmp_path):
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "connections.yaml").write_text("acme: {connector: chatforge, api_key: {env: ACME_KEY}}\n")
    result = chatforge(
        "call",
        "chatforge.list_agents",
        "--connection",
        "acme",
        CHATFORGE_BASE_URL=sandbox.url,
        ACME_KEY=sandbox.api_key,
    )
    assert json.loads(result.out)["agents"], result.error


@pytest.mark.parametrize(
    ("trigger", "value", "input", "output"),
    [
        ("chatforge.new_lead", "trigger.visitor_name", None, "John Smith"),
        (
            "chatforge.new_lead",
            "trigger.visitor_name",
            '{"agent_id": "uuid", "lead": {"id": "1", "visitor_name": "Ann"}}',
            "Ann",
        ),
        ("chatforge.new_conversation", "trigger.page_url", None, "https://example.com/pricing"),
        ("chatforge.conversation_updated", "trigger.message_count", None, 8),
        ("manual", "trigger.started_at != null", None, True),
        ("schedule\n  with: {every: 1h}", "trigger.scheduled_at != null", None, True),
    ],
)
def test_flow_with_any_trigger_can_be_run_by_hand(chatforge, settings, tmp_path, trigger, value, input, output):
    uses = f"trigger:\n  uses: {trigger}"
    text = POLLED.replace("trigger: {uses: TRIGGER}", uses).replace("OUTPUT", value)
    (tmp_path / "polled.yaml").write_text(text)
    given = ["--input", input] if input else []
    result = chatforge("run", "polled.yaml", "--json", *given, **settings)
    assert result.code == 0, result.error
    assert json.loads(result.out)["outputs"] == {"name": output}


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        pytest.param({"CHATFORGE_API_KEY": "wrong"}, 3, "the API key is not accepted", id="wrong key"),
        pytest.param({"CHATFORGE_API_KEY": "cf_sandbox_small_plan_key"}, 3, "Enterprise plan", id="wrong plan"),
        pytest.param({"agent_id": "abc123"}, 1, "agent 'abc123' not found", id="unknown agent"),
        pytest.param({"html": "1"}, 1, "HTML", id="HTML instead of JSON"),
    ],
)
def test_failing_run_says_why_and_ends_with_its_code(chatforge, flow, sandbox, settings, change, code, sentence):
    if "html" in change:
        fault = {"action": "v1-conversations", "status": 200, "style": "html", "body": "<title>Sign in</title>"}
        httpx.post(f"{sandbox.control_url}/faults", json=fault | {"times": 1})
    more = {"agent_id": change["agent_id"]} if "agent_id" in change else {}
    environment = settings | {key: value for key, value in change.items() if key.isupper()}
    result = chatforge("run", flow, "--input", event(sandbox, "ann@example.com", **more), **environment)
    assert result.code == code
    assert sentence in result.out.splitlines()[-1]
    assert "Traceback" not in result.error


def test_runs_and_events_are_listed_and_shown(chatforge, flow, sandbox, settings):
    for email in ("ann@example.com", "john@example.com"):
        chatforge("run", flow, "--input", event(sandbox, email), **settings)
    assert chatforge("runs", "list", "--status", "failed").out == "no runs\n"
    runs = json.loads(chatforge("runs", "list", "--json", "--limit", "1").out)
    names = {"id", "flow", "status", "event_id", "created_at", "finished_at", "error", "reason", "waits_for"}
    assert [set(run) for run in runs] == [names]
    shown = chatforge("runs", "show", runs[0]["id"])
    assert "if: steps.chat.conversation != null is false: steps.chat.conversation is null" in shown.out
    details = json.loads(chatforge("runs", "show", runs[0]["id"], "--json").out)
    assert details["trigger"]["visitor_email"] == "john@example.com"
    assert [step["id"] for step in details["steps"]] == ["contact", "chat", "takeover"]
    assert runs[0]["event_id"] in chatforge("events", "list").out
    story = chatforge("events", "show", runs[0]["event_id"]).out
    assert f"lead-to-crm  started {runs[0]['id']}" in story
    assert json.loads(chatforge("events", "show", runs[0]["event_id"], "--json").out)["starts"] == [
        {"flow": "lead-to-crm", "run_id": runs[0]["id"], "reason": None}
    ]


@pytest.mark.parametrize("command", ["runs", "events"])
def test_unknown_id_says_where_to_look(chatforge, flow, sandbox, settings, command):
    chatforge("run", flow, "--input", event(sandbox, "ann@example.com"), **settings)
    result = chatforge(command, "show", "nothing")
    assert result.code == 2
    assert f"see: chatforge {command} list" in result.error


def test_what_a_visitor_wrote_cannot_steer_the_terminal(chatforge, flow, sandbox, settings):
    hostile = "\x1b[2J\x1b]0;gone\x07\u202e"
    httpx.post(f"{sandbox.control_url}/visitors", json={"visitor_email": "ann@example.com", "visitor_name": hostile})
    data = {"visitor_email": "ann@example.com", "visitor_name": hostile}
    body = json.dumps({"event": "lead.captured", "agent_id": sandbox.agent_id, "data": data})
    printed = [chatforge("run", flow, "--input", body, **settings).out]
    [run] = json.loads(chatforge("runs", "list", "--json").out)
    for command in (["runs", "show", run["id"]], ["events", "show", run["event_id"]], ["runs", "list"]):
        printed += [chatforge(*command).out, chatforge(*command, "--json").out]
    assert not [text for text in printed if any(char in text for char in "\x1b\x07\u202e")]


def test_no_secret_is_printed_or_stored(chatforge, flow, sandbox, settings, tmp_path):
    secrets = {"CHATFORGE_API_KEY": "canary-key-91", "CHATFORGE_WEBHOOK_SECRET": "canary-secret-92"}
    result = chatforge("--debug", "run", flow, "--input", event(sandbox, "ann@example.com"), **settings | secrets)
    printed = [result.out, result.error, chatforge("runs", "list", "--json").out]
    stored = [path.read_bytes().decode("latin-1") for path in tmp_path.glob("*.sqlite*")]
    assert result.code == 3
    assert not [text for text in printed + stored if "canary" in text]


def test_interrupted_run_ends_at_once_and_is_kept(chatforge, flow, sandbox, settings, tmp_path):
    fault = {"action": "v1-conversations", "delay_seconds": 30, "times": 1}
    httpx.post(f"{sandbox.control_url}/faults", json=fault)
    command = [sys.executable, "-m", "connector", "run", flow, "--input", event(sandbox, "ann@example.com")]
    environment = settings | {"PATH": os.environ["PATH"], "CHATFORGE_DATABASE_URL": "sqlite:///runs.sqlite"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True) as running_flow:
        assert running_flow.stdout
        while "contact" not in running_flow.stdout.readline():
            pass
        running_flow.send_signal(signal.SIGINT)
        assert running_flow.wait(10) == 130
        assert "Traceback" not in running_flow.communicate()[1]
    [run] = json.loads(chatforge("runs", "list", "--json").out)
    assert run["status"] in ("queued", "waiting"), "either is taken up by the next server"


def _has_runs(database: Path) -> bool:
    try:
        return bool(read_file(database, lambda connection: Journal(connection).runs(1)))
    except StoreError:  # it is being made
        return False


def test_run_is_done_here_when_the_process_that_had_the_database_leaves(chatforge, flow, sandbox, settings, tmp_path):
    database = tmp_path / "runs.sqlite"
    holding = exclusive(database)
    holding.__enter__()
    with ThreadPoolExecutor() as threads:
        done = threads.submit(chatforge, "run", flow, "--input", event(sandbox, "ann@example.com"), **settings)
        while not _has_runs(database):
            time.sleep(0.02)
        holding.__exit__(None, None, None)
        result = done.result(60)
    assert (result.code, result.out.splitlines()[-1]) == (0, "succeeded")


def test_event_with_a_number_that_python_does_not_read_is_shown(chatforge, flow, sandbox, settings):
    fields = '"event": "lead.captured", "agent_id": "a", "timestamp": "0001-01-01T00:00:00Z"'
    body = f'{{{fields}, "data": {{"n": {"9" * 5000}}}}}'
    assert "started nothing" in chatforge("run", flow, "--input", body, **settings).error
    [stored] = json.loads(chatforge("events", "list", "--json").out)
    assert "999999" in chatforge("events", "show", stored["id"]).out


def test_event_is_signed_with_a_secret_that_is_live(chatforge, sandbox, tmp_path):
    (tmp_path / "connections.yaml").write_text(
        "default:\n  connector: chatforge\n  webhook_secrets: [{env: OLD, until: 2020-01-01}, {env: NEW}]\n"
    )
    with Receiver() as receiver:
        chatforge("send-event", "lead.captured", "--to", receiver.url, OLD="the old secret", NEW="the new secret")
    body, signature = receiver.got
    assert signature == hmac.new(b"the new secret", body, hashlib.sha256).hexdigest()


class Receiver:
    """Takes one POST."""

    def __enter__(self) -> "Receiver":
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got = (body, self.headers["X-ChatForge-Signature"])
                self.send_response(202)
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.handle_request)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(20)
        self._server.server_close()
