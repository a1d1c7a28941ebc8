import asyncio
import inspect
import os
import warnings
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
    with pytest.raises(ConnectorError, match="this adapter is closed, or was made before a fork; make a new one"):
        adapter.check_connection("chatforge")


def test_close_ends_what_other_threads_wait_for(make: Make, sandbox: Sandbox) -> None:
    adapter = make()
    wanted = {"agent_id": sandbox.agent_id, "visitor_email": "nobody@example.com", "wait_up_to": "1h"}
    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(adapter.run, "chatforge.find_conversation", wanted) for _ in range(3)]
        adapter.check_connection("chatforge")
        closing = [threads.submit(adapter.close) for _ in range(2)]
        for call in waiting:
            with pytest.raises(ConnectorError):
                call.result(10)
        for close in closing:
            close.result(10)


def test_adapter_of_before_a_fork_says_so(make: Make) -> None:
    with make() as adapter:
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # what this test is about
            child = os.fork()
        if child == 0:
            try:
                adapter.run("chatforge.list_agents", {})
            except ConnectorError:
                adapter.close()
                os._exit(7)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_what_hosts_build_on_is_there_without_a_loop(make: Make, sandbox: Sandbox) -> None:
    with make() as adapter:
        [one] = adapter.run_each("chatforge.get_agent", [{"agent_id": sandbox.agent_id}])
        [choice] = adapter.options("chatforge.new_lead", "agent_id").choices
        sample = adapter.sample("chatforge.get_agent", {"agent_id": choice.value}, connection="default")
    assert one.output == sample


def test_what_a_host_asks_about_an_operation_is_that_of_the_adapter(make: Make) -> None:
    with make() as blocking:
        adapter = blocking.adapter
        asked = {"every": "5m"}
        assert blocking.effect("http.request", {"url": "/"}) == adapter.effect("http.request", {"url": "/"}) == "read"
        assert blocking.effect("http.request") == adapter.effect("http.request") == "once"
        shown = blocking.schemas("chatforge.list_leads", "mcp", personal=False)
        assert shown == adapter.schemas("chatforge.list_leads", "mcp", personal=False)
        assert blocking.watch("chatforge.new_lead", asked) == adapter.watch("chatforge.new_lead", asked) is not None
        changes = "chatforge.conversation_updated"
        assert blocking.pause(changes, asked) == adapter.pause(changes, asked)


@pytest.mark.parametrize(
    "name", ["run", "run_each", "options", "sample", "poll", "select", "schemas", "effect", "pause"]
)
def test_method_takes_what_that_of_the_adapter_takes(name: str) -> None:
    assert inspect.signature(getattr(BlockingAdapter, name)) == inspect.signature(getattr(Adapter, name))
