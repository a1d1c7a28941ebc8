"""Has the numbers of agents sampled, which ChatForge tells of the current month only.

What is sampled, when that is due and where it is kept is the action's affair: it is called for each agent now and then.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connector.adapter import DEFAULT, Adapter
from connector.errors import (
    ActionError,
    AuthenticationError,
    ConnectorError,
    ForbiddenError,
    NetworkError,
    NotFoundError,
    RateLimitError,
    SettingsError,
)
from connector.settings import Settings

log = logging.getLogger(__name__)

CONNECTOR = "chatforge"
ACTION = "chatforge.analytics_change"
FIRST_AFTER = 10.0
EVERY = 60.0
"""Seconds between two looks, most of which send nothing."""
LIST_EVERY = timedelta(hours=1)
LONGEST_PAUSE = 3600.0
"""Seconds between two tries at most, while requests fail."""

_ALL = "*"
_OF_ACCOUNT = (AuthenticationError, ForbiddenError, RateLimitError, NetworkError, SettingsError)
"""What keeps all requests of an account from being answered, and all samples from being kept."""


@dataclass(frozen=True, slots=True)
class SampledAgent:
    connection: str
    id: str
    name: str


@dataclass(slots=True)
class _Failing:
    kind: str
    sentence: str
    number: int
    again: datetime


class Sampler:
    """Samples the agents of these ChatForge connections, as background work."""

    def __init__(
        self,
        adapter: Adapter,
        connections: Sequence[str],
        clock: Callable[[], datetime],
        *,
        first_after: float = FIRST_AFTER,
        every: float = EVERY,
    ) -> None:
        self.connections = connections
        self._adapter, self._clock = adapter, clock
        self._first_after, self._every = first_after, every
        self._listed: dict[str, tuple[datetime, Sequence[SampledAgent]]] = {}
        self._failing: dict[tuple[str, str], _Failing] = {}
        self._stopping = asyncio.Event()

    @property
    def agents(self) -> Sequence[SampledAgent]:
        """Those that are known."""
        return [agent for name in self.connections if name in self._listed for agent in self._listed[name][1]]

    @property
    def faults(self) -> Sequence[str]:
        """What fails now."""
        return [_say(place, one.sentence) for place, one in self._failing.items()]

    def stop(self) -> None:
        self._stopping.set()

    async def work(self) -> None:
        """Until `stop`. A request that is under way then is dropped: it only reads."""
        stopping, sampling = asyncio.create_task(self._stopping.wait()), asyncio.create_task(self._repeat())
        await asyncio.wait((stopping, sampling), return_when=asyncio.FIRST_COMPLETED)
        for task in (stopping, sampling):
            task.cancel()
        await asyncio.wait((stopping, sampling))

    async def _repeat(self) -> None:
        await asyncio.sleep(self._first_after)
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("analytics are not sampled after a fault of this program; it is tried again")
            await asyncio.sleep(self._every)

    async def look(self) -> None:
        """Have each agent sampled that is due."""
        for name in self.connections:
            for agent in await self._list(name):
                await self._sample(agent)

    async def _list(self, connection: str) -> Sequence[SampledAgent]:
        """The agents of an account; where they cannot be had, those that are known."""
        at, known = self._listed.get(connection, (None, ()))
        now = self._clock()
        if at is not None and timedelta(0) <= now - at < LIST_EVERY:
            return known
        listed = await self._try(connection, ("",), f"{CONNECTOR}.list_agents", {})
        if listed is None:
            return known
        found = [SampledAgent(connection, one["id"], one["name"] or one["id"]) for one in listed["agents"]]
        self._listed[connection] = (now, found)
        for gone in {agent.id for agent in known} - {agent.id for agent in found}:
            self._failing.pop((connection, gone), None)
        return found

    async def _sample(self, agent: SampledAgent) -> None:
        places = (_ALL, agent.id)
        await self._try(agent.connection, places, ACTION, {"agent_id": agent.id, "since": "1h"})

    async def _try(
        self, connection: str, places: Sequence[str], action: str, input: dict[str, Any]
    ) -> dict[str, Any] | None:
        """The output; None where it fails, and while a failure at one of the places rests.

        What fails for a whole account is noted at the first of them, anything else at the last.
        """
        failing = [self._failing[connection, place] for place in places if (connection, place) in self._failing]
        if any(self._clock() < one.again for one in failing):
            return None
        try:
            async with self._adapter.open_call(action, input, connection=connection, purpose="background") as call:
                output = await call.send()
        except ConnectorError as error:
            shared = isinstance(error, _OF_ACCOUNT)
            self._note((connection, places[0 if shared else -1]), error)
            return None
        for place in places:
            if self._failing.pop((connection, place), None) is not None:
                log.info("%s works again", _name((connection, place)))
        return output

    def _note(self, place: tuple[str, str], error: ConnectorError) -> None:
        """Log what fails newly, and rest longer each time."""
        kind = error.kind if isinstance(error, ActionError) else type(error).__name__
        before = self._failing.get(place)
        number = before.number + 1 if before else 0
        longer = min(LONGEST_PAUSE, self._every * 2.0 ** min(number, 20))
        pause = timedelta(seconds=max(getattr(error, "retry_after", None) or 0.0, longer))
        self._failing[place] = _Failing(kind, str(error), number, self._clock() + pause)
        if before is None or before.kind != kind:
            log.warning("%s; it is tried again", _say(place, str(error)))
        if isinstance(error, NotFoundError):
            self._listed.pop(place[0], None)  # the agent may be gone


def _say(place: tuple[str, str], sentence: str) -> str:
    return f"{_name(place)} fails: {sentence}"


def _name(place: tuple[str, str]) -> str:
    connection, agent = place
    if not agent:
        return f"listing the agents of {CONNECTOR}/{connection}"
    return f"sampling {'the agents' if agent == _ALL else f'the agent {agent}'} of {CONNECTOR}/{connection}"


def find_connections(adapter: Adapter, settings: Settings) -> Sequence[str]:
    """The ChatForge connections that have what requests need, `default` among them where it is one."""
    named = {name for name, entry in settings.connections.items() if entry.connector == CONNECTOR}
    return [name for name in sorted({DEFAULT, *named}) if _is_usable(adapter, name)]


def _is_usable(adapter: Adapter, name: str) -> bool:
    if CONNECTOR not in adapter.registry.connections:
        return False
    try:
        adapter.require_connection(CONNECTOR, name)
    except ConnectorError:
        return False
    return True
