"""The actions about conversations, leads and messages, against the sandbox; and what all actions declare."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connector.adapter import Adapter
from connector.chatforge.client import ChatForge
from connector.declare import Action
from connector.registry import Registry
from connector.sandbox import Sandbox, SandboxSettings
from connector.sandbox.account import Visitor
from connector.sandbox.server import running


@pytest.fixture(scope="module")
def busy() -> Iterator[Sandbox]:
    """Has five conversations of which four captured a lead, and sends at most three items a page."""
    with running(SandboxSettings(max_limit=3)) as served:
        for number in range(5):
            visitor = Visitor(name=f"Visitor {number}", email=f"visitor{number}@example.com")
            served.receive_visitor(served.agent_id, visitor, ["Hello"], capture_lead=number != 2)
        yield served


@pytest.fixture
def adapter(busy: Sandbox, make_adapter: Callable[..., Adapter]) -> Adapter:
    return make_adapter(CHATFORGE_BASE_URL=busy.url, CHATFORGE_API_KEY=busy.api_key)


def run(adapter: Adapter, action: str, **input: Any) -> dict[str, Any]:
    async def call() -> dict[str, Any]:
        async with adapter:
            return await adapter.run(f"chatforge.{action}", input)

    return asyncio.run(call())


@pytest.mark.parametrize(
    ("action", "key", "limit", "offset", "numbers", "next_offset"),
    [
        pytest.param("list_conversations", "conversations", 2, 0, [4, 3], 2, id="full-page"),
        pytest.param("list_conversations", "conversations", 9, 1, [3, 2, 1], 4, id="server-sends-fewer"),
        pytest.param("list_conversations", "conversations", 9, 4, [0], 5, id="rest"),
        pytest.param("list_conversations", "conversations", 9, 5, [], None, id="end"),
        pytest.param("list_leads", "leads", 9, 0, [4, 3, 1], 3, id="leads"),
        pytest.param("list_leads", "leads", 9, 4, [], None, id="end-of-leads"),
    ],
)
def test_lists_are_paged_by_what_was_received(
    busy: Sandbox,
    adapter: Adapter,
    action: str,
    key: str,
    limit: int,
    offset: int,
    numbers: list[int],
    next_offset: int | None,
) -> None:
    page = run(adapter, action, agent_id=busy.agent_id, limit=limit, offset=offset)
    assert [item["visitor_name"] for item in page[key]] == [f"Visitor {number}" for number in numbers]
    assert page["next_offset"] == next_offset


@pytest.mark.parametrize(("each", "numbers"), [("each_conversation", [4, 3, 2, 1, 0]), ("each_lead", [4, 3, 1, 0])])
def test_iterator_gives_each_item_once(busy: Sandbox, adapter: Adapter, each: str, numbers: list[int]) -> None:
    async def collect() -> list[str]:
        async with adapter, adapter.open_http("chatforge") as http:
            return [item.visitor_name async for item in getattr(ChatForge(http), each)(busy.agent_id)]

    assert asyncio.run(collect()) == [f"Visitor {number}" for number in numbers]


def test_analytics_count_the_conversations_and_leads(busy: Sandbox, adapter: Adapter) -> None:
    analytics = run(adapter, "get_analytics", agent_id=busy.agent_id)
    assert (analytics["conversations"]["total"], analytics["leads"]["total"]) == (5, 4)


def test_visitor_sees_the_injected_message_as_it_was_given(busy: Sandbox, adapter: Adapter) -> None:
    conversation = busy.account.conversations_of(busy.agent_id)[0]
    content = "Hi \ud83d\ude00 \x00 \ud83d, this is Cal."  # a whole emoji, NUL, half an emoji
    run(adapter, "inject_message", agent_id=busy.agent_id, conversation_id=conversation.id, content=content)
    assert conversation.messages[-1].content == "Hi \N{GRINNING FACE} \x00 \ud83d, this is Cal."


EFFECTS = {
    "create_agent": "once",
    "update_agent": "idempotent",
    "upsert_agent": "once",
    "delete_agent": "destructive",
    "inject_message": "once",
}


def test_actions_declare_what_repeating_them_does(built_in: Registry) -> None:
    actions = {name.removeprefix("chatforge."): one for name, one in built_in.actions.items() if "chatforge" in name}
    assert {name: one.effect for name, one in actions.items() if one.effect != "read"} == EFFECTS
    assert [name for name, one in actions.items() if one.purpose == "takeover"] == ["inject_message"]


def chatforge(registry: Registry) -> list[Action]:
    return [action for name, action in registry.actions.items() if name.startswith("chatforge.")]


def test_every_action_and_each_of_its_inputs_is_described(built_in: Registry) -> None:
    for action in chatforge(built_in):
        assert action.description
        properties = action.input.model_json_schema()["properties"] if action.input.model_fields else {}
        assert [name for name, field in properties.items() if "description" not in field] == []
