"""Faults that a test orders for requests to come."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from connector.sandbox.answers import answer, write_error
from connector.sandbox.fields import Fields
from connector.sandbox.refusals import bad_request

MID_ANSWER = "mid_answer"
CUTS = ("before_effect", "after_effect", MID_ANSWER)
STYLES = ("json", "text", "html", "empty")
CONNECTIONS = ("fresh", "reused")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"(?:[!-~\x80-\xff]+(?:[\t ]+[!-~\x80-\xff]+)*)?")
"""Of RFC 9110, 5.5: one byte per character, on one line, without spaces at its ends."""


@dataclass(slots=True)
class Fault:
    """What goes wrong with the next `times` requests that match, after `skip` such requests have passed.

    A request matches with its `action`, its `method` and its `connection`: "fresh" is the first request of a TCP
    connection, "reused" a later one; None is any. A request that an earlier fault takes has not passed this one.
    With a `status` the request is answered with `body`, written in `style`; without a `body` there is a usual
    one. Such a request takes no effect, unless `after_effect` is true. With `cut` the connection is closed:
    without an answer before or after the request takes effect, or in the middle of the answer, of which half the
    body was sent. `delay_seconds` pass between the effect, if there is one, and what follows it.
    `headers` are added to the answer, also to an ordinary one.
    """

    action: str | None = None
    method: str | None = None
    connection: str | None = None
    status: int | None = None
    body: Any = None
    style: str = "json"
    headers: dict[str, str] = field(default_factory=dict)
    after_effect: bool = False
    delay_seconds: float = 0.0
    cut: str | None = None
    skip: int = 0
    times: int = 1

    @property
    def lets_effect_happen(self) -> bool:
        """Whether the request is carried out although it is faulty."""
        return (self.status is None or self.after_effect) and self.cut != "before_effect"

    @property
    def leaves_no_answer(self) -> bool:
        """Whether the connection is closed before anything was answered."""
        return self.cut in ("before_effect", "after_effect")

    def matches(self, action: str, method: str, connection: str) -> bool:
        """Whether the fault is meant for such a request."""
        pairs = ((self.action, action), (self.method, method), (self.connection, connection))
        return all(wanted in (None, given) for wanted, given in pairs)

    def apply(self, response: Response | None) -> Response | None:
        """What becomes of the real answer; None: there is to be no answer."""
        if self.leaves_no_answer:
            return None
        if self.status is not None:
            response = self._write(self.status)
        if response is not None:
            response.headers.update(self.headers)
        return response

    def _write(self, status: int) -> Response:
        if self.body is None or self.style == "empty":
            return write_error(_phrase(status), status, self.style)  # type: ignore[arg-type]  # one of STYLES
        if self.style == "json":
            return answer(self.body, status)
        return Response(self.body, status, media_type="text/plain" if self.style == "text" else "text/html")


class FaultQueue:
    """Faults in the order in which they were put in; the first that matches a request is used."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    @property
    def waiting(self) -> tuple[Fault, ...]:
        """What has not been used up."""
        return tuple(self._faults)

    def add(self, fault: Fault) -> None:
        """Put a fault at the end."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Forget all faults."""
        self._faults.clear()

    def take(self, action: str, method: str, connection: str) -> Fault | None:
        """Use up one turn of the first fault that matches, and one pass of each before it that skips."""
        for fault in self._faults:
            if not fault.matches(action, method, connection):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.times -= 1
            if fault.times == 0:
                self._faults.remove(fault)
            return fault
        return None


def parse_fault(fields: Fields) -> Fault:
    """Read the body of `POST /sandbox/faults`; its fields are those of `Fault`."""
    fields.only(*Fault.__dataclass_fields__)
    fault = _read(fields)
    _check_status(fault, fields)
    _check_headers(fault.headers)
    _check_cut(fault)
    if not (fault.status or fault.cut or fault.headers or fault.delay_seconds):
        raise bad_request("the fault changes nothing; give status, cut, headers or delay_seconds")
    return fault


def _read(fields: Fields) -> Fault:
    return Fault(
        action=fields.text("action"),
        method=fields.text("method"),
        connection=fields.choice("connection", CONNECTIONS),
        status=fields.whole("status"),
        body=fields.values.get("body"),
        style=fields.choice("style", STYLES) or "json",
        headers=fields.mapping("headers"),
        after_effect=fields.flag("after_effect") or False,
        delay_seconds=fields.seconds("delay_seconds") or 0.0,
        cut=fields.choice("cut", CUTS),
        skip=fields.whole("skip", least=0) or 0,
        times=fields.whole("times") or 1,
    )


def _check_status(fault: Fault, fields: Fields) -> None:
    if fault.status is not None and not 200 <= fault.status <= 599:
        raise bad_request(f"status is {fault.status}; expected 200 to 599")
    if fault.status is None and fields.values.keys() & {"body", "style", "after_effect"}:
        raise bad_request("body, style and after_effect need a status")
    if fault.style in ("text", "html") and not isinstance(fault.body, str | None):
        raise bad_request(f"body must be a string in the style {fault.style!r}")
    if fault.status in (204, 304) and fault.style != "empty":
        raise bad_request(f"an answer with the status {fault.status} has no body; give the style 'empty'")


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise bad_request(f"the header name {name!r} cannot be sent; give letters, digits and hyphens")
        if not _HEADER_VALUE.fullmatch(value):
            raise bad_request(
                f"the header {name} is {value!r}, which cannot be sent; give one line of Latin-1 characters "
                "without spaces at its ends"
            )


def _check_cut(fault: Fault) -> None:
    if fault.leaves_no_answer and (fault.status is not None or fault.headers):
        raise bad_request(f"the cut {fault.cut!r} leaves no answer, so it goes with neither status nor headers")
    if fault.cut == MID_ANSWER and fault.style == "empty":
        raise bad_request("an empty answer cannot be cut in the middle; give another style")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"
