"""A server that dies, the sandbox that it talks to, and those who send webhooks and answer; all of them go on."""

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from crash.flows import GREET, REPLY, Case
from crash.journal import Picture, Row, key_of, look
from crash.server import MOMENTS, Child, Fuse, Moment, Nursery, Options

from connector import registry, settings
from connector.adapter import Adapter
from connector.chatforge.webhooks import SIGNATURE_HEADER, sign
from connector.engines import Address
from connector.runs.decisions import approvals, resolutions
from connector.runs.decisions.answers import Answer
from connector.runs.decisions.approvals import NotAskedError
from connector.runs.decisions.interventions import Person
from connector.runs.decisions.resolutions import Resolution
from connector.runs.effects import acts_once
from connector.runs.records import ENDED, first_id
from connector.runs.store import Store
from connector.sandbox import Sandbox

PATIENCE = 60.0
"""Seconds for what takes one on a busy machine."""
ACKNOWLEDGED = (200, 202)
_FOREVER = "9"
"""With this begins the time at which an approval ends that has no timeout."""


@dataclass(frozen=True, slots=True)
class Told:
    """A delivery that is sent until it is acknowledged."""

    case: Case
    key: str
    lane: str
    """What the deliveries of one run of a case have in common."""
    body: bytes


@dataclass
class World:
    nursery: Nursery
    folder: Path
    database: Address
    sandbox: Sandbox
    conversation: str
    child: Child | None = None
    flows: Path = Path()
    deaths: list[Picture] = field(default_factory=list)
    """What the journal had at each of the last deaths."""
    since: str = ""
    plan: list[tuple[int, Moment]] = field(default_factory=list)
    """The commits, from its beginning on, at which each further server dies."""
    lanes: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self._began, self.fuse = self.since, Fuse(self.folder)
        self.http = httpx.Client(timeout=40)
        self.adapter = Adapter(registry.load(), settings.load(self.folder, environ=self.environ))

    def close(self) -> None:
        if self.child is not None:
            self.child.kill()
        self.http.close()

    @property
    def environ(self) -> dict[str, str]:
        url = f"sqlite:///{self.database}" if isinstance(self.database, Path) else self.database.url
        return {
            "CHATFORGE_BASE_URL": self.sandbox.url,
            "CHATFORGE_API_KEY": self.sandbox.api_key,
            "CHATFORGE_WEBHOOK_SECRET": self.sandbox.webhook_secret,
            "CHATFORGE_DATABASE_URL": url,
            "CHATFORGE_RATE_LIMIT": "900000",
        }

    @property
    def contacts(self) -> Path:
        return self.folder / "contacts.sqlite"

    def serve(self, *cases: Case) -> Child:
        """A server of these flows: the one that runs, where it has them."""
        flows = self.folder / "-".join(case.name for case in cases)
        if self.child is not None and flows == self.flows and not self.child.is_dead:
            return self.child
        if self.child is not None:
            self.child.kill()
        if not flows.exists():
            flows.mkdir()
            (flows / "greet.yaml").write_text(GREET)
            for case in cases:
                (flows / f"{case.name}.yaml").write_text(case.text)
        self.flows = flows
        return self.start()

    def start(self) -> Child:
        """A server that answers; it may die before that, too."""
        while True:
            self.fuse.set(*(self.plan.pop(0) if self.plan else (0, MOMENTS[0])))
            self.child = self.nursery.start(Options(self.folder, self.environ, self.flows))
            if self.child is not None:
                return self.child
            self.note_death()

    def note_death(self) -> None:
        seen = self.look()
        self.deaths.append(seen)
        going_on = [run_id for run_id, row in seen.runs.items() if not _is_settled(seen, row)]
        if seen.runs:
            self.since = min(going_on or seen.runs)[4:15]

    def begin(self) -> None:
        """What came before is over: pictures show only what comes from now on."""
        self.deaths, self.since = [], first_id("", datetime.now(UTC))[1:]
        self._began = self.since

    def order_faults(self, faults: Iterable[Mapping[str, Any]]) -> None:
        """Those that were ordered before are forgotten."""
        self.http.delete(f"{self.sandbox.control_url}/faults").raise_for_status()
        for fault in faults:
            self.http.post(f"{self.sandbox.control_url}/faults", json=fault).raise_for_status()

    def look(self) -> Picture:
        return look(self.database, self.sandbox, self.since)

    def look_at_all(self) -> Picture:
        """Also at what had ended before the last death."""
        return look(self.database, self.sandbox, self._began)

    def go_on(self) -> Child:
        """The server; where it has died, that is written down, and another one is started."""
        assert self.child
        if not self.child.is_dead:
            return self.child
        self.note_death()
        return self.start()

    def tell(self, case: Case) -> list[Told]:
        """The deliveries of a case."""
        lane = f"lane{next(self.lanes)}"
        data = {"lane": lane, "kind": "lead", "agent": self.sandbox.agent_id, "conversation": self.conversation}
        keys = [f"{lane}.{number}" for number in range(case.deliveries)]
        return [Told(case, key, lane, self.body(case.event, {**data, "key": key})) for key in keys]

    def body(self, event: str, data: dict[str, Any]) -> bytes:
        now = datetime.now(UTC).isoformat()
        told = {"event": event, "agent_id": self.sandbox.agent_id, "timestamp": now, "data": data}
        return json.dumps(told, separators=(",", ":")).encode()

    def post(self, body: bytes) -> int | None:
        """The status; None where nobody answered."""
        assert self.child
        headers = {SIGNATURE_HEADER: sign(body, self.sandbox.webhook_secret)}
        with suppress(httpx.TransportError):
            answer = self.http.post(f"{self.child.address}/webhooks/chatforge", content=body, headers=headers)
            # 401: another test's server has its port now.
            return None if answer.status_code == httpx.codes.UNAUTHORIZED else answer.status_code
        return None

    def deliver(self, body: bytes) -> int:
        """Send it again until it is acknowledged."""
        for _ in self.until(PATIENCE):
            if (status := self.post(body)) in ACKNOWLEDGED:
                return status
            assert status in (None, 503), status
        raise AssertionError("the delivery is not acknowledged")

    def until(self, seconds: float) -> Iterator[None]:
        """Moments to try something, with a server that works."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.go_on()
            yield
            time.sleep(0.005)

    def settle(self) -> Picture:
        """Give the runs what they wait for, until each has ended or waits for one that is held."""
        for _ in self.until(PATIENCE):
            seen = self.look()
            if all(_is_settled(seen, row) for row in seen.runs.values()):
                return self.look_at_all()
            for run_id, row in seen.runs.items():
                for step in seen.steps[run_id].values() if row["status"] == "waiting" else ():
                    if step["status"] == "waiting":
                        self.answer_step({**row, **step})
            time.sleep(0.01)
        raise AssertionError([(row["id"], row["flow"], row["status"]) for row in self.look().runs.values()])

    def answer_step(self, row: Row) -> None:
        """Answer the step, or send the event that it waits for; `row` is that of the step and has the run's trigger."""
        if row["action"] == "approve" and row["wake_at"] > _FOREVER:
            self.answer(row["run_id"], row["step"])
        elif row["action"] == "chatforge.event":
            self.post(self.body(REPLY, {"key": key_of(row), "words": f"from {row['step']}"}))

    def answer(self, run_id: str, step: str) -> None:
        """As `chatforge runs approve` does."""

        async def work(store: Store) -> None:
            asked = store.query(approvals.find, self.adapter.catalogue, run_id, step)
            now = datetime.now(UTC)
            await store.write(approvals.answer, asked, Answer(approved=True, by="Cal", at=now, form={"note": "fine"}))

        with suppress(NotAskedError):  # the time is over, or an answer is there
            self.beside(work)

    def resolve(self, seen: Picture) -> None:
        """Say of each step that is held what the sandbox knows of it, as `chatforge runs resolve` does."""
        for run_id, row in seen.runs.items():
            for path in seen.leaves(run_id, "held") if row["status"] == "held" else ():
                done = seen.effects.messages[f"{key_of(row)} {path}"] > 0
                output = {"message": {"id": "unknown", "role": None, "content": None, "created_at": None}}
                person = Person("Cal", datetime.now(UTC), "looked at the chat")
                wanted = Resolution(path, done, person, output if done else None)
                self.beside(lambda store, run_id=run_id, wanted=wanted: self._resolve(store, run_id, wanted))

    async def _resolve(self, store: Store, run_id: str, wanted: Resolution) -> None:
        await store.write(resolutions.resolve, run_id, wanted, self.adapter.catalogue, acts_once(self.adapter))

    def beside(self, work: Callable[[Store], Any]) -> None:
        """Do it as another process beside the server."""
        store = Store(self.database)
        try:
            asyncio.run(work(store))
        finally:
            store.close()


def _is_settled(seen: Picture, row: Row) -> bool:
    if row["status"] in ENDED:
        return True
    before = [one for one in seen.runs.values() if one["lane"] == row["lane"] and one["id"] < row["id"]]
    return row["status"] == "queued" and row["lane"] is not None and any(one["status"] == "held" for one in before)
