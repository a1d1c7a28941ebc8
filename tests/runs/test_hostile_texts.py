"""What a visitor wrote arrives at a receiver of JSON as it was written, whichever way it takes through a flow."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from hostile import TEXTS
from runs.conftest import PING, Bench, NoInput, Text

from connector import settings
from connector.adapter import Adapter, Delivery
from connector.declare import ActionContext, ConnectionType, Event, action
from connector.flows.flow import Flow
from connector.flows.folder import Folder
from connector.registry import Registry
from connector.runs import records
from connector.runs.decisions import answers
from connector.runs.decisions.answers import Answer
from connector.runs.intake import Intake
from connector.runs.store import Store
from connector.runs.worker import Worker
from connector.transport import HttpOptions

MAIN = """
flow: main
trigger: {uses: test.ping, if: trigger.name != null}
vars: {said: "${{ trigger.name }}", all: {list: ["${{ trigger.name }}"]}}
steps:
- {id: each, for_each: "[vars.said, trigger.name]", uses: test.put, with: {text: "${{ item }}"}}
- id: choice
  switch:
    on: trigger.name
    cases: {x: [{id: other, uses: test.put, with: {text: x}}]}
    default: [{id: chosen, uses: test.put, with: {text: "${{ vars.all.list[0] ?? 'x' }}"}}]
- {id: called, uses: flow.called, with: {text: "${{ steps.chosen?.text ?? 'x' }}"}}
- {id: back, uses: test.put, with: {text: "${{ steps.called.text }}"}, retry: {until: output.text == trigger.name}}
- id: asked
  approve:
    title: ${{ vars.said }}
    form: {note: {type: str}}
    notify: [{id: ask, uses: test.put, with: {text: "${{ approve.title }}"}}]
- {id: noted, uses: test.put, with: {text: "${{ steps.asked.note ?? 'x' }}"}}
- {id: came, wait_for: {uses: test.ping, match: event.name == trigger.name, timeout: 1d}}
- {id: seen, uses: test.put, with: {text: "${{ steps.came?.name ?? 'x' }}"}}
- {id: end, stop: "${{ vars.said }}"}
"""
CALLED = """
flow: called
inputs: {text: {type: str}}
vars: {again: "${{ inputs.text }}"}
steps: [{id: put, uses: test.put, with: {text: "${{ vars.again }}"}}]
outputs: {text: "${{ steps.put.text }}"}
"""
CALLS = 8


@contextmanager
def receiving() -> Iterator[tuple[str, list[bytes]]]:
    """A server that keeps the bodies and sends each back; its URL, and what it got."""
    bodies: list[bytes] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", str(len(bodies[-1])))
            self.end_headers()
            self.wfile.write(bodies[-1])

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", bodies
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def receiver() -> Iterator[tuple[str, list[bytes]]]:
    with receiving() as served:
        yield served


@action(effect="idempotent", title="Put")
async def put(input: Text, context: ActionContext[None]) -> Text:
    answer = await context.http.post("/", content=json.dumps(input.model_dump()))
    return Text.model_validate(answer.json())


def adapter_for(bench: Bench, url: str) -> Adapter:
    connection = ConnectionType(NoInput, "Receiver", "", lambda _settings: {}, http=lambda _values: HttpOptions(url))
    registry = Registry({"test.put": replace(put, name="test.put")}, {"test.ping": PING}, {"test": connection})
    return Adapter(registry, settings.load(bench.folder, environ={}), bench.clock)


def ping(bench: Bench, name: str) -> Delivery:
    bench.now += timedelta(seconds=1)
    bench.received += 1
    payload = {"name": name}
    event = Event("ping", f"ping-{bench.received}", None, payload, "manual")
    return Delivery("test", "default", event, json.dumps(payload), bench.now)


async def waiting(store: Store, run_id: str, action: str) -> str:
    """The step with that action, as soon as the run waits for it."""
    async with asyncio.timeout(10):
        while True:
            found = store.read(lambda journal: journal.run(run_id))
            for step in store.read(lambda journal: journal.steps(run_id)).values():
                if found and (found.status, step.action, step.status) == ("waiting", action, "waiting"):
                    return step.id
            await asyncio.sleep(0.001)


async def run(bench: Bench, adapter: Adapter, flow: Flow, written: str) -> records.Run:
    """Start the flow by an event, answer what it asks and send what it waits for, all with that text."""
    with closing(Store(bench.database)) as store:
        async with adapter:
            worker = Worker(adapter, store, bench.clock)
            stored = await Intake(adapter, store, [flow], worker.wake).accept(ping(bench, written))
            run_id = stored.starts[0].run_id or ""
            bench.now += timedelta(seconds=1)
            finishing = asyncio.create_task(worker.finish([run_id]))
            answer = Answer(approved=True, by="ann", at=bench.now, form={"note": written})
            await store.write(answers.give, run_id, await waiting(store, run_id, "approve"), answer)
            worker.wake()
            await waiting(store, run_id, "test.ping")
            await Intake(adapter, store, [], worker.wake).accept(ping(bench, written))
            worker.wake()
            await finishing
            found = store.read(lambda journal: journal.run(run_id))
            assert found is not None
            return found


@pytest.mark.parametrize("written", TEXTS, ids=ascii)
def test_what_a_visitor_wrote_arrives_as_it_is(bench: Bench, receiver: tuple[str, list[bytes]], written: str) -> None:
    url, bodies = receiver
    bodies.clear()
    adapter = adapter_for(bench, url)
    checked = Folder({"main": MAIN, "called": CALLED}, adapter.catalogue).check("main")
    assert checked.flow is not None, checked.problems
    ended = asyncio.run(run(bench, adapter, checked.flow, written))
    sent = json.loads(json.dumps(written))  # two halves of a character are that character in JSON
    assert (ended.status, ended.reason) == ("succeeded", sent)
    assert [json.loads(body)["text"] for body in bodies] == [sent] * CALLS
