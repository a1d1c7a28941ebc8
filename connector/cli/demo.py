"""`chatforge demo`: the whole chain on this machine, with no account."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from connector.cli import exits, output
from connector.cli.flow_files import EXAMPLE
from connector.cli.timeline import LOOK_EVERY, Timeline, View, has_ended
from connector.errors import ConnectorError
from connector.runs import records
from connector.runs.journal import Journal
from connector.sandbox import Sandbox
from connector.sandbox.server import running
from connector.sqlite import read_file
from connector.transport import HttpOptions, open_client, open_transport

PATIENCE = 20.0  # seconds for anything that takes less than one when all is well


class DemoError(ConnectorError):
    """Something in the demo did not happen."""


@dataclass(slots=True)
class Stage:
    """Where the demo plays: the sandbox, the server's process, and what was seen so far."""

    sandbox: Sandbox
    folder: Path
    flows: Path = EXAMPLE
    address: str = ""
    process: "subprocess.Popen[str] | None" = None
    seen: list[str] = field(default_factory=list)

    @property
    def database(self) -> Path:
        return self.folder / "chatforge.sqlite"

    def start_server(self, port: int = 0) -> None:
        """Start `chatforge serve` and wait until it answers; after a crash on the same port."""
        environment = {
            **os.environ,
            "CHATFORGE_BASE_URL": self.sandbox.url,
            "CHATFORGE_API_KEY": self.sandbox.api_key,
            "CHATFORGE_WEBHOOK_SECRET": self.sandbox.webhook_secret,
            "CHATFORGE_DATABASE_URL": f"sqlite:///{self.database}",
            "CHATFORGE_BUDGET_FILE": str(self.folder / "budget.sqlite"),
        }
        command = [sys.executable, "-m", "connector", "serve", "--flows", str(self.flows), "--port", str(port)]
        log = (self.folder / "server.log").open("a")
        with log:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True, cwd=self.folder
            )
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        first = self.process.stdout.readline()
        if "listening on " not in first:
            self.process.wait()
            raise DemoError(f"the server did not start: {(self.folder / 'server.log').read_text()[-500:].strip()}")
        self.address = first.split("listening on ")[1].split(";")[0].strip()
        self.sandbox.webhook_url = f"{self.address}/webhooks/chatforge"

    def stop_server(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait()
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return asyncio.run(_request(method, f"{self.sandbox.control_url}{path}", body))

    def expect(self, what: str, happened: bool) -> None:
        """Remember what was seen, or end the demo."""
        if not happened:
            raise DemoError(f"this did not happen: {what}")
        self.seen.append(what)


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Stay up at the end, until Ctrl-C.")] = False,
) -> int:
    """Show the whole chain on this machine: a lead, a CRM contact, a takeover message. Needs no account.

    Example: chatforge demo --keep
    """
    with _stage() as stage:
        output.line(output.styled("ChatForge sandbox  ", "bold"), stage.sandbox.url)
        output.line(output.styled("Connector          ", "bold"), stage.address)
        output.line(output.styled("Flow               ", "bold"), EXAMPLE.resolve().name)
        _first_lead(stage)
        _same_webhook_again(stage)
        _crash(stage)
        _heading("What you saw")
        for what in stage.seen:
            output.line(output.styled("  ✓ ", "green"), what)
        if keep:
            _stay(stage)
    return exits.DONE


@contextmanager
def _stage() -> Iterator[Stage]:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(exits.FAILED))  # so that the server does not outlive the demo
    with tempfile.TemporaryDirectory(prefix="chatforge-demo-") as folder, running() as sandbox:
        stage = Stage(sandbox, Path(folder))
        try:
            stage.start_server()
            yield stage
        finally:
            stage.stop_server()


def _first_lead(stage: Stage) -> None:
    _heading("1  A visitor leaves an e-mail; ChatForge sends a signed webhook")
    story = _visitor(stage, "John Smith", "john@example.com", "Hello, I am looking into estate planning.")
    run = _wait_for_run(stage, newer_than=None)
    ended = Timeline(stage.database, run.id).follow(has_ended, PATIENCE)
    stage.expect("the lead became a contact and was greeted", ended.status == "succeeded")
    _show_chat(stage, story["conversation_id"])
    stage.expect("the visitor got one takeover message", len(_injected(stage, story["conversation_id"])) == 1)


def _same_webhook_again(stage: Stage) -> None:
    _heading("2  The same webhook is delivered again")
    delivery = stage.control("GET", "/deliveries?settle_seconds=5")["deliveries"][0]
    stage.control("POST", f"/deliveries/{delivery['id']}/redeliver")
    delivery = stage.control("GET", "/deliveries?settle_seconds=5")["deliveries"][0]
    answers = [attempt["status"] for attempt in delivery["attempts"]]
    output.line(f"  answers: {', '.join(map(str, answers))} (202: stored, 200: known already)")
    time.sleep(0.3)  # a second run would have started by now
    runs, webhooks = _counts(stage)
    output.line(f"  webhooks stored: {webhooks}, runs: {runs}")
    stage.expect("a repeated webhook started nothing", answers[-1] == 200 and (runs, webhooks) == (1, 1))


