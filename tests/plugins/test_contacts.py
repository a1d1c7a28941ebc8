import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector import settings
from connector.adapter import Adapter
from connector.errors import InputError, NetworkError, RejectedError
from connector.registry import Registry

ROOT = Path(__file__).parents[2]
START = datetime(2026, 3, 25, 10, 30, tzinfo=UTC)


class Book:
    """The contacts of a folder, called one after the other; a minute passes before each call."""

    def __init__(self, registry: Registry, folder: Path) -> None:
        self.now = START - timedelta(minutes=1)
        self.folder = folder
        self._registry = registry

    def adapter(self) -> Adapter:
        return Adapter(self._registry, settings.load(self.folder, environ={}), lambda: self.now)

    def call(self, action: str, key: str = "", /, **input: Any) -> dict[str, Any]:
        async def run() -> dict[str, Any]:
            async with self.adapter() as adapter:
                return await adapter.run(f"contacts.{action}", input, idempotency_key=key)

        self.now += timedelta(minutes=1)
        return asyncio.run(run())

    def upsert(self, key: str = "", /, **input: Any) -> dict[str, Any]:
        return self.call("upsert", key, **input)

    def find(self, **keys: str) -> Any:
        return self.call("find", **keys)["contact"]

    def count(self) -> int:
        return len(self.call("list", limit=1000)["contacts"])


@pytest.fixture
def book(built_in: Registry, tmp_path: Path) -> Book:
    return Book(built_in, tmp_path)


def test_new_contact_is_created_with_all_that_is_given(book):
    fields = {"email": "Ann@Example.com", "phone": "+1 (480) 555-1234", "external_id": "7", "name": "Ann"}
    created = book.upsert(**fields, note="Asked.", properties={"plan": {"seats": 3}, "none": None})
    shown = {key: fields[key] for key in ("email", "phone", "name")}
    assert created == {"id": created["id"], "created": True, **shown}
    times = {"created_at": "2026-03-25T10:30:00Z", "updated_at": "2026-03-25T10:30:00Z"}
    properties = {"plan": {"seats": 3}}
    expected = {"id": created["id"], **fields, **times, "notes": ["Asked."], "properties": properties}
    assert book.find(external_id="7") == expected


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param({"email": " ANN@example.COM"}, id="e-mail in another case"),
        pytest.param({"phone": "+14805551234"}, id="phone written otherwise"),
        pytest.param({"external_id": "7"}, id="external id"),
        pytest.param({"external_id": "7", "email": "new@example.com"}, id="external id with a new e-mail"),
        pytest.param({"email": "ann@example.com", "phone": "+999"}, id="e-mail with a new phone"),
        pytest.param({"external_id": " ", "email": "", "phone": "+1 480 555 1234"}, id="blank keys beside a phone"),
    ],
)
def test_contact_is_found_by_its_keys(book, keys):
    ann = book.upsert(email="ann@example.com", phone="+1 480 555 1234", external_id="7")
    assert book.find(**keys)["id"] == ann["id"]
    assert book.upsert(**keys)["id"] == ann["id"]
    assert book.count() == 1


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param({"email": "an@example.com"}, id="e-mail"),
        pytest.param({"phone": "14805551234"}, id="phone without its plus"),
        pytest.param({"phone": "+"}, id="phone without digits"),
        pytest.param({"external_id": "8", "email": "ann@example.com"}, id="e-mail under another external id"),
        pytest.param({"external_id": "8", "phone": "+14805551234"}, id="phone under another external id"),
        pytest.param({"email": "other@example.com", "phone": "+14805551234"}, id="phone under another e-mail"),
    ],
)
def test_nobody_is_found_by_other_keys(book, keys):
    book.upsert(email="ann@example.com", phone="+14805551234", external_id="7")
    book.upsert(phone="+ ")
    assert book.find(**keys) is None


