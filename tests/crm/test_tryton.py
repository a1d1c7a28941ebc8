"""The Tryton plugin against the real server."""

import json
import re

import pytest
from crm.tryton_server import DATABASE, running
from hostile import TEXTS

from connector.declare import Keeping
from connector.errors import (
    ActionError,
    AuthenticationError,
    ForbiddenError,
    InputError,
    NetworkError,
    NotFoundError,
    RejectedError,
    ServerError,
    StoreError,
)
from connector.testing import PluginContract, Service

pytestmark = pytest.mark.crm


def mechanisms(party):
    return [(entry["type"], entry["value"]) for entry in party["contact_mechanisms"]]


def phone_of(person: str) -> str:
    """A valid number in the United States that no other test uses."""
    return f"+1 480 555 {re.sub('[^0-9]', '', person)}"


class TestContract(PluginContract):
    plugin = "tryton"
    names = ("upsert_party", "find_party", "create_opportunity", "check_connection")

    @pytest.fixture
    def service(self, tryton):
        self.secret = tryton.key
        return Service(tryton.url)

    def connection_values(self, url, secret):
        return {"address": url, "database": DATABASE, "key": secret}

    def inputs(self, service):
        return {"create_opportunity": {"party": 1, "description": "Estate planning"}}


def test_party_is_created_with_what_is_given(do, tryton, person):
    given = {"email": person, "name": "John Smith", "phone": phone_of(person)}
    created = do("upsert_party", given)
    (party,) = tryton.parties(person)
    shown = phone_of(person)[:-4].replace(" 555 ", "-555-") + phone_of(person)[-4:]
    assert created == {"id": party["id"], "created": True, "name": "John Smith", "email": person, "phone": shown}
    assert mechanisms(party) == [("email", person), ("phone", shown)]


@pytest.mark.parametrize("name", ["find_party", "upsert_party"])
@pytest.mark.parametrize(
    "by",
    [
        pytest.param(lambda email, _phone: {"email": f" {email.swapcase()}"}, id="e-mail in another case"),
        pytest.param(lambda _email, phone: {"phone": phone.replace(" ", "")}, id="phone written otherwise"),
        pytest.param(lambda email, _phone: {"email": email, "phone": "+49 170 1234567"}, id="e-mail with a new phone"),
    ],
)
def test_party_is_found_by(do, tryton, person, name, by):
    known = do("upsert_party", {"email": person, "phone": phone_of(person)})
    found = do(name, by(person, phone_of(person)))
    assert found.get("party", found)["id"] == known["id"]
    assert not found.get("created")


def test_email_with_wildcards_and_letters_beyond_ascii_is_one_email(do, person):
    given = f"j_%ö\\{person}"
    known = do("upsert_party", {"email": given})
    assert do("find_party", {"email": given.upper()})["party"]["id"] == known["id"]
    assert do("find_party", {"email": given.replace("_", "x")}) == {"party": None}
    assert do("find_party", {"email": given.replace("ö", "x")}) == {"party": None}


def test_two_people_with_one_phone_stay_two(do, person):
    john = do("upsert_party", {"email": person, "phone": phone_of(person)})
    ann = do("upsert_party", {"email": f"Ann.{person}", "phone": phone_of(person)})
    assert ann["created"]
    assert do("find_party", {"phone": phone_of(person)})["party"]["id"] == john["id"]


def test_party_known_by_phone_alone_gets_its_email(do, tryton, person):
    known = do("upsert_party", {"phone": phone_of(person)})
    assert do("upsert_party", {"phone": phone_of(person), "email": person})["id"] == known["id"]
    assert [kind for kind, _ in mechanisms(tryton.parties(person)[0])] == ["phone", "email"]


def test_known_party_gets_what_it_lacks_and_keeps_what_it_has(do, tryton, person):
    do("upsert_party", {"email": person, "name": "John Smith"})
    again = do("upsert_party", {"email": person.lower(), "name": "Johnny", "phone": "+49 170 1234567"})
    assert again == {**again, "created": False, "name": "John Smith", "email": person, "phone": "+49 170 1234567"}
    (party,) = tryton.parties(person)
    assert mechanisms(party) == [("email", person), ("phone", "+49 170 1234567")]


