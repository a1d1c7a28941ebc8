"""The actions against a loopback server with one agent's conversations."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connector.chatforge import actions
from connector.chatforge.actions import find_conversation, inject_message, list_agents, list_conversations
from connector.declare import Action, ActionContext
from connector.errors import InputError, NotFoundError
from connector.transport import HttpOptions, open_client, open_transport

START = datetime(2026, 3, 25, 14, 0, tzinfo=UTC)


def conversation(number: int, **fields: Any) -> dict[str, Any]:
    """A captured conversation that began `number` minutes after START."""
    return {
        "id": f"c{number}",
        "visitor_email": f"visitor{number}@example.com",
        "visitor_name": "John Smith",
        "lead_captured": True,
        "page_url": "https://example.com/services",
        "created_at": (START + timedelta(minutes=number)).isoformat(),
    } | fields


class Account:
    """Serves `conversations` in their order; `most` is the server's own limit."""

    def __init__(self, conversations: list[dict[str, Any]], most: int = 50, ignores_offset: bool = False) -> None:
        self.conversations, self.most, self.ignores_offset = conversations, most, ignores_offset
        self.asked: list[dict[str, str]] = []
        self.appear_after: tuple[int, list[dict[str, Any]]] | None = None

    def answer(self, method: str, query: dict[str, str], body: bytes) -> tuple[int, Any]:
        self.asked.append(query)
        if query.get("agent_id", "abc123") != "abc123":
            return 404, {"error": "Agent not found"}
        if method == "POST":
            return 200, {"message": {"id": "m1", "role": "assistant"} | json.loads(body)}
        if query["action"] == "v1-agents":
            return 200, {"agents": [{"id": "abc123", "name": "Support Agent"}]}
        if self.appear_after and len(self.asked) > self.appear_after[0]:
            self.conversations = self.appear_after[1]
        offset = 0 if self.ignores_offset else int(query["offset"])
        return 200, {"conversations": self.conversations[offset : offset + min(self.most, int(query["limit"]))]}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.decode().split(" ", 2)
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        status, answer = self.answer(method, query, await reader.readexactly(int(length or b"0")))
        body = json.dumps(answer).encode()
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()


def run(account: Account, action: Action, **input: Any) -> Any:
    async def execute() -> Any:
        async with await asyncio.start_server(account.serve, "127.0.0.1", 0) as server:
            options = HttpOptions(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/dashboard.js")
            transport = open_transport(options)
            try:
                async with open_client(options, transport) as http:
                    context = ActionContext(None, http, "key", START, logging.getLogger(__name__))
                    return await action.run(action.input.model_validate(input), context)
            finally:
                await transport.aclose()

    return asyncio.run(execute())


def find(account: Account, **input: Any) -> Any:
    return run(account, find_conversation, agent_id="abc123", **input)


def test_agents_are_listed() -> None:
    assert [agent.id for agent in run(Account([]), list_agents).agents] == ["abc123"]


@pytest.mark.parametrize(
    ("limit", "offset", "ids", "next_offset"),
    [
        pytest.param(2, 0, ["c0", "c1"], 2, id="full-page"),
        pytest.param(9, 1, ["c1", "c2", "c3"], 4, id="server-sends-fewer"),
        pytest.param(9, 4, ["c4"], 5, id="rest"),
        pytest.param(9, 5, [], None, id="end"),
    ],
)
def test_conversations_are_paged_by_what_was_received(
    limit: int, offset: int, ids: list[str], next_offset: int | None
) -> None:
    account = Account([conversation(number) for number in range(5)], most=3)
    page = run(account, list_conversations, agent_id="abc123", limit=limit, offset=offset)
    assert [item.id for item in page.conversations] == ids
    assert page.next_offset == next_offset


def test_message_is_injected() -> None:
    output = run(Account([]), inject_message, agent_id="abc123", conversation_id="c1", content="Hi \ud83d")
    assert (output.message.content, output.message.model_extra) == ("Hi \ud83d", {"conversation_id": "c1"})


def test_unknown_agent_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="'Agent not found'"):
        run(Account([]), list_conversations, agent_id="other")


WANTED = {
    "visitor_email": "john@example.com",
    "visitor_name": "John Smith",
    "page_url": "https://example.com/services",
    "captured_at": (START + timedelta(minutes=10)).isoformat(),
}


@pytest.mark.parametrize(
    ("fields", "wanted", "matches"),
    [
        pytest.param({}, WANTED, True, id="everything-fits"),
        pytest.param({"visitor_email": " JOHN@Example.com"}, WANTED, True, id="email-in-upper-case"),
        pytest.param({"visitor_email": "johnß@example.com"}, {"visitor_email": "JOHNSS@example.com "}, True, id="fold"),
        pytest.param({"visitor_email": "ann@example.com"}, WANTED, False, id="other-email"),
        pytest.param({"visitor_email": None}, WANTED, False, id="no-email"),
        pytest.param({"visitor_name": "john smith"}, WANTED, False, id="other-name"),
        pytest.param({"page_url": "https://example.com/"}, WANTED, False, id="other-page"),
        pytest.param({"lead_captured": False}, WANTED, False, id="no-lead"),
        pytest.param({"lead_captured": None}, WANTED, False, id="lead-unknown"),
        pytest.param({"created_at": "2026-03-25T14:11:00Z"}, WANTED, True, id="60-s-after-capture"),
        pytest.param({"created_at": "2026-03-25T14:11:00.001Z"}, WANTED, False, id="later"),
        pytest.param({"created_at": None}, WANTED, False, id="time-unknown"),
        pytest.param({"created_at": None}, {"visitor_email": "john@example.com"}, True, id="time-not-wanted"),
        pytest.param({"visitor_email": None}, WANTED | {"visitor_email": None}, True, id="without-email"),
        pytest.param(
            {"visitor_name": "Ann"}, WANTED | {"visitor_name": " ", "page_url": ""}, True, id="blank-is-not-given"
        ),
    ],
)
def test_conversation_matches_when_everything_given_matches(
    fields: dict[str, Any], wanted: dict[str, Any], matches: bool
) -> None:
    found = find(Account([conversation(5, **{"visitor_email": "john@example.com"} | fields)]), **wanted)
    assert (found.conversation is not None, found.candidates, found.complete) == (matches, int(matches), True)


