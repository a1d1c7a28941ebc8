"""An address is found however it was escaped, and never within another one."""

import json

import pytest

from connector.mentions import read_address


@pytest.mark.parametrize(
    "text",
    [
        "ann@example.com",
        "Write to ANN@Example.com.",
        json.dumps(json.dumps({"body": json.dumps({"email": "ann@example.com"})})),
        json.dumps("Hello\nann@example.com"),
        json.dumps(json.dumps("a\\\tann@example.com\\")),
        "https://crm.example/contacts?email=ann%40example.com&x=1",
        "mailto%3Aann%40example.com",
        r"\u0061nn\u0040example.com",
        "the key 'ann@example.com' is known",
    ],
)
def test_address_is_found(text):
    assert read_address(" Ann@Example.com ").is_in(text)


@pytest.mark.parametrize(
    "text", ["joann@example.com", "ann@example.com.au", "j.ann@example.com", "ann@example.community"]
)
def test_other_address_is_another_one(text):
    assert not read_address("ann@example.com").is_in(text)


def test_text_of_backslashes_is_read_in_no_time():
    assert read_address("ann@example.com").is_in("\\" * 300_000 + "u ann@example.com")


def test_letters_beyond_ascii_are_found_in_either_case():
    address = read_address("Jörg@Bücher.example")
    assert address.is_in(json.dumps("JÖRG@bücher.example"))
    assert address.is_in(json.dumps(json.dumps("jörg@bücher.example")))


@pytest.mark.parametrize(
    ("text", "like"),
    [
        ("a.lee@example.com", "%lee%example%"),
        ("ö@x1.é", "%x1%"),
        ("ö@ü.é", "%%"),
        ("Groß@example.com", "%gro%example%"),
    ],
)
def test_what_every_mention_has_is_what_no_escape_changes(text, like):
    assert read_address(text).like == like


@pytest.mark.parametrize("text", ["ann", "@", "ann@", "a b@example.com", "a@b@c", "", "x" * 321 + "@example.com"])
def test_what_is_no_address_is_none(text):
    assert read_address(text) is None
