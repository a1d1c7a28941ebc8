"""The bare script that the executor is compared with: what somebody would write who needs one flow.

It verifies the same signature, makes the same two calls with the same HTTP client, and as many synced commits as a run
of the executor has: one for the webhook, one before each call, which says too how the call before it ended, and one for
the end. Commits that wait together share a sync. It neither goes on after a crash nor tries again.
"""

import asyncio
import hashlib
import hmac
import json
import os
import queue
import socket
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx
import uvicorn
import uvloop

from connector.transport import HttpOptions, open_client, open_transport

MOST = 256  # writes a commit
PARALLEL = 100  # runs at work, as many as the executor's
SCHEMA = """
CREATE TABLE runs (id TEXT PRIMARY KEY, event TEXT NOT NULL, status TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE calls (
    run_id TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL, input TEXT NOT NULL, output TEXT,
    PRIMARY KEY (run_id, name)
) WITHOUT ROWID;
"""
ACCEPT = "INSERT INTO runs VALUES (?, ?, 'queued') ON CONFLICT DO NOTHING"
SEND = "INSERT INTO calls (run_id, name, status, input) VALUES (?, ?, 'sending', ?)"
END_CALL = "UPDATE calls SET status = 'done', output = ? WHERE run_id = ? AND name = ?"
END_RUN = "UPDATE runs SET status = 'done' WHERE id = ?"

Statement = tuple[str, tuple[Any, ...]]
Write = tuple[Sequence[Statement], asyncio.Future[int]]
Answer = Callable[[dict[str, Any]], Awaitable[None]]


class Journal:
    """One SQLite file, one thread that writes."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL"):
            self._connection.execute(statement)
        self._connection.executescript(SCHEMA)
        self._queue: queue.SimpleQueue[Write] = queue.SimpleQueue()
        threading.Thread(target=self._write_all, daemon=True).start()

    async def write(self, *statements: Statement) -> int:
        """How many rows the last one changed; returns when that is on the disk."""
        future = asyncio.get_running_loop().create_future()
        self._queue.put((statements, future))
        return await future

    def _write_all(self) -> None:
        while True:
            group = [self._queue.get()]
            while len(group) < MOST and not self._queue.empty():
                group.append(self._queue.get())
            self._connection.execute("BEGIN IMMEDIATE")
            counts = [[self._connection.execute(*one).rowcount for one in statements][-1] for statements, _ in group]
            self._connection.execute("COMMIT")
            group[0][1].get_loop().call_soon_threadsafe(_tell, group, counts)


def _tell(group: list[Write], counts: list[int]) -> None:
    for (_, future), count in zip(group, counts, strict=True):
        future.set_result(count)


class Script:
    """Takes webhooks and does what the flow of the bench does."""

    def __init__(self, journal: Journal, client: httpx.AsyncClient, secret: str) -> None:
        self._journal, self._client, self._secret = journal, client, secret
        self._turns = asyncio.Semaphore(PARALLEL)
        self._runs: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Answer) -> None:
        """The ASGI app."""
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        status = await self._take(dict(scope["headers"]), body + message["body"])
        head = [(b"content-type", b"application/json"), (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": b"{}"})

    async def _take(self, headers: dict[bytes, bytes], body: bytes) -> int:
        expected = hmac.digest(self._secret.encode(), body, "sha256").hex().encode()
        if not hmac.compare_digest(expected, headers.get(b"x-chatforge-signature", b"")):
            return 401
        event, run_id = json.loads(body), hashlib.sha256(body).hexdigest()
        if not await self._journal.write((ACCEPT, (run_id, json.dumps(event)))):
            return 200
        running = asyncio.create_task(self._run(run_id, event["data"]))
        self._runs.add(running)
        running.add_done_callback(self._runs.discard)
        return 202

    async def _run(self, run_id: str, lead: dict[str, Any]) -> None:
        async with self._turns:
            given = {"email": lead["visitor_email"], "text": lead["conversation_summary"]}
            note, noted = await self._call(run_id, "notes", given)
            if note["accepted"] and lead["visitor_email"] is not None:
                given = {"email": lead["visitor_email"].lower(), "name": lead["visitor_name"], "note_id": note["id"]}
                _, noted = await self._call(run_id, "contacts", given, noted)
            await self._journal.write(noted, (END_RUN, (run_id,)))

    async def _call(self, run_id: str, name: str, given: dict[str, Any], *before: Statement) -> tuple[Any, Statement]:
        """The answer, and what the journal is to say of it."""
        await self._journal.write(*before, (SEND, (run_id, name, json.dumps(given))))
        answer = await self._client.post(name, json=given, headers={"Idempotency-Key": f"{run_id}:{name}"})
        answer.raise_for_status()
        return answer.json(), (END_CALL, (answer.text, run_id, name))


async def main() -> None:
    options = HttpOptions(os.environ["BENCH_RECEIVER"])
    transport = open_transport(options, "aiohttp")
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    async with open_client(options, transport) as client:
        app = Script(Journal("script.sqlite"), client, os.environ["CHATFORGE_WEBHOOK_SECRET"])
        print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        await uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none")).serve(
            sockets=[listener]
        )
    await transport.aclose()


if __name__ == "__main__":
    uvloop.run(main())
