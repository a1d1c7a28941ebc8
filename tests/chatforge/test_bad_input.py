"""What people get wrong, for every action that takes it: one clear sentence, and nothing half done."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connector.adapter import Adapter
from connector.chatforge import plugin
from connector.chatforge.client import ChatForge
from connector.declare import Action
from connector.errors import ActionError, AuthenticationError, InputError, NotFoundError, RejectedError
from connector.sandbox import OTHER_AGENT_ID, Sandbox, SandboxSettings
from connector.sandbox.account import Visitor
from connector.sandbox.faults import Fault
from connector.sandbox.server import running

ACTIONS: dict[str, Action] = {}
plugin.register_actions(lambda action: ACTIONS.__setitem__(action.name, action))
FIELDS = [
    pytest.param(action.name, name, id=f"{action.name}-{name}")
    for action in ACTIONS.values()
    for name in action.input.model_fields
]
REQUIRED = [
    pytest.param(action.name, name, id=f"{action.name}-{name}")
    for action in ACTIONS.values()
    for name, field in action.input.model_fields.items()
    if field.is_required()
]
ABOUT_AN_AGENT = [name for name, action in ACTIONS.items() if "agent_id" in action.input.model_fields]
TEXTS = [
    ("create_agent", "name"),
    ("update_agent", "system_prompt"),
    ("upsert_agent", "knowledge_base"),
    ("inject_message", "content"),
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running(SandboxSettings(rate_limit=100_000, max_limit=3)) as served:
        for number in range(9):
            visitor = Visitor(name="John Smith", email=f"john{number}@example.com")
            served.receive_visitor(served.agent_id, visitor, [], capture_lead=True)
        yield served


@pytest.fixture
def adapter(sandbox: Sandbox, make_adapter: Callable[..., Adapter]) -> Adapter:
    return make_adapter(
        CHATFORGE_BASE_URL=sandbox.url, CHATFORGE_API_KEY=sandbox.api_key, CHATFORGE_RATE_LIMIT="100000"
    )


def run(adapter: Adapter, action: str, input: dict[str, Any]) -> dict[str, Any]:
    async def call() -> dict[str, Any]:
        async with adapter:
            return await adapter.run(f"chatforge.{action}", input)

    return asyncio.run(call())


def fail(adapter: Adapter, action: str, input: dict[str, Any]) -> ActionError:
    with pytest.raises(ActionError) as caught:
        run(adapter, action, input)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 600
    return caught.value


def requests(sandbox: Sandbox) -> int:
    return sum(sandbox.counters.by_status().values())


@pytest.mark.parametrize(("action", "field"), FIELDS)
def test_value_of_a_wrong_type_names_its_field_and_sends_nothing(
    sandbox: Sandbox, adapter: Adapter, action: str, field: str
) -> None:
    before = requests(sandbox)
    error = fail(adapter, action, {**ACTIONS[action].example, field: ["a list"]})
    assert isinstance(error, InputError)
    assert str(error).startswith(f"the input of chatforge.{action} does not fit: {field}: ")
    assert requests(sandbox) == before


@pytest.mark.parametrize(("action", "field"), REQUIRED)
def test_missing_value_names_its_field_and_sends_nothing(
    sandbox: Sandbox, adapter: Adapter, action: str, field: str
) -> None:
    before = requests(sandbox)
    error = fail(adapter, action, {name: value for name, value in ACTIONS[action].example.items() if name != field})
    assert str(error) == f"the input of chatforge.{action} does not fit: {field} is missing"
    assert requests(sandbox) == before


@pytest.mark.parametrize("action", ACTIONS)
def test_field_that_the_action_does_not_know_is_named(adapter: Adapter, action: str) -> None:
    error = fail(adapter, action, {**ACTIONS[action].example, "colour": "#10b981"})
    assert str(error) == f"the input of chatforge.{action} does not fit: colour is not known here"


@pytest.mark.parametrize("agent", ["no-such-agent", OTHER_AGENT_ID, "a\x00\n\x1b[31mb", "%00&action=v1-agents"])
@pytest.mark.parametrize("action", ABOUT_AN_AGENT)
def test_agent_that_the_account_does_not_have_is_not_found(
    sandbox: Sandbox, adapter: Adapter, action: str, agent: str
) -> None:
    before = len(sandbox.effects.entries)
    error = fail(adapter, action, {**ACTIONS[action].example, "agent_id": agent})
    assert isinstance(error, NotFoundError)
    assert "not found" in str(error)
    assert str(error).endswith("; check the ids: what they name must exist in the account of this API key")
    assert len(sandbox.effects.entries) == before


def test_conversation_of_another_agent_is_not_found(sandbox: Sandbox, adapter: Adapter) -> None:
    error = fail(
        adapter, "inject_message", {"agent_id": sandbox.agent_id, "conversation_id": "unknown", "content": "Hi"}
    )
    assert isinstance(error, NotFoundError)
    assert "conversation 'unknown' not found" in str(error)


def test_conversation_that_is_no_longer_active_is_rejected(sandbox: Sandbox, adapter: Adapter) -> None:
    conversation = sandbox.account.conversations_of(sandbox.agent_id)[0]
    conversation.active = False
    given = {"agent_id": sandbox.agent_id, "conversation_id": conversation.id, "content": "Hi"}
    error = fail(adapter, "inject_message", given)
    assert isinstance(error, RejectedError)
    assert "is not active" in str(error)
    assert conversation.messages[-1].content != "Hi"


@pytest.mark.parametrize("action", ABOUT_AN_AGENT)
def test_id_that_no_url_can_carry_is_an_input_error(adapter: Adapter, action: str) -> None:
    error = fail(adapter, action, {**ACTIONS[action].example, "agent_id": "a\ud83d"})
    assert isinstance(error, InputError)
    assert "pass it as ChatForge gave it" in str(error)


@pytest.mark.parametrize("action", ABOUT_AN_AGENT)
def test_huge_id_is_one_sentence(adapter: Adapter, action: str) -> None:
    error = fail(adapter, action, {**ACTIONS[action].example, "agent_id": "a" * 100_000})
    assert isinstance(error, InputError)
    assert "100000 characters" in str(error)


@pytest.mark.parametrize(("action", "field"), TEXTS)
def test_huge_text_with_control_characters_arrives_whole(
    sandbox: Sandbox, adapter: Adapter, action: str, field: str
) -> None:
    text = "\x00\x1b[31m\u202e\u2028\r\n\ud800" + "x" * 1_000_000
    conversation = sandbox.account.conversations_of(sandbox.agent_id)[1]
    ids = {"agent_id": sandbox.agent_id, "conversation_id": conversation.id}
    known = ACTIONS[action].input.model_fields
    run(adapter, action, {**ACTIONS[action].example, **{k: v for k, v in ids.items() if k in known}, field: text})
    assert sandbox.effects.entries[-1].body[field] == text


@pytest.mark.parametrize("blank", ["", " \n\t"])
@pytest.mark.parametrize(("action", "field"), [("create_agent", "name"), ("inject_message", "content")])
def test_blank_text_is_refused_before_it_is_sent(
    sandbox: Sandbox, adapter: Adapter, action: str, field: str, blank: str
) -> None:
    before = requests(sandbox)
    assert "should not be blank" in str(fail(adapter, action, {**ACTIONS[action].example, field: blank}))
    assert requests(sandbox) == before


@pytest.mark.parametrize("action", ["find_conversation", "find_lead"])
def test_key_that_expires_while_pages_are_read_finds_nothing_half(
    sandbox: Sandbox, adapter: Adapter, action: str
) -> None:
    sandbox.faults.add(Fault(status=401, skip=2, body={"error": "Key expired"}))
    given = {"agent_id": sandbox.agent_id, "visitor_email": "john0@example.com"}
    error = fail(adapter, action, given)
    assert isinstance(error, AuthenticationError)
    assert "'Key expired'" in str(error)
    found = run(adapter, action, given)
    assert (found["conversation"] if "conversation" in found else found["lead"]) is not None


def test_key_that_expires_ends_an_iterator_with_the_error(sandbox: Sandbox, adapter: Adapter) -> None:
    sandbox.faults.add(Fault(status=401, skip=2))

    async def collect(seen: list[str]) -> None:
        async with adapter, adapter.open_http("chatforge") as http:
            async for lead in ChatForge(http).each_lead(sandbox.agent_id):
                seen.append(lead.id)  # noqa: PERF401 - what came before the error counts

    seen: list[str] = []
    with pytest.raises(AuthenticationError):
        asyncio.run(collect(seen))
    assert len(seen) == 6
