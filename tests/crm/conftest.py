"""A real Tryton, and the plugin's actions against it."""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from crm.tryton_server import DATABASE, Tryton, running

from connector.adapter import Adapter
from connector.declare import Keeping


@pytest.fixture(scope="session")
def tryton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tryton]:
    """One server for all tests: each has people of its own."""
    with running(tmp_path_factory.mktemp("tryton")) as served:
        yield served


_NUMBERS = itertools.count(1000)


@pytest.fixture
def person() -> str:
    """An e-mail that no other test uses."""
    return f"John.{next(_NUMBERS)}@Example.com"


Do = Callable[..., Any]


@pytest.fixture
def do(tryton: Tryton, tmp_path: Path, make_adapter: Callable[..., Adapter]) -> Do:
    """do(action, input, …) → its output, or the outputs of all inputs of a list, which are sent at the same time."""

    def run(
        name: str, given: Any, key: str = "", *, keeping: Keeping | None = None, secret: str = "", **connection: Any
    ) -> Any:
        values = {"connector": "tryton", "address": tryton.url, "database": DATABASE, "key": {"env": "TRYTON_KEY"}}
        (tmp_path / "connections.yaml").write_text(yaml.safe_dump({"crm": values | connection}))

        async def call(adapter: Adapter, input: Mapping[str, Any]) -> dict[str, Any]:
            opened = adapter.open_call(f"tryton.{name}", input, connection="crm", idempotency_key=key, keeping=keeping)
            async with opened as made:
                return await made.send()

        async def work() -> Any:
            async with make_adapter(TRYTON_KEY=secret or tryton.key) as adapter:
                if isinstance(given, list):
                    return await asyncio.gather(*(call(adapter, one) for one in given))
                return await call(adapter, given)

        return asyncio.run(work())

    return run
