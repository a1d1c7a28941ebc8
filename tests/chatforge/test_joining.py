"""Which webhook and which lead of the list are the same."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.chatforge import joining, polled
from connector.declare import Event

NOW = datetime(2026, 3, 25, 12, 0, tzinfo=UTC)
FULL = {"email": "Ann@Example.com", "phone": "480-555-1234", "name": "Ann", "page": "https://example.com/"}


def apart(webhook: dict[str, Any], lead: dict[str, Any], seconds: float = 0.0) -> float | None:
    def fields(values: dict[str, Any], page: str) -> dict[str, Any]:
        named = {f"visitor_{name}": values[name] for name in ("email", "phone", "name") if name in values}
        return named | {page: values.get("page")}

    event = Event("lead.captured", "1", NOW, {"data": fields(webhook, "page_url")})
    facts = joining.facts_of_lead(fields(lead, "source_page_url"), NOW + timedelta(seconds=seconds))
    return joining.distance(joining.facts_of_webhook(event, NOW), facts)


@pytest.mark.parametrize(
    ("webhook", "lead", "same"),
    [
        pytest.param(FULL, FULL, True, id="equal"),
        pytest.param(FULL, FULL | {"email": " ann@example.COM "}, True, id="e-mail in other letters"),
        pytest.param(FULL, FULL | {"email": "ben@example.com"}, False, id="another e-mail, all else equal"),
        pytest.param(FULL, {"email": "ann@example.com"}, True, id="e-mail is enough"),
        pytest.param(FULL | {"email": None}, FULL, True, id="phone where one has no e-mail"),
        pytest.param({"phone": "(480) 555 1234"}, {"phone": "480-555-1234"}, True, id="phone in other writing"),
        pytest.param({"phone": "1", "name": "Ann"}, {"phone": "2", "name": "Ann"}, False, id="another phone"),
        pytest.param({"name": "Ann", "page": "/a"}, {"name": "Ann", "page": "/a"}, True, id="name and page"),
        pytest.param({"name": "Ann", "page": "/a"}, {"name": "Ann", "page": "/b"}, False, id="another page"),
        pytest.param({"name": "Ann", "page": "/a"}, {"name": "Ben", "page": "/a"}, False, id="another name"),
        pytest.param({}, {}, False, id="nothing to recognise"),
        pytest.param({"email": 7, "name": ["Ann"]}, {"email": 7}, False, id="other types"),
    ],
)
def test_webhook_and_lead_are_recognised_by_what_the_visitor_left(webhook: Any, lead: Any, same: bool) -> None:
    assert (apart(webhook, lead) is not None) == same


def test_they_are_at_most_ten_minutes_apart() -> None:
    assert apart(FULL, FULL, seconds=-600) == 600
    assert apart(FULL, FULL, seconds=601) is None


@pytest.mark.parametrize(
    ("raw", "id_", "made"),
    [
        pytest.param({"id": "a", "created_at": "2026-03-25T13:00:00+01:00"}, "a", NOW, id="readable"),
        pytest.param({"id": "a", "created_at": "yesterday"}, "a", None, id="time that is none"),
        pytest.param({"id": "a", "created_at": 7}, "a", None, id="time of another type"),
        pytest.param({"id": "a", "created_at": "0001-01-01T00:00:00Z"}, "a", None, id="beginning of the calendar"),
        pytest.param({"id": "a", "created_at": "9999-12-31T23:59:59Z"}, "a", None, id="end of the calendar"),
        pytest.param({"id": 7}, None, None, id="id of another type"),
        pytest.param({"id": " "}, None, None, id="blank id"),
        pytest.param({"id": "a" * 1_001}, None, None, id="huge id"),
        pytest.param({"id": "線" * 300}, None, None, id="id that is long where it is escaped"),
        pytest.param({"id": "a\0b"}, None, None, id="id with a control character"),
        pytest.param({"id": "a\ud800"}, None, None, id="id with half a character"),
        pytest.param("text", None, None, id="no object"),
        pytest.param(None, None, None, id="null"),
    ],
)
def test_item_of_a_page_is_read_whatever_it_is(raw: Any, id_: str | None, made: datetime | None) -> None:
    item = polled.read_item(raw, NOW)
    assert item.occurred_at == made
    assert item.id == id_ if id_ else item.id.startswith("unreadable-")
    assert polled.read_item(raw, NOW + timedelta(hours=1)).id == item.id, "it is told of once"


def test_entry_whose_id_cannot_be_kept_is_the_same_when_it_changes() -> None:
    first, second = (polled.read_item({"id": "a\0b", "message_count": number}, NOW) for number in (3, 4))
    assert first.id == second.id


@pytest.mark.parametrize(("count", "version"), [(3, 3), (None, 0), ("3", 0), (-1, 0), (2**60, 0)])
def test_version_of_a_conversation_is_the_number_of_its_messages(count: Any, version: int) -> None:
    assert polled.read_item({"id": "a", "message_count": count}, NOW).version == version