def test_keys_are_tried_in_their_order(book):
    by_id = book.upsert(external_id="7", phone="1")
    by_email = book.upsert(email="ann@example.com", phone="2")
    by_phone = book.upsert(phone="3")
    assert len({by_id["id"], by_email["id"], by_phone["id"]}) == 3
    assert book.find(external_id="7", email="ann@example.com", phone="3")["id"] == by_id["id"]
    assert book.find(external_id="8", email="ann@example.com", phone="3")["id"] == by_email["id"]
    assert book.find(external_id="8", email="other@example.com", phone="3")["id"] == by_phone["id"]


def test_two_people_with_one_phone_stay_two(book):
    ann = book.upsert(email="ann@example.com", phone="555", name="Ann")
    john = book.upsert(email="john@example.com", phone="555", name="John Smith")
    assert john["created"]
    assert book.find(email="ann@example.com")["name"] == "Ann"
    assert book.find(phone="555")["id"] == ann["id"]


def test_update_keeps_what_is_not_given_and_removes_properties_that_are_null(book):
    book.upsert(email="ann@example.com", phone="555", name="Ann", note="first", properties={"a": 1, "b": 2})
    updated = book.upsert(email="ann@example.com", name=" ", phone=None, note="second", properties={"b": None, "c": 3})
    assert updated == {"id": updated["id"], "created": False, "email": "ann@example.com", "phone": "555", "name": "Ann"}
    contact = book.find(email="ann@example.com")
    assert contact["properties"] == {"a": 1, "c": 3}
    assert contact["notes"] == ["first", "second"]
    assert (contact["created_at"], contact["updated_at"]) == ("2026-03-25T10:30:00Z", "2026-03-25T10:31:00Z")


def test_new_keys_replace_the_old_ones(book):
    book.upsert(external_id="7", email="old@example.com", phone="1")
    book.upsert(external_id="7", email="new@example.com", phone="2")
    assert [bool(book.find(**{kind: key})) for kind, key in (("email", "old@example.com"), ("phone", "1"))] == [
        False
    ] * 2
    assert [bool(book.find(**{kind: key})) for kind, key in (("email", "new@example.com"), ("phone", "2"))] == [
        True
    ] * 2


@pytest.mark.parametrize("external_id", ["7", "8"], ids=["known external id", "new external id"])
def test_email_of_another_contact_is_refused_and_changes_nothing(book, external_id):
    book.upsert(external_id="7", name="Ann")
    book.upsert(external_id="9", email="john@example.com", name="John Smith")
    with pytest.raises(RejectedError) as caught:
        book.upsert(external_id=external_id, email="John@example.com", name="Cal", note="x")
    assert str(caught.value) == (
        "the e-mail 'John@example.com' belongs to another contact than the external id; "
        "give one of them only, or correct the contact"
    )
    assert (caught.value.processed, caught.value.transient) == ("no", False)
    assert [book.find(external_id=key)["name"] for key in ("7", "9")] == ["Ann", "John Smith"]
    assert book.count() == 2


def test_same_idempotency_key_gets_the_first_answer_and_changes_nothing(book):
    first = book.upsert("run:step", email="ann@example.com", name="Ann")
    assert first["created"]
    assert book.upsert("run:step", email="ann@example.com", name="Other", note="x") == first
    contact = book.find(email="ann@example.com")
    assert (contact["name"], contact["notes"]) == ("Ann", [])
    assert not book.upsert("run:other", email="ann@example.com")["created"]


def test_calls_without_an_idempotency_key_are_independent(book):
    assert [book.upsert(email="ann@example.com")["created"] for _ in range(2)] == [True, False]


@pytest.mark.parametrize("key", ["", "run:step"], ids=["no key", "one key"])
def test_upserts_at_the_same_time_make_one_contact(book, key):
    async def run() -> list[dict[str, Any]]:
        async with book.adapter() as adapter:
            fields = {"email": "ann@example.com"}
            calls = [adapter.run("contacts.upsert", fields, idempotency_key=key) for _ in range(20)]
            return await asyncio.gather(*calls)

    answers = asyncio.run(run())
    assert len({answer["id"] for answer in answers}) == 1
    assert sum(answer["created"] for answer in answers) == (20 if key else 1)


