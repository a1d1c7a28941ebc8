"""What the adapter offers to hosts in which a person puts a call together: choices, samples, many inputs at once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel

from connector import choices
from connector.adapter import Adapter, Outcome
from connector.choices import Choice
from connector.declare import Action, ActionContext
from connector.errors import AuthenticationError, ForbiddenError, InputError, NotFoundError, UnknownOperationError
from connector.registry import Registry
from connector.sandbox import Sandbox
from connector.sandbox.records import Visitor
from connector.sandbox.server import running


@pytest.fixture
def sandbox():
    with running() as served:
        yield served


@pytest.fixture
def do(make_adapter, sandbox) -> Callable[..., Any]:
    """do(lambda adapter: …) → what it gives, with the sandbox's key unless another one is given."""

    def run(work: Callable[[Adapter], Awaitable[Any]], key: str | None = None) -> Any:
        async def worked() -> Any:
            settings = {"CHATFORGE_BASE_URL": sandbox.url, "CHATFORGE_API_KEY": key or sandbox.api_key}
            async with make_adapter(**settings) as adapter:
                return await work(adapter)

        return asyncio.run(worked())

    return run


def visit(sandbox: Sandbox, **visitor: str | None) -> str:
    return sandbox.receive_visitor(sandbox.agent_id, Visitor(**visitor), ["Hello"], webhook=False)[0]


def test_agents_are_offered_by_their_names(do, sandbox):
    for operation in ("chatforge.inject_message", "chatforge.new_lead"):
        found = do(lambda adapter, operation=operation: adapter.options(operation, "agent_id"))
        [agent] = do(lambda adapter: adapter.run("chatforge.list_agents", {}))["agents"]
        assert found == choices.Choices((Choice(sandbox.agent_id, agent["name"]),), None)


def test_conversations_are_those_of_the_chosen_agent_page_by_page(do, sandbox):
    ids = {visit(sandbox, name=name) for name in (None, "Ann 1", "Ann 2")}

    async def look(adapter: Adapter) -> list[Choice]:
        given, found, cursor = {"agent_id": sandbox.agent_id}, [], None
        while True:
            page = await adapter.options("chatforge.inject_message", "conversation_id", given, cursor=cursor)
            found += page.choices
            if (cursor := page.cursor) is None:
                return found

    found = do(look)
    assert {one.value for one in found} == ids
    assert {one.label for one in found if one.value not in one.label} == {"Ann 1", "Ann 2"}


@pytest.mark.parametrize(
    ("name", "input", "cursor", "error", "words"),
    [
        ("conversation_id", {}, None, InputError, "choose agent_id first"),
        ("conversation_id", {"agent_id": "a"}, "x", InputError, "the cursor is 'x'"),
        ("content", {}, None, UnknownOperationError, "nothing lists the values of 'content'"),
        ("nothing", {}, None, UnknownOperationError, "nothing lists the values of 'nothing'"),
    ],
)
def test_choices_that_cannot_be_had_say_why(do, name, input, cursor, error, words):
    with pytest.raises(error, match=words):
        do(lambda adapter: adapter.options("chatforge.inject_message", name, input, cursor=cursor))


def test_what_fails_for_one_input_does_not_keep_the_others(do, sandbox):
    inputs = [{"agent_id": one} for one in (sandbox.agent_id, "gone", "", sandbox.agent_id)]
    found = do(lambda adapter: adapter.run_each("chatforge.get_agent", inputs))
    assert [type(one.error) for one in found] == [type(None), NotFoundError, InputError, type(None)]
    assert found[0] == found[3] == Outcome(found[0].output)
    assert found[0].output["agent"]["id"] == sandbox.agent_id


def test_place_that_may_not_be_used_does_not_keep_the_others(make_adapter):
    class Place(BaseModel):
        place: str

    async def go(input: Place, context: ActionContext[Any]) -> Place:
        if input.place == "private":
            raise ForbiddenError("no member")
        return Place(place=f"{input.place} by {context.idempotency_key}")

    registry = Registry({"test.go": Action("test.go", "", "", "once", "action", Place, Place, {}, go)}, {}, {})

    async def work() -> list[Outcome]:
        async with make_adapter(registry) as adapter:
            return await adapter.run_each("test.go", [{"place": "private"}, {"place": "open"}], idempotency_key="k")

    refused, done = asyncio.run(work())
    assert isinstance(refused.error, ForbiddenError)
    assert done.output == {"place": "open by k:1"}


def test_key_that_is_not_accepted_is_tried_once(do, sandbox):
    found = do(lambda adapter: adapter.run_each("chatforge.list_agents", [{}] * 3), key="wrong")
    assert [type(one.error) for one in found] == [AuthenticationError] * 3
    assert sandbox.counters.by_action() == {"v1-agents": {"401": 1}}


def test_samples_fit_whether_live_or_not(do, make_adapter, sandbox):
    def sample(connection: str | None, operation: str, input: dict[str, Any]) -> dict[str, Any]:
        found = do(lambda adapter: adapter.sample(operation, input, connection=connection))
        jsonschema.validate(found, make_adapter().schemas(operation).output)
        return found

    assert sample(None, "chatforge.new_lead", {})["visitor_name"] == "John Smith"
    assert sample("default", "chatforge.new_lead", {})["visitor_name"] == "John Smith"  # there is no lead yet
    assert sample("default", "chatforge.new_lead", {"agent_id": sandbox.agent_id})["visitor_name"] == "John Smith"
    before = datetime(2020, 1, 1, tzinfo=UTC)
    sandbox.receive_visitor(sandbox.agent_id, Visitor(email="ann@example.com"), [], webhook=False, created_at=before)
    assert sample("default", "chatforge.new_lead", {})["visitor_email"] == "ann@example.com"
    assert sample("default", "chatforge.get_agent", {"agent_id": sandbox.agent_id})["agent"]["id"] == sandbox.agent_id
    made = sample("default", "chatforge.create_agent", {"name": "x"})
    assert len(do(lambda adapter: adapter.run("chatforge.list_agents", {}))["agents"]) == 1, made
