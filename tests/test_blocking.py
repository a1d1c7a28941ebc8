import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from connector.adapter import Adapter
from connector.blocking import BlockingAdapter
from connector.errors import ConnectorError, NotFoundError
from connector.sandbox import Sandbox

Make = Callable[[], BlockingAdapter]


@pytest.fixture
def make(sandbox: Sandbox, make_adapter: Callable[..., Adapter]) -> Make:
    return lambda: BlockingAdapter(make_adapter(CHATFORGE_BASE_URL=sandbox.url, CHATFORGE_API_KEY=sandbox.api_key))


def test_host_with_a_loop_of_its_own_can_wait_in_it(make: Make, sandbox: Sandbox) -> None:
    async def host() -> str:
        with make() as adapter:
            return str(adapter.run("chatforge.list_agents", {})["agents"][0]["id"])

    assert asyncio.run(host()) == sandbox.agent_id


def test_threads_share_the_adapter(make: Make) -> None:
    with make() as adapter, ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: adapter.run("chatforge.list_agents", {}), range(16)))
    assert len(results) == 16


def test_error_of_an_action_arrives_as_it_is(make: Make) -> None:
    with make() as adapter, pytest.raises(NotFoundError):
        adapter.run("chatforge.get_agent", {"agent_id": "unknown"})


def test_closed_adapter_says_so(make: Make) -> None:
    with make() as adapter:
        pass
    adapter.close()
    with pytest.raises(ConnectorError, match="this adapter is closed; make a new one"):
        adapter.check_connection("chatforge")
