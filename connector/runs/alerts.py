"""Tells of each run that failed or is held: starts a flow, or sends JSON to a URL.

A flow is started in the transaction that says that it was told, so exactly once. A URL is sent the same again where no
answer came, with the same Idempotency-Key.
"""

import asyncio
import json
import logging
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
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
from connector.runs.journal import DamagedRowError, Journal
from connector.runs.records import write_time
from connector.runs.store import Store
from connector.transport import HttpOptions, open_client, open_transport
from connector.unreached import describe_place

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0  # seconds
_PART = 20
"""Runs of one look."""
_ANSWER_SECONDS = 10.0
"""The others wait meanwhile."""
_FIRST_PAUSE = 2.0
_LONGEST_PAUSE = 300.0
_GIVE_UP = timedelta(hours=24)
_TOLD = f"{BY_HAND}failure-"
"""With this begins the identity of the event that starts a flow which is told."""


@dataclass(frozen=True, slots=True)
class _Untold:
    """A run that failed or is held. It has another `epoch` once it goes on, and may fail again."""

    id: str
    epoch: int


@dataclass(slots=True)
class _Trouble:
    """A run of which nobody could be told yet."""

    since: datetime
    due: datetime
    attempts: int = 0


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
        self._troubles: dict[_Untold, _Trouble] = {}
        self._down: set[str] = set()
        """URLs that have not answered in this look: who is told otherwise does not wait for each of their runs."""
        self._stopping = asyncio.Event()
        self.failing: str | None = None
        """Why the last alert that failed could not be sent, while there are runs to tell of again."""

    def stop(self) -> None:
        self._stopping.set()

    async def work(self) -> None:
        """Look now and then until `stop`. A URL that has not answered then is sent the same by the next process."""
        looking = asyncio.create_task(self._look_again_and_again())
        await self._stopping.wait()
        looking.cancel()
        await asyncio.wait((looking,))

    async def _look_again_and_again(self) -> None:
        while True:
            try:
                await self.look()
            except StoreError as error:
                log.debug("who is told of failures is told later: %s", error)
            except Exception:
                log.exception("nobody is told of failures, after a fault of this program; it is tried again")
            await asyncio.sleep(self._every)

    async def look(self) -> None:
        """Tell of all that is due. Raises StoreError."""
        now = self._clock()
        untold = self._store.query(find_untold, _PART + len(self._troubles))
        self._troubles = {one: self._troubles[one] for one in untold if one in self._troubles}
        self._down.clear()
        for one in untold:
            if self._stopping.is_set():
                return
            trouble = self._troubles.get(one)
            if trouble is None or trouble.due <= now:
                await self._try(one, now)
        if not self._troubles:
            self.failing = None

    async def _try(self, untold: _Untold, now: datetime) -> None:
        """One that cannot be told of must not keep others from being told of. Raises StoreError."""
        try:
            run = self._store.query(lambda connection: Journal(connection).run(untold.id))
            if run is not None and run.epoch == untold.epoch:
                await self._tell(run, untold, now)
        except DamagedRowError as error:
            await self._give_up(untold, now, str(error))
        except StoreError:
            raise
        except Exception:
            log.exception("nobody is told of the run %s, after a fault of this program; it is tried again", untold.id)
            self._rest(untold, now)

    async def _tell(self, run: records.Run, untold: _Untold, now: datetime) -> None:
        target, flow = self._find(run)
        if target is None:
            await self._store.write(mark_told, untold, now)
        elif failures.is_url(target):
            await self._send(target, run, untold, now)
        elif flow is None:
            await self._give_up(untold, now, f"there is no flow {target!r} that could be told")
        elif (reason := failures.refuse_flow(flow)) is not None:  # the default, whose file was changed
            await self._give_up(untold, now, reason)
        elif await self._store.write(start_told, flow, _inputs(flow, self._describe(run)), untold, now):
            self._wake()

    async def _give_up(self, untold: _Untold, now: datetime, reason: str) -> None:
        log.error("nobody is told of the run %s: %s", untold.id, reason)
        self._troubles.pop(untold, None)
        await self._store.write(mark_told, untold, now)

    def _find(self, run: records.Run) -> tuple[str | None, Flow | None]:
        """What the flow of the run says, as it was then; otherwise the default, unless the run tells of another one."""
        served = {one.name: one for one in self._flows()}
        own = served.get(run.flow)
        if own is None or own.revision != run.revision:
            own = self._load(run.revision) or own
        if own is not None and own.on_failure is not None:
            return own.on_failure, own.calls.get(own.on_failure)
        if self._default is None or self._store.query(is_told_of, run.event_id):
            return None, None
        return self._default, served.get(self._default)

    def _load(self, revision: str) -> Flow | None:
        """The flow as it was then, where it can still be read."""
        try:
            flow = self._store.query(revisions.load, revision, self._adapter.catalogue)
        except DamagedRowError:
            return None
        return flow if isinstance(flow, Flow) else None

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

    async def _send(self, url: str, run: records.Run, untold: _Untold, now: datetime) -> None:
        if url in self._down:
            self._rest(untold, now)
            return
        reason = await _post(url, self._describe(run), f"{untold.id}:{untold.epoch}")
        if reason is None:
            self._troubles.pop(untold, None)
            await self._store.write(mark_told, untold, now)
            return
        self.failing = reason
        self._down.add(url)
        trouble = self._troubles.get(untold)
        if trouble is not None and now - trouble.since > _GIVE_UP:
            await self._give_up(untold, now, reason)
            return
        if trouble is None:
            log.error("the run %s could not be told of, it is tried again: %s", untold.id, reason)
        self._rest(untold, now)

    def _rest(self, untold: _Untold, now: datetime) -> None:
        trouble = self._troubles.setdefault(untold, _Trouble(now, now))
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(trouble.attempts, 20))
        trouble.attempts, trouble.due = trouble.attempts + 1, now + timedelta(seconds=pause)