def test_name_that_is_the_email_gives_way_to_a_given_one(do, person):
    assert do("upsert_party", {"email": person})["name"] == person
    assert do("upsert_party", {"email": person, "name": "John Smith"})["name"] == "John Smith"
    assert do("upsert_party", {"email": person, "name": person})["name"] == "John Smith"


@pytest.mark.parametrize("phone", ["480 555 1234", "ask my secretary, 12345"])
def test_phone_that_tryton_refuses_is_kept_as_another_contact(do, tryton, person, phone):
    for _ in range(2):
        assert do("upsert_party", {"email": person, "phone": phone})["phone"] == phone
    assert mechanisms(tryton.parties(person)[0]) == [("email", person), ("other", phone)]


def test_phone_to_which_tryton_adds_the_country_is_added_once(do, tryton, person):
    known = do("upsert_party", {"email": person})
    (country,) = tryton.read("country.country", ["code", "=", "US"])
    address = [["create", [{"country": country["id"]}]]]
    tryton.ask("PUT", f"party.party/{known['id']}", {"addresses": address}, f=["id"])
    for _ in range(2):
        do("upsert_party", {"email": person, "phone": "(480) 555-1234"})
    assert mechanisms(tryton.parties(person)[0])[1:] == [("phone", "+1 480-555-1234")]


def test_upserts_of_one_email_at_the_same_time_make_one_party(do, tryton, person):
    given = [{"email": email, "phone": phone_of(person)} for email in (person, person.lower(), person.upper())] * 4
    outputs = do("upsert_party", given)
    assert len({output["id"] for output in outputs}) == 1
    assert sum(output["created"] for output in outputs) == 1


def test_repetition_after_a_crash_gives_what_the_first_attempt_would_have_given(do, tryton, person):
    kept = {}

    async def keep(values):
        kept.update(values)

    given = {"email": person, "name": "John Smith"}
    lost = do("upsert_party", given, keeping=Keeping(write=keep))  # nobody hears of it
    assert json.loads(json.dumps(kept)) == {"existed": False}
    assert do("upsert_party", given, keeping=Keeping(kept)) == {**lost, "created": True}
    assert len(tryton.parties(person)) == 1


def test_nothing_is_created_before_it_is_kept_that_there_was_none(do, tryton, person):
    async def keep(_values):
        raise StoreError("the disk is full")

    with pytest.raises(StoreError):
        do("upsert_party", {"email": person}, keeping=Keeping(write=keep))
    assert tryton.parties(person) == []


def test_opportunity_is_created_with_what_is_given(do, tryton, person):
    party = do("upsert_party", {"email": person})["id"]
    given = {"party": party, "description": "Estate\nplanning", "amount": 1000.5, "comment": "one\ntwo"}
    created = do("create_opportunity", given, employee=tryton.employee)
    fields = ("number", "party", "description", "amount", "comment", "employee", "company", "state")
    (found,) = tryton.read("sale.opportunity", ["id", "=", created["id"]], fields=fields)
    assert found == {
        **found,
        **given,
        **created,
        "description": "Estate planning",
        "amount": {"__class__": "Decimal", "decimal": "1000.5"},
        "employee": tryton.employee,
        "company": 1,
        "state": "lead",
    }


def test_opportunity_of_one_key_is_one(do, tryton, person):
    party = do("upsert_party", {"email": person})["id"]
    given = {"party": party, "description": "Estate planning"}
    first = do("create_opportunity", given, "run-1:deal")
    assert do("create_opportunity", given, "run-1:deal") == first
    assert do("create_opportunity", given, "run-2:deal") != first
    assert len(tryton.read("sale.opportunity", ["party", "=", party])) == 2


def test_connection_check_shows_the_company(do):
    assert do("check_connection", {}) == {"company": "Smith Law", "currency": "USD"}


JOHN = {"email": "john@example.com"}
DEAL = {"party": 1, "description": "Estate planning"}


