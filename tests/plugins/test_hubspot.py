"""The HubSpot plugin against a double that follows HubSpot's published reference."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hostile import TEXTS
from loopback import Reply
from plugins.hubspot_double import HubSpot, failure, rate_limited, running
from pydantic import SecretStr

from connector.adapter import Adapter
from connector.declare import Keeping
from connector.drift import Counts, Drift
from connector.errors import (
    ActionError,
    AuthenticationError,
    DuplicateError,
    ForbiddenError,
    InputError,
    NotFoundError,
    OutputError,
    RateLimitError,
    RejectedError,
    ServerError,
)
from connector.testing import PluginContract, Service

JOHN = {"email": "john@example.com"}


@pytest.fixture
def double() -> Iterator[tuple[str, HubSpot]]:
    with running("pat-na1-canary") as (served, hubspot):
        yield served.url, hubspot


@pytest.fixture
def hubspot(double: tuple[str, HubSpot]) -> HubSpot:
    return double[1]


@pytest.fixture
def drifts() -> Counts:
    """How answers differed, of all calls of `do`."""
    return Counter()


@pytest.fixture
def do(double, tmp_path, make_adapter, drifts) -> Callable[..., dict[str, Any]]:
    """do(action, input, what earlier attempts have kept) → its output."""
    (tmp_path / "connections.yaml").write_text(
        f"crm: {{connector: hubspot, token: {{env: HUBSPOT_TOKEN}}, address: '{double[0]}'}}"
    )

    def run(name: str, input: Mapping[str, Any], keeping: Keeping | None = None) -> dict[str, Any]:
        async def work() -> dict[str, Any]:
            adapter: Adapter = make_adapter(HUBSPOT_TOKEN="pat-na1-canary")
            async with adapter, adapter.open_call(f"hubspot.{name}", input, connection="crm", keeping=keeping) as call:
                try:
                    return await call.send()
                finally:
                    drifts.update(adapter.drifts.take())

        return asyncio.run(work())

    return run


def test_contact_is_created_then_updated_and_found_whatever_the_case(do, hubspot):
    first = do("upsert_contact", {**JOHN, "first_name": "John", "properties": {"lifecyclestage": "lead"}})
    assert first == {"id": "101", "created": True}
    assert do("upsert_contact", {"email": "John@Example.com", "phone": "+1 555"}) == {"id": "101", "created": False}
    found = do("find_contact", JOHN)["contact"]
    assert (found["first_name"], found["phone"], found["properties"]["lifecyclestage"]) == ("John", "+1 555", "lead")
    assert len(hubspot.objects["contacts"]) == 1


def test_email_of_a_contact_is_the_one_by_which_it_is_found(do, hubspot):
    given = {"email": " john@example.com ", "properties": {"email": "other@example.com", "vip": True}}
    assert [do("upsert_contact", given)["created"] for _ in range(2)] == [True, False]
    assert [*hubspot.objects["contacts"].values()] == [{"email": "john@example.com", "vip": "true"}]


@pytest.mark.parametrize("email", ["", " ", ".", ".."])
def test_email_that_would_be_another_address_is_refused(do, email):
    with pytest.raises(InputError, match="expected an address"):
        do("find_contact", {"email": email})


def test_answers_are_what_is_declared(do, drifts):
    do("upsert_contact", JOHN)
    do("find_contact", JOHN)
    do("list_contacts", {"limit": 10})
    assert drifts == {}


def test_contact_that_nobody_knows_is_null(do):
    assert do("find_contact", {"email": "nobody@example.com"}) == {"contact": None}


def test_fields_that_are_new_break_nothing_and_a_retyped_one_is_named(do, hubspot, drifts):
    body = {"id": "101", "properties": {}, "archived": False, "createdAt": "x", "updatedAt": "x", "score": 1}
    hubspot.replies += [Reply(body), Reply(body | {"archived": []})]
    assert do("find_contact", JOHN)["contact"]["id"] == "101"
    with pytest.raises(OutputError, match=r"HubSpot does not fit: archived: "):
        do("find_contact", JOHN)
    assert drifts == {("hubspot.find_contact", Drift("unknown", "score")): 1} | {
        ("hubspot.find_contact", Drift("retyped", "archived")): 1
    }


def test_repeated_attempt_says_the_same_as_the_first(do):
    keeping = Keeping()
    first = do("upsert_contact", JOHN, keeping)
    assert do("upsert_contact", JOHN, Keeping(keeping.values)) == first == {"id": "101", "created": True}


def test_note_is_a_text_and_hangs_on_its_contact(do, hubspot):
    do("upsert_contact", JOHN)
    note = do("add_note", {"contact_id": "101", "text": "<b>a & b</b>\nsecond line"})["id"]
    assert hubspot.objects["notes"][note]["hs_note_body"] == "&lt;b&gt;a &amp; b&lt;/b&gt;<br>second line"
    assert hubspot.links[note][0]["to"] == {"id": "101"}


def test_deal_has_its_contact_and_its_properties(do, hubspot):
    do("upsert_contact", JOHN)
    deal = do("create_deal", {"name": "Will", "stage": "qualified", "amount": 99.5, "contact_id": "101"})["id"]
    assert hubspot.objects["deals"][deal] == {
        "dealname": "Will", "dealstage": "qualified", "pipeline": "default", "amount": "99.5",
    }  # fmt: skip
    assert hubspot.links[deal][0]["types"] == [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 3}]


@pytest.mark.parametrize("text", [text for text in TEXTS if text])
def test_what_a_visitor_wrote_arrives_as_it_is(do, hubspot, text):
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    contact = do("upsert_contact", {**JOHN, "first_name": text})["id"]
    assert hubspot.objects["contacts"][contact]["firstname"] == whole
    do("upsert_contact", {"email": f"{text}@example.com"})
    assert do("find_contact", {"email": f"{text}@example.com"})["contact"]["email"] == f"{whole}@example.com".lstrip()


@pytest.mark.parametrize(
    ("reply", "error", "processed", "transient", "words"),
    [
        (failure(401, "EXPIRED_AUTHENTICATION", "expired"), AuthenticationError, "no", False, "copy the token"),
        (failure(403, "MISSING_SCOPES", "needs crm.objects.contacts.write"), ForbiddenError, "no", False, "the scope"),
        (failure(409, "CONFLICT", "Contact already exists. Existing ID: 7"), DuplicateError, "no", False, "ID: 7"),
        (failure(500, "", "internal"), ServerError, "unknown", True, "look there"),
        (rate_limited("TEN_SECONDLY_ROLLING", **{"Retry-After": "3"}), RateLimitError, "no", True, "too many requests"),
        (rate_limited("DAILY"), RateLimitError, "no", False, "no more requests today"),
    ],
)
def test_error_says_what_to_do(do, hubspot, reply, error, processed, transient, words):
    hubspot.replies = [reply]
    with pytest.raises(ActionError, match=words) as caught:
        do("add_note", {"contact_id": "101", "text": "x"})
    assert type(caught.value) is error
    assert (caught.value.processed, caught.value.transient) == (processed, transient)
    assert caught.value.retry_after == (3 if words == "too many requests" else None)


def test_field_that_is_refused_is_named(do, hubspot):
    with pytest.raises(RejectedError, match="email: Email address nobody is invalid"):
        do("upsert_contact", {"email": "nobody"})
    with pytest.raises(RejectedError, match="dealstage: nowhere was not one of the allowed options"):
        do("create_deal", {"name": "x", "stage": "nowhere"})
    with pytest.raises(NotFoundError, match="no contact 404"):
        do("add_note", {"contact_id": "404", "text": "x"})
    assert not hubspot.objects["notes"]


def test_batch_without_a_result_is_in_doubt(do, hubspot):
    hubspot.replies = [failure(404, "", ""), failure(200, "", "")]
    with pytest.raises(OutputError) as caught:
        do("upsert_contact", JOHN)
    assert caught.value.processed == "unknown"


class TestHubSpot(PluginContract):
    plugin = "hubspot"
    missing_is_null = ("find_contact",)
    names = ("upsert_contact", "find_contact", "list_contacts", "add_note", "create_deal")

    @pytest.fixture
    def service(self) -> Iterator[Service]:
        with running(self.secret, contacts=101) as (served, _):
            yield Service(served.url)

    def connection_values(self, url: str, secret: SecretStr) -> Mapping[str, Any]:
        return {"address": url, "token": secret}