@pytest.mark.parametrize("missing", ["visitor_name", "page_url", "captured_at"])
@pytest.mark.parametrize("email", [None, " "])
def test_without_email_name_page_and_time_are_required(missing: str, email: str | None) -> None:
    account = Account([])
    with pytest.raises(InputError, match="give the e-mail or all three"):
        find(account, **WANTED | {"visitor_email": email, missing: None})
    assert account.asked == []


def of_john(*numbers: int) -> Callable[[int], dict[str, Any]]:
    return lambda number: conversation(number, **({"visitor_email": "john@example.com"} if number in numbers else {}))


def shuffled(numbers: range) -> list[int]:
    return sorted(numbers, key=lambda number: number * 37 % 101)


@pytest.mark.parametrize(
    ("order", "john", "max_pages", "result", "pages"),
    [
        pytest.param(range(99, -1, -1), (90, 20), 9, ("c90", 1, True), 1, id="newest-first-stops-early"),
        pytest.param(range(99, -1, -1), (50, 20), 9, ("c50", 2, True), 2, id="newest-first-match-at-page-end"),
        pytest.param(range(99, -1, -1), (20,), 1, (None, 0, False), 1, id="newest-first-not-reached"),
        pytest.param(range(100), (90, 20), 9, ("c90", 2, True), 3, id="oldest-first-to-the-end"),
        pytest.param(range(100), (90, 20), 1, ("c20", 1, False), 1, id="oldest-first-not-reached"),
        pytest.param(range(100), (90, 20), 2, ("c90", 2, False), 2, id="end-not-seen"),
        pytest.param(shuffled(range(100)), (90, 20), 9, ("c90", 2, True), 3, id="arbitrary"),
        pytest.param(range(5, -1, -1), (5, 3), 9, ("c5", 2, True), 2, id="too-few-to-know-the-order"),
        pytest.param([7] * 60, (7,), 9, ("c7", 1, False), 2, id="nothing-new"),
        pytest.param([], (), 9, (None, 0, True), 1, id="none"),
    ],
)
def test_pages_are_walked_until_the_newest_match_is_certain(
    order: range | list[int],
    john: tuple[int, ...],
    max_pages: int,
    result: tuple[str | None, int, bool],
    pages: int,
) -> None:
    account = Account(list(map(of_john(*john), order)))
    found = find(account, visitor_email="john@example.com", max_pages=max_pages)
    assert (found.conversation and found.conversation.id, found.candidates, found.complete) == result
    assert len(account.asked) == pages


def test_newest_first_with_one_unknown_time_is_walked_to_the_end() -> None:
    listed = list(map(of_john(19), range(19, -1, -1)))
    listed[10]["created_at"] = None
    account = Account(listed)
    assert find(account, visitor_email="john@example.com").complete
    assert len(account.asked) == 2


def test_server_that_ignores_the_offset_is_asked_twice() -> None:
    account = Account(list(map(of_john(), range(80))), ignores_offset=True)
    assert not find(account, visitor_email="john@example.com", max_pages=9).complete
    assert [query["offset"] for query in account.asked] == ["0", "50"]


def test_offset_grows_by_what_was_received() -> None:
    account = Account(list(map(of_john(), range(45))), most=20)
    assert find(account, visitor_email="john@example.com", max_pages=9).complete
    assert [query["offset"] for query in account.asked] == ["0", "20", "40", "45"]


def test_conversation_that_appears_later_is_waited_for() -> None:
    account = Account([])
    account.appear_after = (1, [of_john(5)(5)])
    found = find(account, visitor_email="john@example.com", wait_up_to="50ms")
    assert found.conversation.id == "c5"


def test_conversation_that_is_there_is_not_waited_for() -> None:
    account = Account([of_john(5)(5)])
    assert find(account, visitor_email="john@example.com", wait_up_to="50ms").candidates == 1
    assert len(account.asked) == 2  # the page and the end


def test_waiting_ends_without_a_conversation() -> None:
    account = Account([])
    assert find(account, visitor_email="john@example.com", wait_up_to="50ms").conversation is None
    assert len(account.asked) == 2


@pytest.mark.parametrize(
    ("action", "effect", "purpose"),
    [
        (list_agents, "read", "action"),
        (list_conversations, "read", "action"),
        (find_conversation, "read", "action"),
        (inject_message, "once", "takeover"),
    ],
    ids=lambda value: value.name if isinstance(value, Action) else value,
)
def test_action_declares_what_repeating_it_does(action: Action, effect: str, purpose: str) -> None:
    assert (action.effect, action.purpose) == (effect, purpose)


@pytest.mark.parametrize(
    "action", [value for value in vars(actions).values() if isinstance(value, Action)], ids=lambda action: action.name
)
def test_example_of_every_action_is_a_valid_input(action: Action) -> None:
    action.input.model_validate(dict(action.example))