async def _post(url: str, body: Mapping[str, Any], key: str) -> str | None:
    """Why it could not be sent. The URL may be a secret, so only its host is named."""
    place = describe_place(httpx.URL(url))
    try:
        options = HttpOptions(
            f"{httpx.URL(url).scheme}://{place}",
            read_timeout=_ANSWER_SECONDS,
            total_timeout=_ANSWER_SECONDS,
            base_url_setting="on_failure",
        )
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


def find_untold(connection: Connection, limit: int) -> list[_Untold]:
    """The runs of which nobody was told yet, the oldest first."""
    rows = connection.execute(
        "SELECT id, epoch FROM runs WHERE told_at IS NULL AND status IN ('failed', 'held') ORDER BY id LIMIT ?",
        (limit,),
    )
    return [_Untold(row["id"], row["epoch"]) for row in rows.fetchall()]


def is_told_of(connection: Connection, event_id: str) -> bool:
    """Whether the event is that another run failed."""
    row = connection.execute("SELECT identity FROM events WHERE id = ?", (event_id,)).fetchone()
    return row is not None and row["identity"].startswith(_TOLD)


def find_telling(connection: Connection, run_ids: Collection[str]) -> set[str]:
    """The ids of the events that tell of these runs."""
    rows = connection.execute(
        "SELECT id, identity FROM events WHERE connector = ? AND identity LIKE ?", (BY_PERSON, f"{_TOLD}%")
    ).fetchall()
    return {row["id"] for row in rows if row["identity"].removeprefix(_TOLD).rpartition("-")[0] in run_ids}


def mark_told(connection: Connection, run: _Untold, now: datetime) -> bool:
    """Whether it was not told of before, and still is as it was."""
    changed = connection.execute(
        "UPDATE runs SET told_at = ? WHERE id = ? AND epoch = ? AND told_at IS NULL AND status IN ('failed', 'held')",
        (write_time(now), run.id, run.epoch),
    )
    return changed.rowcount > 0


def start_told(connection: Connection, flow: Flow, inputs: Mapping[str, Any], run: _Untold, now: datetime) -> bool:
    """Start the flow that is told."""
    if not mark_told(connection, run, now):
        return False
    identity = f"{_TOLD}{run.id}-{secrets.token_hex(8)}"
    new = NewEvent(BY_PERSON, flow.name, identity, "failure", now, now, json.dumps(inputs), "manual")
    events.add_event(connection, new, [Decision(flow.name, flow, inputs)])
    return True
