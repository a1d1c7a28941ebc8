"""Takes out of recorded requests and answers what is random, personal or secret. Pure: values in, values out."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

URL = "http://chatforge.invalid/api/dashboard.js"
"""Where every recorded request seems to have gone; no name under .invalid exists (RFC 6761)."""
REQUEST_HEADERS = ("accept", "accept-encoding", "content-type")
RESPONSE_HEADERS = ("content-type", "retry-after")
"""What is kept of the headers: what the client reads."""
SHORTEST_SECRET = 4

_OURS = ("action", "limit", "offset")
_COUNTS = ("message_count", "total", "this_month", "messages_this_month", "limit", "offset")
_ID = "00000000-0000-4000-8000-{:012}"
_FIRST_ID = 101
_PLACEHOLDERS = {
    "visitor_email": "visitor{}@example.com",
    "visitor_phone": "555-01{:02}",
    "visitor_name": "Visitor {}",
    "conversation_summary": "Summary {}",
    "page_url": "https://example.com/page-{}",
    "source_page_url": "https://example.com/page-{}",
    "name": "Agent {}",
    "welcome_message": "Welcome {}",
    "system_prompt": "Prompt {}",
    "knowledge_base": "Knowledge {}",
    "content": "Content {}",
}
_HARMLESS = {
    "role": re.compile("user|assistant|system"),
    "month": re.compile(r"\d{4}-\d\d"),
    "primary_color": re.compile("#[0-9A-Fa-f]{3,8}"),
}
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
_START = datetime(2026, 3, 25, 10)  # noqa: DTZ001 - what follows it in the text says the zone
_TELLING = re.compile(r"\S+@\S+|\S+://\S+|\d{1,3}(?:\.\d{1,3}){3}|(?=[\w-]*\d)[\w-]{12,}|\+?\d[\d ()-]{5,}\d")
_KEY = re.compile("[a-z][a-z0-9_]*")


class Scrubber:
    """Replaces values for one cassette, equal ones by equal ones. `known` are replacements that are decided.

    Of what strangers wrote (`invented` is false) only the shape is left: texts, times and numbers are replaced in
    every field, also in those that nobody knows yet, except where a field can hold no more than a word or a count.
    Ids are replaced always.
    """

    def __init__(self, known: Mapping[str, str], *, invented: bool) -> None:
        self._known = {_fold(real): placeholder for real, placeholder in known.items()}
        self._invented = invented
        self._counts: dict[str, int] = {}
        self._shift: timedelta | None = None

    def request(self, method: str, uri: str, body: bytes | None, headers: Mapping[str, str]) -> dict[str, Any]:
        """A request as vcrpy writes it."""
        query = [(name, self._parameter(name, value)) for name, value in parse_qsl(urlsplit(uri).query, True)]
        return {
            "method": method,
            "uri": f"{URL}?{urlencode(query)}",
            "body": self._body(body) if body else None,
            "headers": {name: [headers[name]] for name in REQUEST_HEADERS if name in headers},
        }

    def response(self, response: Mapping[str, Any]) -> dict[str, Any]:
        """A response as vcrpy gives it and writes it."""
        headers = {name.lower(): values for name, values in response["headers"].items()}
        return {
            "status": {"code": response["status"]["code"], "message": response["status"]["message"]},
            "headers": {name: headers[name] for name in RESPONSE_HEADERS if name in headers},
            "body": {"string": self._body(response["body"].get("string") or b"")},
        }

    def _parameter(self, name: str, value: str) -> str:
        return value if name in _OURS else self._text(name, value)

    def _body(self, body: bytes) -> str:
        text = body.decode("utf-8", "replace")
        try:
            value = json.loads(text)
        except ValueError:
            return self._prose(text)
        return json.dumps(self._value("", value))

    def _value(self, key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._name(name): self._value(name, item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._value(key, item) for item in value]
        if isinstance(value, str):
            return self._text(key, value)
        if self._invented or isinstance(value, bool | None) or key in _COUNTS:
            return value
        return type(value)(0)

    def _name(self, name: str) -> str:
        return name if self._invented or _KEY.fullmatch(name) else self._replace(name, "key {}")

    def _text(self, key: str, text: str) -> str:
        if not text.strip() or _fold(text) in self._known:
            return self._known.get(_fold(text), text)
        if key == "id" or key.endswith("_id"):
            return self._replace(text, _ID, _FIRST_ID)
        if self._invented or key in ("error", "message"):
            return self._prose(text)
        if key in _HARMLESS and _HARMLESS[key].fullmatch(text):
            return text
        return self._move(text) if _TIME.fullmatch(text) else self._replace(text, _PLACEHOLDERS.get(key, "Text {}"))

    def _replace(self, text: str, placeholder: str, first: int = 1) -> str:
        if _fold(text) not in self._known:
            number = self._counts[placeholder] = self._counts.get(placeholder, first - 1) + 1
            self._known[_fold(text)] = placeholder.format(number)
        return self._known[_fold(text)]

    def _prose(self, text: str) -> str:
        """A sentence of the vendor, or a page, without what it says of somebody."""
        text = _UUID.sub(lambda match: self._replace(match[0], _ID, _FIRST_ID), text)
        if self._invented:
            return text
        for real in sorted(self._known, key=len, reverse=True):
            if len(real) >= SHORTEST_SECRET:
                text = re.sub(re.escape(real), lambda _, real=real: self._known[real], text, flags=re.IGNORECASE)
        placeholders = set(self._known.values())
        return _TELLING.sub(lambda match: match[0] if match[0].strip("'\"") in placeholders else "…", text)

    def _move(self, text: str) -> str:
        """The time, moved so that the first one of the cassette is always the same; the form stays as it is."""
        moment = datetime.fromisoformat(text[:19])
        if self._shift is None:
            self._shift = _START - moment
        return (moment + self._shift).isoformat(text[10], "seconds") + text[19:]


def find_secret(text: str, secrets: Iterable[str]) -> str | None:
    """One of `secrets` that stands in the text, as it is, percent-encoded, JSON-escaped or in base64; or None."""
    wanted = [secret.casefold() for secret in secrets]
    return next((secret for form in _forms(text) for secret in wanted if secret in form.casefold()), None)


def _forms(text: str) -> Iterator[str]:
    yield text
    yield unquote(text)
    yield re.sub(r"\\u00([0-9A-Fa-f]{2})|\\x([0-9A-Fa-f]{2})", lambda match: chr(int(match[1] or match[2], 16)), text)
    for word in re.findall("[A-Za-z0-9+/_-]{4,}", text):
        for start in range(4):  # where in it the base64 begins is not known
            part = word[start:].replace("-", "+").replace("_", "/")
            part = part[:-1] if len(part) % 4 == 1 else part
            yield base64.b64decode(part + "=" * (-len(part) % 4)).decode("latin-1")


def texts_in(value: object) -> Iterator[str]:
    """Every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)


def _fold(text: str) -> str:
    return text.strip().casefold()  # e-mails that differ in case are one e-mail
