"""Faults that a test orders for requests to come."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from connector.sandbox.answers import answer
from connector.sandbox.fields import Fields
from connector.sandbox.refusals import bad_request

CUTS = ("before_effect", "after_effect")
STYLES = ("json", "text", "html", "empty")


@dataclass(slots=True)
class Fault:
    """What goes wrong with the next `times` requests that match `action` and `method` (None: any).

    With a `status` the request takes no effect and is answered with `body`, written in `style`; without a
    `body` there is a usual one. With `cut` the connection is closed without an answer, before or after the
    request takes effect. `delay_seconds` pass between the effect, if there is one, and what follows it.
    `headers` are added to the answer, also to an ordinary one.
    """

    action: str | None = None
    method: str | None = None
    status: int | None = None
    body: Any = None
    style: str = "json"
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    cut: str | None = None
    times: int = 1

    @property
    def lets_effect_happen(self) -> bool:
        """Whether the request is carried out although it is faulty."""
        return self.status is None and self.cut != "before_effect"

    def matches(self, action: str, method: str) -> bool:
        """Whether the fault is meant for such a request."""
        return self.action in (None, action) and self.method in (None, method)

    def apply(self, response: Response | None) -> Response | None:
        """What becomes of the real answer; None: the connection is to be cut."""
        if self.cut is not None:
            return None
        if self.status is not None:
            response = self._write(self.status)
        if response is not None:
            response.headers.update(self.headers)
        return response

    def _write(self, status: int) -> Response:
        if self.style == "json":
            return answer({"error": _phrase(status)} if self.body is None else self.body, status)
        if self.style == "empty":
            return Response(status_code=status)
        if self.style == "text":
            return Response(self.body or _phrase(status), status, media_type="text/plain")
        page = f"<html><body><h1>{_phrase(status)}</h1></body></html>"
        return Response(self.body or page, status, media_type="text/html")


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

    def take(self, action: str, method: str) -> Fault | None:
        """Use up one turn of the first fault that matches."""
        for fault in self._faults:
            if fault.matches(action, method):
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                return fault
        return None


def parse_fault(fields: Fields) -> Fault:
    """Read the body of `POST /sandbox/faults`; its fields are those of `Fault`."""
    fields.only(*Fault.__dataclass_fields__)
    fault = Fault(
        action=fields.text("action"),
        method=fields.text("method"),
        status=fields.whole("status"),
        body=fields.values.get("body"),
        style=fields.choice("style", STYLES) or "json",
        headers=fields.mapping("headers"),
        delay_seconds=fields.seconds("delay_seconds") or 0.0,
        cut=fields.choice("cut", CUTS),
        times=fields.whole("times") or 1,
    )
    _check(fault, fields)
    return fault


def _check(fault: Fault, fields: Fields) -> None:
    if fault.status is not None and not 200 <= fault.status <= 599:
        raise bad_request(f"status is {fault.status}; expected 200 to 599")
    if fault.status is None and fields.values.keys() & {"body", "style"}:
        raise bad_request("body and style need a status")
    if fault.cut is not None and (fault.status is not None or fault.headers):
        raise bad_request("a cut has no answer, so it goes with neither status nor headers")
    if fault.style in ("text", "html") and not isinstance(fault.body, str | None):
        raise bad_request(f"body must be a string in the style {fault.style!r}")
    if not (fault.status or fault.cut or fault.headers or fault.delay_seconds):
        raise bad_request("the fault changes nothing; give status, cut, headers or delay_seconds")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"