UPSERT_MANY = """
import asyncio, json, pathlib, sys
from datetime import datetime, UTC
from connector.declare import ActionContext
from connector.plugins.contacts import ContactFields, ContactsConnection, upsert
connection = ContactsConnection(database=pathlib.Path(sys.argv[1]))
async def call(number):
    context = ActionContext(connection, None, f"key {number}", datetime.now(UTC), None)
    return (await upsert.run(ContactFields(email=f"{number}@example.com"), context)).model_dump()
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps([asyncio.run(call(number)) for number in range(20)]))
"""


def test_processes_that_begin_with_a_new_file_at_the_same_time_agree(book):
    path = book.folder / "new" / "contacts.sqlite"
    (book.folder / "connections.yaml").write_text(f"default: {{connector: contacts, database: '{path}'}}")
    command = [sys.executable, "-c", UPSERT_MANY, str(path)]
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    answers = {process.communicate()[0] for process in processes}
    assert len(answers) == 1
    assert answers.pop().count('"created": true') == 20
    assert book.count() == 20


@pytest.mark.parametrize("text", ["\ud800", "a\x00b", "{{7*7}}", "+4917012345", "'; DROP TABLE contacts; --", "😀"])
def test_whatever_a_visitor_typed_survives(book, text):
    fields = {"email": text, "name": text, "external_id": text, "phone": text, "note": text}
    book.upsert(f"key {text}", **fields, properties={"p": [text]})
    contact = book.find(external_id=text)
    assert {key: contact[key] for key in ("email", "name", "external_id", "phone")} == dict.fromkeys(
        ("email", "name", "external_id", "phone"), text
    )
    assert (contact["notes"], contact["properties"]) == ([text], {"p": [text]})
    assert book.find(email=text)["id"] == contact["id"]


def test_list_has_all_contacts_once_oldest_first(book):
    ids = [book.upsert(external_id=str(number))["id"] for number in range(5)]
    book.upsert(external_id="0", name="changed")
    pages, offset = [], 0
    while offset is not None:
        page = book.call("list", limit=2, offset=offset)
        pages.append([contact["id"] for contact in page["contacts"]])
        offset = page["next_offset"]
    assert pages == [ids[:2], ids[2:4], ids[4:]]
    assert book.call("list", limit=5)["next_offset"] is None
    assert book.call("list", offset=5) == {"contacts": [], "next_offset": None}


@pytest.mark.parametrize("keys", [{}, {"email": " ", "phone": ""}], ids=["none", "blank"])
@pytest.mark.parametrize("action", ["upsert", "find"])
def test_contact_without_a_key_is_refused(book, action, keys):
    with pytest.raises(InputError, match="give at least one of email, phone and external_id"):
        book.call(action, **keys)


@pytest.mark.parametrize(
    ("place", "transient"),
    [
        pytest.param("file/contacts.sqlite", True, id="folder cannot be made"),
        pytest.param("folder", True, id="file is a folder"),
        pytest.param("garbage", False, id="not a database"),
    ],
)
def test_database_that_cannot_be_used_is_named(book, place, transient):
    (book.folder / "file").touch()
    (book.folder / "folder").mkdir()
    (book.folder / "garbage").write_bytes(b"garbage " * 1000)
    (book.folder / "connections.yaml").write_text(
        f"default: {{connector: contacts, database: '{book.folder / place}'}}"
    )
    with pytest.raises(NetworkError, match=f"the contacts database {book.folder / place} cannot be used: ") as caught:
        book.find(email="ann@example.com")
    assert (caught.value.processed, caught.value.transient) == ("no", transient)
