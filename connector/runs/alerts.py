"""Tells of each run that failed or is held: starts a flow, or sends JSON to a URL.

A flow is started in the transaction that says that it was told, so exactly once. A URL is sent the same again where no
answer came, with the same Idempotency-Key.
"""

import asyncio
import json
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from connector.adapter import Adapter
from connector.database import Connection
from connector.errors import NetworkError, SettingsError, StoreError
from connector.flows import failures, parameters
from connector.flows.expressions.functions import from_time
from connector.flows.flow import Flow
from connector.runs import events, records, revisions
from connector.runs.events import BY_HAND, Decision, NewEvent
from connector.runs.intake import BY_PERSON
from connector.runs.journal import Journal
from connector.runs.records import write_time
from connector.runs.store import Store
from connector.transport import HttpOptions, open_client, open_transport
from connector.unreached import describe_place

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0  # seconds
_PART = 20
"""Runs of one look."""
_FIRST_PAUSE = 2.0
_LONGEST_PAUSE = 300.0
_GIVE_UP = timedelta(hours=24)
_TOLD = f"{BY_HAND}failure-"
"""With this begins the identity of the event that starts a flow which is told."""


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why the runs of one revision could not be told of, and when that is tried again."""

    reason: str
    attempts: int
    due: datetime


class Alerts:
    """`default` is told where a flow says nothing else. `flows` are those that are served now."""

    def __init__(
        self,
        adapter: Adapter,
        store: Store,
        flows: Callable[[], Sequence[Flow]],
        wake: Callable[[], None],
        clock: Callable[[], datetime],
        *,
        default: str | None = None,
        public_url: str | None = None,
        every: float = LOOK_EVERY,
    ) -> None:
        self._adapter, self._store, self._flows, self._wake, self._clock = adapter, store, flows, wake, clock
        self._default, self._public_url, self._every = default, public_url, every
        self._troubles: dict[str, _Trouble] = {}
        self._sending: dict[str, asyncio.Task[None]] = {}
        """By revision, as `_troubles`: one URL that does not answer keeps nobody else from being told."""
        self._stopping = asyncio.Event()

    @property
    def failing(self) -> str | None:
        """Why somebody cannot be told now."""
        return next((trouble.reason for trouble in self._troubles.values()), None)

    def stop(self) -> None:
        self._stopping.set()

    async def work(self) -> None:
        """Look now and then until `stop`. A URL that has not answered then is sent the same by the next process."""
        looking = asyncio.create_task(self._look_again_and_again())
        await self._stopping.wait()
        tasks = (looking, *self._sending.values())
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def _look_again_and_again(self) -> None:
        while True:
            try:
                await self._look()
            except StoreError as error:
                log.debug("who is told of failures is told later: %s", error)
            except Exception:
                log.exception("nobody is told of failures, after a fault of this program; it is tried again")
            await asyncio.sleep(self._every)

    async def look(self) -> None:
        """Tell of all that is due, and wait for the answers. Raises StoreError."""
        await self._look()
        if self._sending:
            await asyncio.wait(self._sending.values())

    async def _look(self) -> None:
        now = self._clock()
        resting = {name for name, trouble in self._troubles.items() if trouble.due > now}
        urls: dict[str, list[tuple[str, records.Run]]] = {}
        for run in self._store.query(find_untold, _PART, [*resting, *self._sending]):
            if self._stopping.is_set():
                return
            try:
                url = await self._tell(run, now)
            except StoreError:
                raise
            except Exception as error:
                log.exception("a fault of this program; the run %s is told of later", run.id)
                self._rest(run.revision, f"a fault of this program, {type(error).__name__}", now)
                continue
            if url is not None:
                urls.setdefault(run.revision, []).append((url, run))
        for revision, runs in urls.items():
            self._sending[revision] = asyncio.create_task(self._send_all(revision, runs))

    async def _tell(self, run: records.Run, now: datetime) -> str | None:
        """Start the flow that is told; the URL where it is one."""
        target, flow = self._find(run)
        if target is None:
            await self._store.write(mark_told, run.id, now)
        elif flow is not None:
            if await self._store.write(start_told, flow, _inputs(flow, self._describe(run)), run.id, now):
                self._wake()
        elif failures.is_url(target):
            return target
        else:
            log.error("the run %s is not told of: there is no flow %r that could be told", run.id, target)
            await self._store.write(mark_told, run.id, now)
        return None

    def _find(self, run: records.Run) -> tuple[str | None, Flow | None]:
        """What the flow of the run says, as it was then; otherwise the default, unless the run tells of another one."""
        flow = self._store.query(revisions.load, run.revision, self._adapter.catalogue)
        served = {one.name: one for one in self._flows()}
        own = flow if isinstance(flow, Flow) else served.get(run.flow)
        if own is not None and own.on_failure is not None:
            return own.on_failure, own.calls.get(own.on_failure)
        if self._default is None or self._store.query(is_told_of, run.event_id):
            return None, None
        return self._default, served.get(self._default)

    def _describe(self, run: records.Run) -> dict[str, Any]:
        error = run.error
        page = f"{self._public_url}/runs/{run.id}" if self._public_url else None
        place = f" at {error.step}" if error and error.step else ""
        message = error.message if error else run.reason or "it says nothing"
        text = f"{run.flow} {'is held' if run.status == 'held' else 'failed'}{place}: {message}"
        return {
            "text": f"{text} ({page or run.id})",
            "flow": run.flow,
            "run": run.id,
            "status": run.status,
            "step": error.step or None if error else None,
            "action": error.action or None if error else None,
            "error": message,
            "kind": error.kind if error else "unknown",
            "at": from_time(run.finished_at or self._clock()),
            "page": page,
        }

    async def _send_all(self, revision: str, runs: Sequence[tuple[str, records.Run]]) -> None:
        """One after the other, until one fails."""
        try:
            for number, (url, run) in enumerate(runs):
                reason = await _post(url, self._describe(run), f"{run.id}:{run.epoch}")
                if reason is not None:
                    await self._fail(revision, [run for _, run in runs[number:]], reason)
                    return
                self._troubles.pop(revision, None)
                await self._store.write(mark_told, run.id, self._clock())
        except StoreError as error:
            log.debug("who was told of failures is told again: %s", error)
        except Exception as error:
            log.exception("a fault of this program; the runs of a flow are told of later")
            self._rest(revision, f"a fault of this program, {type(error).__name__}", self._clock())
        finally:
            del self._sending[revision]

    async def _fail(self, revision: str, runs: Sequence[records.Run], reason: str) -> None:
        """Try again later; of what failed long ago no more, unless this is the first attempt."""
        now = self._clock()
        if revision not in self._troubles:
            log.error("the run %s could not be told of, it is tried again: %s", runs[0].id, reason)
        else:
            for run in runs:
                if now - (run.finished_at or run.created_at) > _GIVE_UP:
                    log.error("the run %s is not told of any more: %s", run.id, reason)
                    await self._store.write(mark_told, run.id, now)
        self._rest(revision, reason, now)

    def _rest(self, revision: str, reason: str, now: datetime) -> None:
        before = self._troubles.get(revision)
        attempts = before.attempts if before else 0
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(attempts, 20))
        self._troubles[revision] = _Trouble(reason, attempts + 1, now + timedelta(seconds=pause))


async def _post(url: str, body: Mapping[str, Any], key: str) -> str | None:
    """Why it could not be sent. The URL may be a secret, so only its host is named."""
    place = describe_place(httpx.URL(url))
    try:
        options = HttpOptions(f"{httpx.URL(url).scheme}://{place}", base_url_setting="on_failure")
        transport = open_transport(options)
        try:
            async with open_client(options, transport) as client:
                answer = await client.post(url, json=body, headers={"Idempotency-Key": key})
        finally:
            await transport.aclose()
    except (NetworkError, SettingsError) as error:
        return str(error)
    return None if answer.is_success else f"{place} answered {answer.status_code}"


def _inputs(flow: Flow, failure: Mapping[str, Any]) -> dict[str, Any]:
    return parameters.complete(flow.inputs, failure)


def find_untold(connection: Connection, limit: int, resting: Sequence[str]) -> list[records.Run]:
    """The runs of which nobody was told yet, the oldest first, without those of the revisions that are `resting`."""
    rows = connection.execute(
        "SELECT id FROM runs WHERE told_at IS NULL AND status IN ('failed', 'held') "
        "AND revision NOT IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT ?",
        (json.dumps(resting), limit),
    ).fetchall()
    found = [Journal(connection).run(row["id"]) for row in rows]
    return [run for run in found if run is not None]


def is_told_of(connection: Connection, event_id: str) -> bool:
    """Whether the event is that another run failed."""
    row = connection.execute("SELECT identity FROM events WHERE id = ?", (event_id,)).fetchone()
    return row is not None and row["identity"].startswith(_TOLD)


def mark_told(connection: Connection, run_id: str, now: datetime) -> bool:
    """Whether it was not told of before, and still is as it was."""
    changed = connection.execute(
        "UPDATE runs SET told_at = ? WHERE id = ? AND told_at IS NULL AND status IN ('failed', 'held')",
        (write_time(now), run_id),
    )
    return changed.rowcount > 0


def start_told(connection: Connection, flow: Flow, inputs: Mapping[str, Any], run_id: str, now: datetime) -> bool:
    """Start the flow that is told."""
    if not mark_told(connection, run_id, now):
        return False
    identity = f"{_TOLD}{run_id}-{secrets.token_hex(8)}"
    new = NewEvent(BY_PERSON, flow.name, identity, "failure", now, now, json.dumps(inputs), "manual")
    events.add_event(connection, new, [Decision(flow.name, flow, inputs)])
    return True
