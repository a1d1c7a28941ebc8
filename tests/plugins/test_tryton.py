"""What of the Tryton plugin needs no server; tests/crm has the rest."""

import base64
import json
import shutil
from pathlib import Path

import pytest

from connector.flows.check import check
from connector.flows.problems import render
from connector.plugins.tryton.matching import (
    Mechanism,
    email_patterns,
    encode,
    is_found_by_phone,
    is_same_phone,
    is_searchable,
    one_line,
    phone_pattern,
    whole,
)

FLOW = Path(__file__).parents[2] / "docs" / "flows" / "recipes" / "lead-to-tryton.yaml"


def test_flow_of_the_page_checks(make_adapter, tmp_path):
    shutil.copy(FLOW.with_name("connections.yaml"), tmp_path)
    checked = check(FLOW.read_bytes(), FLOW.name, make_adapter().catalogue)
    assert [render(problem, checked.source) for problem in checked.problems] == []


def test_domain_is_written_for_an_address_and_keeps_its_padding():
    domain = [["value", "=", "ÿ?>~"]]
    text = encode(domain)
    assert not {*text} & {*"+/"}
    assert json.loads(base64.urlsafe_b64decode(text)) == domain


@pytest.mark.parametrize(
    ("text", "kept", "line"),
    [
        ("\ud83d\ude00\ud800", "😀\ufffd", "😀\ufffd"),
        ("a\0b", "a\ufffdb", "a\ufffdb"),
        ("a\tb\r\nc\x0bd\x0ce", "a\tb\r\nc\x0bd\x0ce", "a b  c d e"),
        ("\u202e\u2028é", "\u202e\u2028é", "\u202e\u2028é"),
    ],
)
def test_text_is_kept_but_for_what_a_database_cannot_hold(text, kept, line):
    assert (whole(text), one_line(text)) == (kept, line)


@pytest.mark.parametrize(
    ("email", "patterns"),
    [
        ("j_%\\@example.com", ["j\\_\\%\\\\@example.com"]),
        ("jö@example.com", ["jö@example.com", "j_@example.com"]),
    ],
)
def test_patterns_of_an_email_have_no_wildcards_of_its_own(email, patterns):
    assert email_patterns(email) == patterns


@pytest.mark.parametrize(
    ("phone", "pattern", "searchable"),
    [("+1 (23) 45", "%1%2%3%4%5%", True), ("1234", "%1%2%3%4%", False), ("%_", "%%", False)],
)
def test_pattern_of_a_phone_is_made_of_its_digits(phone, pattern, searchable):
    assert (phone_pattern(phone), is_searchable(phone)) == (pattern, searchable)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("+1 480-555-1234", "+14805551234", True),
        ("+1 480-555-1234", "(480) 555-1234", True),
        ("0170 1234567", "+49 170 1234567", True),
        ("+49 170 1234567", "+1 170 1234567", False),
        ("480 555 1234", "1 480 555 1234", False),
        ("+1 480 555 1234", "551234", False),
        ("ask me", "+14805551234", False),
    ],
)
def test_phones_are_the_same_with_and_without_the_country(one, other, same):
    assert is_same_phone(one, other) is is_same_phone(other, one) is same


@pytest.mark.parametrize(
    ("entries", "email", "found"),
    [
        ([("phone", "+1 480-555-1234")], None, True),
        ([("other", "+1 480-555-1234")], "john@example.com", True),
        ([("phone", "+1 480-555-1234"), ("email", "ann@example.com")], "john@example.com", False),
        ([("phone", "+1 480-555-1234"), ("email", "ann@example.com")], None, True),
        ([("phone", "480-555-1234")], None, False),
        ([("fax", "+1 480-555-1234")], None, False),
    ],
)
def test_party_is_found_by_its_phone_unless_it_has_other_emails(entries, email, found):
    mechanisms = [Mechanism(type=kind, value=value) for kind, value in entries]
    assert is_found_by_phone(mechanisms, "+14805551234", email=email) is found
