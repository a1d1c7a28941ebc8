"""How the texts of visitors are compared with what Tryton has, and written so that Tryton takes them. All pure."""

import base64
import json
import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from connector.validation import replace_surrogates

_SHORTEST = 5
"""Digits of a phone that a party is found by; fewer are an extension or an emergency number."""
_SHORTEST_NATIONAL = 7
_PHONES = ("phone", "mobile", "other")
_BREAKS = re.compile("[\t\n\r\x0b\x0c]")  # `forbidden_chars` of trytond/model/fields/char.py
_BEYOND_ASCII = re.compile("[^ -~]")


class Mechanism(BaseModel):
    """An entry of `contact_mechanisms`; a phone that is none for Tryton is kept as `other`."""

    type: str
    value: str | None


def encode(value: Any) -> str:
    """JSON in URL-safe Base64, as Tryton takes domains, orders and contexts."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def whole(text: str) -> str:
    """Without halves of characters and NUL, which UTF-8 and Postgres cannot write; U+FFFD stands there instead."""
    return replace_surrogates(text).replace("\0", "\N{REPLACEMENT CHARACTER}")


def one_line(text: str) -> str:
    """For a field that Tryton keeps in one line."""
    return _BREAKS.sub(" ", whole(text))


def email_patterns(email: str) -> list[str]:
    """For `ilike`: one of them finds the e-mail in any case, and a few others. SQLite folds the case of ASCII only."""
    pattern = re.sub(r"([\\%_])", r"\\\1", email)
    return list(dict.fromkeys((pattern, _BEYOND_ASCII.sub("_", pattern))))


def phone_pattern(phone: str) -> str:
    """For `like`: finds the phone however it is written, and a few others."""
    return f"%{'%'.join(re.findall('[0-9]', phone))}%"


def email_key(email: str) -> str:
    return email.strip().casefold()


def phone_key(phone: str) -> str:
    """The digits, with a `+` before them where there was one."""
    return ("+" if phone.strip().startswith("+") else "") + re.sub("[^0-9]", "", phone)


def is_searchable(phone: str) -> bool:
    return len(phone_key(phone).lstrip("+")) >= _SHORTEST


def is_same_phone(one: str, other: str) -> bool:
    """Whether two phones of one party are the same, also where Tryton has added the country to one of them."""
    first, second = sorted((phone_key(one), phone_key(other)))  # a + comes before digits
    if first == second or not first.startswith("+") or second.startswith("+"):
        return first == second
    national = second.lstrip("0")
    return len(national) >= _SHORTEST_NATIONAL and first.endswith(national)


def find_email(mechanisms: Iterable[Mechanism], email: str | None = None) -> str | None:
    """The one that is the given one, or the first where none is given."""
    values = [found.value for found in mechanisms if found.type == "email" and found.value]
    return next((value for value in values if email is None or email_key(value) == email_key(email)), None)


def find_phone(mechanisms: Iterable[Mechanism], phone: str | None = None) -> str | None:
    """The one that is the given one, or the first where none is given."""
    kinds = ("phone", "mobile") if phone is None else _PHONES
    values = [found.value for found in mechanisms if found.type in kinds and found.value]
    return next((value for value in values if phone is None or is_same_phone(value, phone)), None)


def is_found_by_phone(mechanisms: Iterable[Mechanism], phone: str, *, email: str | None) -> bool:
    """Whether a party is the one that is looked for; one with other e-mails than the given one is not."""
    entries = list(mechanisms)
    keys = [phone_key(entry.value) for entry in entries if entry.type in _PHONES and entry.value]
    return phone_key(phone) in keys and (not email or find_email(entries) is None)
