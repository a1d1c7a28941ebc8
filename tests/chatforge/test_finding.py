"""Finding a conversation or a lead, against a loopback server with the lists of one agent."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError

from connector.chatforge.actions import find_conversation, find_lead
from connector.chatforge.index import Index, Listing
from connector.chatforge.models import Conversation
from connector.declare import Action, ActionContext
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
        self.total: int | None = len(conversations)
        self.conversations, self.most, self.ignores_offset = conversations, most, ignores_offset
        self.asked: list[dict[str, str]] = []
        self.appear_after: tuple[int, list[dict[str, Any]]] | None = None

    def answer(self, query: dict[str, str]) -> tuple[int, Any]:
        self.asked.append(query)
        if query["action"] == "v1-analytics":
            return 200, {
                "conversations": None if self.total is None else {"total": self.total},
                "leads": {"total": self.total},
            }
        if self.appear_after and len(self.asked) > self.appear_after[0]:
            self.conversations = self.appear_after[1]
        offset = 0 if self.ignores_offset else int(query["offset"])
        key = query["action"].removeprefix("v1-")
        return 200, {key: self.conversations[offset : offset + min(self.most, int(query["limit"]))]}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        _, target, _ = head.decode().split(" ", 2)
        query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        status, answer = self.answer(query)
        body = json.dumps(answer).encode()
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()


def run(account: Account, action: Action, index: Index | None = None, **input: Any) -> Any:
    async def execute() -> Any:
        async with await asyncio.start_server(account.serve, "127.0.0.1", 0) as server:
            options = HttpOptions(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/dashboard.js")
            transport = open_transport(options)
            try:
                async with open_client(options, transport) as http:
                    context = ActionContext(None, http, "key", START, logging.getLogger(__name__), index)
                    return await action.run(action.input.model_validate(input), context)
            finally:
                await transport.aclose()

    return asyncio.run(execute())


def find(account: Account, index: Index | None = None, **input: Any) -> Any:
    return run(account, find_conversation, index, agent_id="abc123", **input)


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
    with pytest.raises(ValidationError, match="give the e-mail or all three"):
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
        pytest.param(range(100), (90, 20), 9, ("c90", 2, True), 4, id="oldest-first-to-the-end"),
        pytest.param(range(100), (90, 20), 1, ("c20", 1, False), 1, id="oldest-first-not-reached"),
        pytest.param(range(100), (90, 20), 2, ("c90", 2, False), 3, id="end-not-seen"),
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
    assert [query.get("offset") for query in account.asked] == ["0", None, "50"]


def test_offset_grows_by_what_was_received() -> None:
    account = Account(list(map(of_john(), range(45))), most=20)
    assert find(account, visitor_email="john@example.com", max_pages=9).complete
    assert [query.get("offset") for query in account.asked] == ["0", None, "20", "40", "45"]


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


def test_order_is_learned_so_that_the_next_search_begins_at_the_end() -> None:
    account, index = Account(list(map(of_john(95), range(300)))), Index()
    find(account, index, visitor_email="john@example.com", max_pages=1)
    account.asked.clear()
    found = find(account, index, visitor_email="visitor280@example.com")
    assert (found.conversation.id, found.complete) == ("c280", True)
    assert [query.get("offset") for query in account.asked] == [None, "260", "300"]


@pytest.mark.parametrize("total", [-5, 0, 1, 100, 185, 299, 300, 301, 1000])
def test_total_that_is_wrong_hides_nothing(total: int) -> None:
    account, index = Account(list(map(of_john(20, 299), range(300)))), Index()
    account.total = total
    for _ in range(2):  # the second search knows the order
        found = find(account, index, visitor_email="john@example.com", max_pages=9)
        assert (found.conversation.id, found.complete) == ("c299", True)


def test_learned_order_that_no_longer_holds_is_given_up() -> None:
    account, index = Account(list(map(of_john(), range(100)))), Index()
    find(account, index, visitor_email="john@example.com", max_pages=1)
    account.conversations = list(map(of_john(95), range(99, -1, -1)))
    found = find(account, index, visitor_email="john@example.com")
    assert (found.conversation.id, found.complete) == ("c95", True)
    account.asked.clear()
    find(account, index, visitor_email="john@example.com")
    assert [query.get("offset") for query in account.asked] == ["0"]


def test_oldest_first_list_without_a_count_is_walked() -> None:
    account, index = Account(list(map(of_john(95), range(100)))), Index()
    account.total = None
    for _ in range(2):
        account.asked.clear()
        found = find(account, index, visitor_email="john@example.com", max_pages=9)
        assert (found.conversation.id, found.complete) == ("c95", True)
        assert [query["action"] for query in account.asked].count("v1-analytics") == 1


def test_equal_times_show_no_order() -> None:
    listed = [conversation(0, id=f"c{number}") for number in range(60)]
    listed[59]["visitor_email"] = "john@example.com"
    found = find(Account(listed), visitor_email="john@example.com")
    assert (found.conversation.id, found.complete) == ("c59", True)


def test_index_forgets_what_was_seen_first() -> None:
    listing: Listing[Conversation] = Listing()
    for number in range(5_001):
        listing.remember({str(number): Conversation(id=str(number))}, whole=False)
    assert (len(listing.items), "0" in listing.items, "5000" in listing.items) == (5_000, False, True)


def test_what_an_earlier_search_has_seen_is_found_beyond_the_pages_of_this_one() -> None:
    account, index = Account(list(map(of_john(20), range(99, -1, -1)))), Index()
    assert find(account, index, visitor_email="visitor1@example.com").conversation.id == "c1"
    found = find(account, index, visitor_email="john@example.com", max_pages=1)
    assert (found.conversation.id, found.complete) == ("c20", False)


def test_conversation_that_is_gone_is_forgotten() -> None:
    account, index = Account(list(map(of_john(3), range(5)))), Index()
    assert find(account, index, visitor_email="john@example.com").conversation
    account.conversations = account.conversations[:3]
    assert find(account, index, visitor_email="john@example.com").conversation is None


def lead(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"l{number}",
        "visitor_name": "John Smith",
        "visitor_email": f"visitor{number}@example.com",
        "visitor_phone": f"480-555-{number}",
        "source_page_url": "https://example.com/services",
        "created_at": (START + timedelta(minutes=number)).isoformat(),
    } | fields


NAMED = {"visitor_name": "John Smith", "page_url": "https://example.com/services"}


@pytest.mark.parametrize(
    ("wanted", "result", "pages"),
    [
        pytest.param({"lead_id": "l90"}, ("l90", True), 1, id="id-is-decisive"),
        pytest.param({"lead_id": "l99"}, ("l99", True), 1, id="id-at-the-head"),
        pytest.param({"lead_id": "no"}, (None, True), 3, id="no-such-id"),
        pytest.param({"visitor_email": "VISITOR60@example.com"}, ("l60", True), 1, id="email"),
        pytest.param({"visitor_phone": "480-555-70"}, ("l70", True), 1, id="phone"),
        pytest.param({"visitor_phone": "480-555-70", "lead_id": "l71"}, (None, True), 3, id="both-must-match"),
        pytest.param(NAMED | {"captured_at": "2026-03-25T15:00:00Z"}, ("l70", True), 1, id="within-10-minutes"),
        pytest.param(NAMED | {"captured_at": "2026-03-25T15:49:00Z"}, ("l99", True), 1, id="10-minutes-before"),
        pytest.param(
            NAMED | {"captured_at": "2026-03-25T15:49:00.001Z"}, (None, True), 3, id="more-than-10-minutes-before"
        ),
    ],
)
def test_lead_is_found_by_what_is_known(wanted: dict[str, Any], result: tuple[str | None, bool], pages: int) -> None:
    account = Account([lead(number) for number in range(99, -1, -1)])
    found = run(account, find_lead, agent_id="abc123", **wanted)
    assert (found.lead and found.lead.id, found.complete) == result
    assert len(account.asked) == pages


def test_lead_found_by_its_id_ends_the_search_in_a_list_without_order() -> None:
    account = Account([lead(number) for number in shuffled(range(100))])
    found = run(account, find_lead, agent_id="abc123", lead_id=account.conversations[-60]["id"])
    assert found.complete
    assert len(account.asked) == 1


@pytest.mark.parametrize("known", [{}, {"visitor_email": " "}, NAMED, {"visitor_name": "John Smith"}])
def test_lead_of_which_too_little_is_known_is_not_looked_for(known: dict[str, str]) -> None:
    account = Account([])
    with pytest.raises(ValidationError, match="give one of the first or all three"):
        run(account, find_lead, agent_id="abc123", **known)
    assert account.asked == []
