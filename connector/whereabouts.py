"""What a task works on: `flow`, `run` and `step`, or `event`, as far as there is one. Log lines say it.

    with whereabouts.at(flow="lead-to-crm", run=run.id):
        log.info("…")

A task that is made inside begins with the same.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

NAMES = ("flow", "run", "step", "event")

_known: ContextVar[Mapping[str, str]] = ContextVar("known", default=MappingProxyType({}))


@contextmanager
def at(**names: str) -> Iterator[None]:
    """Beside what is known already; the innermost counts."""
    token = _known.set({**_known.get(), **names})
    try:
        yield
    finally:
        _known.reset(token)


def find() -> Mapping[str, str]:
    """What is known here."""
    return _known.get()
