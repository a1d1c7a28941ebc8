"""The adapter for hosts without an event loop.

with BlockingAdapter.from_environment() as adapter:
    output = adapter.run("chatforge.list_agents", {})
"""

import asyncio
import os
import threading
from collections.abc import Coroutine, Iterable, Mapping
from concurrent.futures import CancelledError
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

from connector.adapter import DEFAULT, Adapter, Choices, Delivery, Outcome, Schemas, Watching
from connector.declare import Effect, Event
from connector.errors import ConnectorError
from connector.polling import Polled
from connector.profiles import Profile

Result = TypeVar("Result")

_CLOSED = "this adapter is closed, or was made before a fork; make a new one"


class BlockingAdapter:
    """Each method is that of `Adapter`, waits for its end, and may be called from any thread.

    The adapter's event loop runs in a thread of its own, so a host that has a loop can use it too. Close it.
    """

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self._closing = threading.Lock()
        self._closed = False
        self._process = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="connector", daemon=True)
        self._thread.start()

    @classmethod
    def from_environment(cls) -> "BlockingAdapter":
        """With all installed plugins and the settings of the environment, `.env` and connections.yaml here."""
        return cls(Adapter.from_environment())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End what is under way, close the HTTP connections, and end the thread. Closing twice is fine."""
        with self._closing:
            if self._closed or self._process != os.getpid():
                return
            self._closed = True
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self.adapter.aclose()

    def check_connection(self, connector: str, name: str = DEFAULT) -> dict[str, Any]:
        return self.wait(self.adapter.check_connection(connector, name))

    def run(
        self, action: str, input: Mapping[str, Any], *, connection: str = DEFAULT, idempotency_key: str = ""
    ) -> dict[str, Any]:
        return self.wait(self.adapter.run(action, input, connection=connection, idempotency_key=idempotency_key))

    def run_each(
        self, action: str, inputs: Iterable[Mapping[str, Any]], *, connection: str = DEFAULT, idempotency_key: str = ""
    ) -> list[Outcome]:
        return self.wait(self.adapter.run_each(action, inputs, connection=connection, idempotency_key=idempotency_key))

    def options(
        self,
        operation: str,
        name: str,
        input: Mapping[str, Any] | None = None,
        *,
        connection: str = DEFAULT,
        cursor: str | None = None,
    ) -> Choices:
        return self.wait(self.adapter.options(operation, name, input, connection=connection, cursor=cursor))

    def schemas(self, operation: str, profile: Profile = "plain", *, personal: bool = True) -> Schemas:
        return self.adapter.schemas(operation, profile, personal=personal)

    def sample(
        self, operation: str, input: Mapping[str, Any] | None = None, *, connection: str | None = None
    ) -> dict[str, Any]:
        return self.wait(self.adapter.sample(operation, input, connection=connection))

    def effect(self, action: str, input: Mapping[str, Any] | None = None) -> Effect:
        return self.adapter.effect(action, input)

    def poll(
        self,
        trigger: str,
        input: Mapping[str, Any],
        state: Mapping[str, Any] | None = None,
        *,
        connection: str = DEFAULT,
    ) -> Polled:
        return self.wait(self.adapter.poll(trigger, input, state, connection=connection))

    def watch(self, trigger: str, input: Mapping[str, Any]) -> Watching | None:
        return self.adapter.watch(trigger, input)

    def pause(self, trigger: str, input: Mapping[str, Any]) -> float | None:
        return self.adapter.pause(trigger, input)

    def accept_webhook(self, connector: str, connection: str, headers: Mapping[str, str], body: bytes) -> Delivery:
        return self.adapter.accept_webhook(connector, connection, headers, body)

    def select(
        self, trigger: str, input: Mapping[str, Any], event: Event, received_at: datetime
    ) -> dict[str, Any] | None:
        return self.adapter.select(trigger, input, event, received_at)

    def wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do what uses `adapter` in its event loop."""
        with self._closing:
            if self._closed or self._process != os.getpid():  # a fork has no copy of the thread
                work.close()
                raise ConnectorError(_CLOSED)
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except CancelledError:
            raise ConnectorError(_CLOSED) from None
        except BaseException:
            future.cancel()  # does nothing unless the wait itself was interrupted
            raise