@pytest.mark.parametrize(
    ("name", "given", "connection", "error", "says"),
    [
        pytest.param("find_party", JOHN, {"secret": "wrong"}, AuthenticationError, "make a key", id="wrong key"),
        pytest.param(
            "find_party", JOHN, {"database": "other"}, NotFoundError, "`database` of the connection", id="database"
        ),
        pytest.param(
            "create_opportunity", DEAL, {"company": 77}, NotFoundError, "`company` of the connection", id="company"
        ),
        pytest.param("check_connection", {}, {"company": 77}, NotFoundError, "check the ids", id="company to check"),
        pytest.param(
            "create_opportunity", DEAL, {"employee": 77}, RejectedError, "`employee` of the connection", id="employee"
        ),
        pytest.param(
            "create_opportunity", {**DEAL, "party": 99_999}, {}, NotFoundError, "Tryton has no party 99999", id="party"
        ),
        pytest.param(
            "create_opportunity", {**DEAL, "amount": 1.005}, {}, RejectedError, 'for field "Amount"', id="digits"
        ),
        pytest.param(
            "upsert_party", {"email": "a\nb@example.com"}, {}, RejectedError, 'for field "Value"', id="e-mail"
        ),
        pytest.param("upsert_party", {"email": "x" * 255}, {}, InputError, "254 are the most", id="long e-mail"),
        pytest.param("upsert_party", {"email": " ", "phone": "112"}, {}, InputError, "5 digits", id="no key"),
    ],
)
def test_refusal_says_what_to_do(do, name, given, connection, error, says):
    with pytest.raises(ActionError) as caught:
        do(name, given, "key", **connection)
    assert type(caught.value) is error
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (caught.value.processed, caught.value.transient) == ("no", False)


@pytest.mark.parametrize(("name", "given"), [("create_opportunity", DEAL), ("check_connection", {})])
def test_key_of_a_user_without_rights_is_told_which_to_give(do, tryton, name, given):
    with pytest.raises(ForbiddenError, match=r'not allowed to access "Sale Opportunity".*; give its user the group'):
        do(name, given, secret=tryton.clerk_key)


def test_server_that_is_stopped_is_not_reached(do, tmp_path):
    with running(tmp_path) as stopped:
        stopped.stop()
        with pytest.raises(NetworkError, match="`address` of the connection") as caught:
            do("upsert_party", JOHN, address=stopped.url)
    assert (caught.value.processed, caught.value.transient) == ("no", True)


def test_database_that_is_damaged_is_a_failure_of_the_server(do, tmp_path):
    with running(tmp_path) as damaged:
        (tmp_path / f"{DATABASE}.sqlite").write_bytes(b"damaged " * 1000)
        with pytest.raises(ServerError) as caught:
            do("upsert_party", JOHN, address=damaged.url)
    assert (caught.value.processed, caught.value.transient) == ("unknown", True)


@pytest.mark.parametrize(
    "text",
    [*TEXTS, "<b onload=alert(1)>&amp;", '"], ["id", ">", 0', "x" * 1_000_000],
    ids=lambda text: ascii(text[:20]),
)
def test_whatever_a_visitor_typed_arrives(do, tryton, person, text):
    created = do("upsert_party", {"email": person, "name": text})
    do("create_opportunity", {"party": created["id"], "description": text[:1000], "comment": text})
    readable = re.sub("[\ud800-\udfff\0]", "\ufffd", re.sub("\ud83d\ude00", "😀", text))
    line = re.sub("[\t\r\n]", " ", readable).strip()
    (party,) = tryton.parties(person)
    (deal,) = tryton.read("sale.opportunity", ["party", "=", party["id"]], fields=("description", "comment"))
    assert party["name"] == (line or person)
    assert ((deal["description"] or "").strip(), deal["comment"]) == (line[:1000], readable)


@pytest.mark.parametrize(
    "text", [*filter(str.strip, TEXTS), "%", "_@_", '"], ["id", ">", 0'], ids=lambda text: ascii(text[:20])
)
def test_hostile_email_and_phone_arrive_or_are_refused(do, tryton, person, text):
    do("upsert_party", {"email": person})
    given = {"email": f"{text}{person}", "phone": f"{text} 12345"}
    try:
        created = do("upsert_party", given)
    except RejectedError as error:
        assert 'for field "Value"' in str(error)  # noqa: PT017 - the others arrive
        assert "\n" in text
        return
    assert created["created"]
    assert do("upsert_party", given) == {**created, "created": False}