def _crash(stage: Stage) -> None:
    _heading("3  The server is killed in the middle of the next run")
    stage.control("POST", "/faults", {"action": "v1-conversations", "delay_seconds": 2, "times": 1})
    earlier = _runs(stage)[0].id
    story = _visitor(stage, "Ann", "ann@example.com", "What do you charge?")
    run = _wait_for_run(stage, newer_than=earlier)
    shown = Timeline(stage.database, run.id)
    shown.follow(lambda view: _is_sending(view, "chat"), PATIENCE)
    port = int(stage.address.rsplit(":", 1)[1])
    stage.stop_server(signal.SIGKILL)
    output.line(output.styled("  killed (SIGKILL) ", "red bold"), "while the step chat waited for its answer")
    interrupted = _runs(stage)[0].status
    stage.start_server(port)
    output.line(output.styled("  started again    ", "bold"), f"the run was {interrupted!r} and goes on")
    ended = shown.follow(has_ended, PATIENCE)
    stage.expect("after SIGKILL the run went on to its end", ended.status == "succeeded")
    _show_chat(stage, story["conversation_id"])
    stage.expect("its visitor got one takeover message, not two", len(_injected(stage, story["conversation_id"])) == 1)


def _stay(stage: Stage) -> None:
    _heading("Both stay up until Ctrl-C")
    output.line(f"  connector  {stage.address}/  the pages: what runs, and why not")
    output.line(f"  sandbox    {stage.sandbox.chat_url}  a chat, in which you are the visitor")
    output.line(f"  database   {stage.database}")
    body = json.dumps({"visitor_name": "Ann", "visitor_email": "ann2@example.com"})
    output.line(f"  another visitor:  curl -d '{body}' {stage.sandbox.control_url}/visitors")
    output.line(f"  the runs:         CHATFORGE_DATABASE_URL=sqlite:///{stage.database} chatforge runs list")
    try:
        assert stage.process is not None  # noqa: S101 - it was started
        stage.process.wait()
    except KeyboardInterrupt:
        output.line("stopped")


def _visitor(stage: Stage, name: str, email: str, message: str) -> dict[str, str]:
    output.line(f"  {name} writes {message!r} and leaves {email}")
    story: dict[str, str] = stage.control(
        "POST",
        "/visitors",
        {
            "visitor_name": name,
            "visitor_email": email,
            "page_url": "https://example.com/services",
            "conversation_summary": "Asked about estate planning services",
            "messages": [message],
        },
    )
    return story


def _wait_for_run(stage: Stage, newer_than: str | None) -> records.Run:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if (runs := _runs(stage)) and runs[0].id != newer_than:
            return runs[0]
        time.sleep(LOOK_EVERY)
    raise DemoError("the webhook started no run")


def _runs(stage: Stage) -> list[records.Run]:
    return read_file(stage.database, lambda connection: Journal(connection).runs(10))


def _counts(stage: Stage) -> tuple[int, int]:
    events = read_file(stage.database, lambda connection: Journal(connection).events(10))
    return len(_runs(stage)), sum(event.source == "webhook" for event in events)


def _is_sending(view: View, step: str) -> bool:
    _, steps = view
    return step in steps and steps[step].status == "sending"


def _injected(stage: Stage, conversation_id: str) -> list[Any]:
    chat = stage.control("GET", f"/conversations/{conversation_id}")
    return [message for message in chat["messages"] if message["injected"]]


def _show_chat(stage: Stage, conversation_id: str) -> None:
    output.line("")
    output.line(output.styled("  The chat as the visitor sees it", "underline"))
    for message in stage.control("GET", f"/conversations/{conversation_id}")["messages"]:
        who = "visitor" if message["role"] == "user" else "Cal" if message["injected"] else "bot"
        output.line(output.styled(f"  {who:>8}  ", "cyan" if who == "Cal" else "dim"), message["content"])


def _heading(text: str) -> None:
    output.line("")
    output.line(output.styled(text, "bold"))


async def _request(method: str, url: str, body: dict[str, Any] | None) -> Any:
    options = HttpOptions(url.partition("?")[0])
    transport = open_transport(options)
    try:
        async with open_client(options, transport) as client:
            answer = await client.request(method, url, json=body)
            if answer.is_error:
                raise DemoError(f"the sandbox answered {answer.status_code}: {answer.text}")
            return answer.json()
    finally:
        await transport.aclose()
