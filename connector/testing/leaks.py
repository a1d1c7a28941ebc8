"""Whether a secret of the connection gets out: into outputs, errors, logs, prints and reprs.

The service is made to say back what it was sent, in answers and in errors, also at places where a text that is cut
short would cut through the secret.
"""

import base64
import json
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any
from urllib.parse import quote

from connector.errors import ConnectorError
from connector.testing.gateway import Answer, Request, Respond
from connector.testing.subject import CONNECTION, Subject, fail

_PART = 8
"""So many characters of a secret are a part of it that must not be seen."""
_PADDINGS = range(0, 240, 15)
_BATCH = 10
"""So many runs share an adapter: opening one takes time, and it may have a rate budget."""

Echo = tuple[str, Respond]
"""A place, in words, and the answers that repeat the secret there."""
Change = Callable[[Any], Any]
"""What becomes of a value of an answer; of an object, what is added to it."""


async def require_hidden(subject: Subject, name: str, read_printed: Callable[[], str]) -> None:
    """`read_printed` gives what was logged and printed since it was last asked."""
    gateway = subject.gateway
    assert gateway is not None  # noqa: S101 - the suite asks only where there is one
    _require_absent(subject, name, "the repr of the connection", _shown_values(subject))
    await _provoke(subject, name, [("when all is well", gateway.forward)], read_printed)
    echoes = list(_echoes(subject.secret, list(gateway.answers)))
    for start in range(0, len(echoes), _BATCH):
        await _provoke(subject, name, echoes[start : start + _BATCH], read_printed)


async def _provoke(subject: Subject, name: str, echoes: Sequence[Echo], read_printed: Callable[[], str]) -> None:
    assert subject.gateway is not None  # noqa: S101 - as above
    async with subject.open() as adapter:
        for place, subject.gateway.respond in echoes:
            try:
                output = await subject.run(adapter, name)
                _require_absent(subject, name, f"its output, {place}", json.dumps(output), repr(output))
            except ConnectorError as error:
                shown = [str(error), repr(error), "".join(traceback.format_exception(error))]
                _require_absent(subject, name, f"its error, {place}", *shown)
            _require_absent(subject, name, f"what was logged or printed, {place}", read_printed())


def _shown_values(subject: Subject) -> str:
    if subject.connection is None:
        return ""
    values = subject.open().connection(subject.plugin, CONNECTION)
    return f"{values!r} {values} {values.model_dump_json()}"


def _require_absent(subject: Subject, name: str, place: str, *texts: str) -> None:
    for text in texts:
        for form in _forms(subject):
            if form in text:
                fail(
                    f"{subject.full(name)}: the secret of the connection, or a part of it, is in {place}; declare the "
                    "field as Secret, do not log or quote what was sent, and cut texts only after hiding secrets"
                )


def _forms(subject: Subject) -> set[str]:
    secret = subject.secret
    parts = {secret[start : start + _PART] for start in range(len(secret) - _PART + 1)} or {secret}
    encoded = {base64.b64encode(secret.encode()).decode().rstrip("="), quote(secret, safe=""), secret.encode().hex()}
    sent = [request.headers.get("authorization", "") for request in subject.gateway.requests] if subject.gateway else []
    return parts | encoded | {text.rpartition(" ")[2] for text in sent if text}


def _echoes(secret: str, answers: Sequence[Answer]) -> Iterator[Echo]:
    for status in (200, 400, 401, 500):
        yield f"when the service repeats the request with status {status}", _repeat(status)
        yield f"when a page repeats the request with status {status}", _repeat_in_page(status)
    yield "when the service adds the request to its answers", _replay(answers, _add_echo(secret))
    yield "when the service repeats the secret in texts", _replay(answers, _append(secret))
    for padding in _PADDINGS:
        text = "x" * padding + secret
        where = f"when the service repeats the secret after {padding} other characters"
        yield f"{where} in its refusal", _refuse(text)
        yield f"{where} where something else belongs", _replay(answers, _replace([text]))


def _told(request: Request) -> str:
    lines = [request.method, request.target, *(f"{name}: {value}" for name, value in request.headers.items())]
    return "\n".join([*lines, request.body.decode("utf-8", "replace")])


def _repeat(status: int) -> Respond:
    return lambda request: Answer(status, json.dumps({"error": _told(request), "message": _told(request)}).encode())


def _repeat_in_page(status: int) -> Respond:
    def respond(request: Request) -> Answer:
        page = f"<html><title>{_told(request)}</title><body>{_told(request)}</body></html>"
        return Answer(status, page.encode(), {"Content-Type": "text/html"})

    return respond


def _refuse(text: str) -> Respond:
    return lambda _request: Answer(400, json.dumps({"error": text, "message": text}).encode())


def _replay(answers: Sequence[Answer], change: Change) -> Respond:
    """The answers of the double once more, each text in them changed."""
    number = count()

    def respond(request: Request) -> Answer:
        if not answers:
            return Answer(404, b"{}")
        answer = answers[min(next(number), len(answers) - 1)]
        try:
            body = json.dumps(_changed(json.loads(answer.body), change)).encode()
        except ValueError:
            body = answer.body + _told(request).encode()
        return Answer(answer.status, body, answer.headers)

    return respond


def _changed(value: Any, change: Change) -> Any:
    if isinstance(value, dict):
        made = {key: _changed(item, change) for key, item in value.items()}
        return {**made, **added} if isinstance(added := change(made), Mapping) else made
    if isinstance(value, list):
        return [_changed(item, change) for item in value]
    changed = change(value)
    return value if isinstance(changed, Mapping) else changed


def _replace(wrong: list[str]) -> Change:
    return lambda _value: wrong


def _add_echo(secret: str) -> Change:
    return lambda _value: {"echo": f"Authorization: Bearer {secret}"}


def _append(secret: str) -> Change:
    return lambda value: f"{value} {secret}" if isinstance(value, str) else value
