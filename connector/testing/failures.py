"""Whether an action tells its host what went wrong: the kind, whether it was processed, whether it may pass."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import pytest

from connector.errors import ActionError, ConnectorError, Processed
from connector.testing.gateway import Answer
from connector.testing.subject import Subject, fail

_RETRY_AFTER = 7
_PAGE = b"<!DOCTYPE html>\n<html><head><title>Welcome</title></head><body>Please log in.</body></html>\n"


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer of the service, and what the action has to make of it."""

    situation: str
    answer: Answer | None
    kinds: Sequence[str]
    processed: Processed
    transient: bool | None
    """None where either will do."""
    retry_after: float | None = None


def _refusal(status: int, **headers: str) -> Answer:
    body = b'{"error": "this is how the service says\\nno"}'
    return Answer(status, body, {"Content-Type": "application/json", **headers})


GARBAGE = Failure("garbage with status 200", Answer(200, b'\x00\xff{"id": '), ("output",), "unknown", transient=None)
MISSING = Failure("status 404", _refusal(404), ("not_found",), "no", transient=False)
FAILURES = (
    Failure("status 401", _refusal(401), ("authentication",), "no", transient=False),
    Failure("status 403", _refusal(403), ("permission", "plan", "authentication", "rejected"), "no", transient=False),
    MISSING,
    Failure(
        "status 429 with Retry-After: 7",
        _refusal(429, **{"Retry-After": str(_RETRY_AFTER)}),
        ("rate_limit",),
        "no",
        transient=True,
        retry_after=_RETRY_AFTER,
    ),
    Failure("status 500", _refusal(500), ("server",), "unknown", transient=True),
    Failure("status 503", _refusal(503), ("server",), "unknown", transient=True),
    Failure("an HTML page", Answer(200, _PAGE, {"Content-Type": "text/html"}), ("output",), "unknown", transient=None),
    GARBAGE,
    Failure("a connection that is cut", None, ("network",), "unknown", transient=True),
)


async def require_mapped(
    subject: Subject, name: str, any_body: Collection[str], missing_is_null: Collection[str]
) -> None:
    """Each failure becomes the right ActionError; all that do not are named."""
    not_expected = [GARBAGE] * (name in any_body) + [MISSING] * (name in missing_is_null)
    expected = [failure for failure in FAILURES if failure not in not_expected]
    faults = [fault for failure in expected for fault in await _provoke(subject, name, failure)]
    if faults:
        fail("\n".join(faults))


async def _provoke(subject: Subject, name: str, failure: Failure) -> list[str]:
    """In an adapter of its own: a rate budget may wait after a 429."""
    gateway = subject.gateway
    assert gateway is not None  # noqa: S101 - the suite asks only where there is one
    gateway.respond = lambda _request: failure.answer
    gateway.requests.clear()
    try:
        async with subject.open() as adapter:
            await subject.run(adapter, name)
    except ConnectorError as error:
        if gateway.requests:
            return list(_faults(subject, name, failure, error))
        fail(f"{subject.full(name)} failed before it sent anything: {error}; give `inputs` an input that fits")
    if not gateway.requests:
        pytest.skip(f"{subject.full(name)} sends no request")
    return [f"{_said(subject, name, failure)} was taken as a success; raise an error of kind {failure.kinds[0]!r}"]


def _faults(subject: Subject, name: str, failure: Failure, error: ConnectorError) -> Iterator[str]:
    said, text = _said(subject, name, failure), str(error)
    shown = repr(text[:120])
    if not isinstance(error, ActionError) or error.kind not in failure.kinds:
        kind = error.kind if isinstance(error, ActionError) else type(error).__name__
        yield f"{said} was raised as kind {kind!r} ({shown}); raise the error of kind {failure.kinds[0]!r}"
        return
    if error.processed != failure.processed:
        known = "that it has not acted" if failure.processed == "no" else "whether it has acted"
        yield (
            f"{said} was raised with processed {error.processed!r}, but that answer "
            f"{'shows' if failure.processed == 'no' else 'leaves open'} {known}; say processed={failure.processed!r}"
        )
    if failure.transient not in (None, error.transient):
        yield f"{said} was raised with transient {error.transient}; say transient={failure.transient}"
    if error.retry_after != failure.retry_after and failure.retry_after is not None:
        yield f"{said} was raised with retry_after {error.retry_after!r}; say retry_after={failure.retry_after:g}"
    if not text.strip() or "\n" in text:
        yield f"{said} was raised with the message {shown}; write one line that says what to do"


def _said(subject: Subject, name: str, failure: Failure) -> str:
    return f"{subject.full(name)}: {failure.situation}"
