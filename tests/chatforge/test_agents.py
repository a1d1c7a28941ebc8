"""The actions about agents, against the sandbox."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from connector.adapter import Adapter
from connector.errors import ActionError, NotFoundError, RateLimitError, RejectedError
from connector.sandbox import Sandbox
from connector.sandbox.faults import Fault

Ask = Callable[..., Any]


@pytest.fixture
def ask(sandbox: Sandbox, make_adapter: Callable[..., Adapter]) -> Ask:
    """ask("get_agent", agent_id=…) → the output. Several actions in one call share an adapter: ask.each([…])."""

    def run(action: str, **input: Any) -> dict[str, Any]:
        async def call() -> dict[str, Any]:
            async with make_adapter(CHATFORGE_BASE_URL=sandbox.url, CHATFORGE_API_KEY=sandbox.api_key) as adapter:
                return await adapter.run(f"chatforge.{action}", input)

        return asyncio.run(call())

    return run


def last_body(sandbox: Sandbox) -> Any:
    return sandbox.effects.entries[-1].body


def test_agent_is_created_with_what_was_given_only(sandbox: Sandbox, ask: Ask) -> None:
    created = ask("create_agent", name="Sales Agent", welcome_message=None, primary_color="#10b981")["agent"]
    assert (created["name"], created["active"]) == ("Sales Agent", True)
    assert last_body(sandbox) == {"name": "Sales Agent", "primary_color": "#10b981"}


def test_update_never_sends_null(sandbox: Sandbox, ask: Ask) -> None:
    agent = ask("create_agent", name="Sales Agent", system_prompt="Be kind.")["agent"]["id"]
    updated = ask("update_agent", agent_id=agent, system_prompt=None, knowledge_base="", active=False)["agent"]
    assert last_body(sandbox) == {"knowledge_base": "", "active": False}
    assert (updated["system_prompt"], updated["active"]) == ("Be kind.", False)
    assert ask("get_agent", agent_id=agent)["agent"] == updated


@pytest.mark.parametrize("nothing", [{}, {"system_prompt": None, "name": None}])
def test_update_without_a_change_sends_nothing(sandbox: Sandbox, ask: Ask, nothing: dict[str, None]) -> None:
    before = len(sandbox.effects.entries)
    with pytest.raises(ActionError, match="there is nothing to change; give at least one field"):
        ask("update_agent", agent_id=sandbox.agent_id, **nothing)
    assert len(sandbox.effects.entries) == before


def test_upsert_creates_then_updates_the_agent_of_the_name(ask: Ask) -> None:
    first = ask("upsert_agent", name="Night Agent", system_prompt="Be brief.", active=False)
    second = ask("upsert_agent", name="Night Agent", welcome_message="Good evening.")
    assert (first["created"], second["created"]) == (True, False)
    assert first["agent"]["active"] is False
    assert second["agent"]["id"] == first["agent"]["id"]
    assert (second["agent"]["system_prompt"], second["agent"]["welcome_message"]) == ("Be brief.", "Good evening.")


def test_upserts_of_one_name_at_the_same_time_make_one_agent(
    sandbox: Sandbox, make_adapter: Callable[..., Adapter]
) -> None:
    async def call() -> list[dict[str, Any]]:
        async with make_adapter(CHATFORGE_BASE_URL=sandbox.url, CHATFORGE_API_KEY=sandbox.api_key) as adapter:
            calls = (adapter.run("chatforge.upsert_agent", {"name": "One of many"}) for _ in range(5))
            return await asyncio.gather(*calls)

    outputs = asyncio.run(call())
    assert len({output["agent"]["id"] for output in outputs}) == 1
    assert [output["created"] for output in outputs].count(True) == 1


def test_upserts_that_wait_for_each_other_hold_no_place_in_the_budget(
    sandbox: Sandbox, make_adapter: Callable[..., Adapter]
) -> None:
    environ = {"CHATFORGE_BASE_URL": sandbox.url, "CHATFORGE_API_KEY": sandbox.api_key, "CHATFORGE_RATE_LIMIT": "2"}

    async def call() -> bool:
        async with make_adapter(**environ) as adapter:
            calls = [asyncio.create_task(adapter.run("chatforge.upsert_agent", {"name": "Patient"})) for _ in range(2)]
            done, waiting = await asyncio.wait(calls, timeout=20, return_when=asyncio.FIRST_COMPLETED)
            for one in waiting:
                one.cancel()
            return [one.result()["created"] for one in done] == [True]

    assert asyncio.run(call())


def test_upsert_that_fails_after_it_has_created_does_not_say_that_nothing_was_done(sandbox: Sandbox, ask: Ask) -> None:
    sandbox.faults.add(Fault(status=429, method="PUT"))
    with pytest.raises(RateLimitError) as caught:
        ask("upsert_agent", name="Half Agent", active=False)
    assert caught.value.processed == "unknown"


def test_upsert_of_a_name_that_two_agents_have_changes_neither(sandbox: Sandbox, ask: Ask) -> None:
    ids = [ask("create_agent", name="Twin")["agent"]["id"] for _ in range(2)]
    before = len(sandbox.effects.entries)
    with pytest.raises(RejectedError, match="2 agents are called 'Twin'") as caught:
        ask("upsert_agent", name="Twin", active=False)
    assert all(agent in str(caught.value) for agent in ids)
    assert len(sandbox.effects.entries) == before


def test_deleted_agent_is_gone(ask: Ask) -> None:
    agent = ask("create_agent", name="Short Agent")["agent"]["id"]
    assert ask("delete_agent", agent_id=agent) == {"deleted": True}
    with pytest.raises(NotFoundError):
        ask("get_agent", agent_id=agent)
    assert agent not in [one["id"] for one in ask("list_agents")["agents"]]
