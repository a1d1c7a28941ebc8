"""Deliveries are shown one a line with the verdict of the verifier, handed on as they came, and never kept."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from loopback import Reply, serving

from connector.chatforge.webhooks import SIGNATURE_HEADER, sign

SECRET = "whsec_for_tests"
BODY = (
    b'{"event": "lead.captured", "agent_id": "a",  "data": {"visitor_name": "Ann", "visitor_email": "ann@example.com"}}'
)


class Listener:
    def __init__(self, process: "subprocess.Popen[str]", address: str) -> None:
        self._process, self._address = process, address

    def post(self, body: bytes = BODY, **headers: str) -> httpx.Response:
        given = {SIGNATURE_HEADER: sign(body, SECRET)} | headers
        return httpx.post(self._address, content=body, headers=given)

    def line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().rstrip("\n")


@contextmanager
def listening(folder: Path, *options: str, **environment: str) -> Iterator[Listener]:
    """`chatforge listen`, which ends by Ctrl-C without a complaint."""
    process = subprocess.Popen(
        [sys.executable, "-m", "connector", "listen", "--port", "0", *options],
        env={"PATH": os.environ["PATH"], "XDG_STATE_HOME": str(folder / "state"), **environment},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stderr
    try:
        first = (process.stderr if "--json" in options else process.stdout).readline()
        yield Listener(process, first.removeprefix("listening on ").partition(";")[0].strip())
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=20)
        assert (process.returncode, error) == (0, "")
        assert out == ("" if "--json" in options else "stopped\n")
        assert [*folder.rglob("*")] == []
    finally:
        process.kill()
        process.communicate()


def test_deliveries_are_handed_on_as_they_came_and_the_answer_is_given_back(tmp_path):
    def answer(request):
        return Reply({"event_id": "evt_1"}, 202) if request.path == "/hook" else Reply(status=404)

    with (
        serving(answer) as target,
        listening(tmp_path, "--forward-to", f"{target.url}/hook", CHATFORGE_WEBHOOK_SECRET=SECRET) as listener,
    ):
        assert listener.line() == f"forwarding to {target.url}/hook"
        given = listener.post(**{"X-Trace": "7", "Content-Type": "application/json", "User-Agent": "ChatForge/1"})
        assert (given.status_code, given.json()) == (202, {"event_id": "evt_1"})
        assert target.last.body == BODY
        assert target.last.headers[SIGNATURE_HEADER.lower()] == sign(BODY, SECRET)
        names = ("x-trace", "content-type", "user-agent")
        assert [target.last.headers[name] for name in names] == ["7", "application/json", "ChatForge/1"]
        line = listener.line()[10:]
        assert line == 'lead.captured  ann@example.com  signature good  answered 202: {"event_id": "evt_1"}'

        listener.post(**{SIGNATURE_HEADER: "0" * 64})
        assert "signature refused (the X-ChatForge-Signature header does not fit the body" in listener.line()
        listener.post(json.dumps(json.loads(BODY), indent=2).encode(), **{SIGNATURE_HEADER: sign(compact(), SECRET)})
        assert "signature good (the body was written anew on its way" in listener.line()
        assert listener.post(Via=f"1.1 other, {target.last.headers['via']}").status_code == 508  # it came back
        assert "leads back to this command" in listener.line()
        assert len(target.requests) == 3


def compact() -> bytes:
    return json.dumps(json.loads(BODY), separators=(",", ":")).encode()


def test_without_a_secret_the_signature_is_not_checked(tmp_path):
    with listening(tmp_path, "--json") as listener:
        assert listener.post().status_code == 200
        shown = json.loads(listener.line())
        assert shown.pop("reason").startswith("the ChatForge webhook secret is missing: set CHATFORGE_WEBHOOK_SECRET")
        assert shown.pop("at").endswith("Z")
        assert shown == {
            "connection": "chatforge/default",
            "event": "lead.captured",
            "about": "ann@example.com",
            "signature": "unchecked",
            "forwarded_to": None,
            "status": 200,
            "answer": '{"heard":true}',
        }
        listener.post(b"\xff\x00")
        assert (json.loads(listener.line())["event"]) is None


def test_server_that_cannot_be_reached_is_a_sentence_and_502(tmp_path):
    with serving(lambda _request: Reply()) as target:
        pass
    with listening(tmp_path, "--forward-to", target.url, CHATFORGE_WEBHOOK_SECRET=SECRET) as listener:
        assert listener.line().startswith("forwarding")
        answer = listener.post()
        assert answer.status_code == 502
        place = target.url.removeprefix("http://")
        sentence = f"cannot reach {place}: connection refused; check --forward-to and your network"
        assert answer.json() == {"error": sentence}
        assert listener.line().endswith(f'answered 502: {{"error":"{sentence}"}}')


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--forward-to localhost:8080", "--forward-to is 'localhost:8080'; write http://host/path"),
        ("--forward-to http://localhost:8099/x --port 8099", "which is this command itself; name another server"),
    ],
)
def test_address_that_cannot_be_is_refused(chatforge: Callable[..., object], arguments: str, sentence: str):
    result = chatforge("listen", *arguments.split())
    assert (result.code, sentence in result.error) == (2, True)  # type: ignore[attr-defined]
