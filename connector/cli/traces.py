"""Whether runs are traced: where a collector is named, and the extra `otel` is installed."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from connector.runs.observers import Observer
from connector.settings import find_collector

log = logging.getLogger(__name__)

_MISSING = (
    "OTEL_EXPORTER_OTLP_ENDPOINT is set, but no traces are sent: %s; install what that needs with: "
    "pip install 'chatforge-connector[otel]'"
)


@contextmanager
def follow() -> Iterator[Sequence[Observer]]:
    """Who sends traces of the runs of this process; nobody where none are wanted."""
    if find_collector(Path.cwd()) is None:
        yield ()
        return
    try:
        from connector.spans import Spans  # here, because it is optional
    except ImportError as error:
        log.warning(_MISSING, error)
        yield ()
        return
    spans = Spans()
    try:
        yield (spans,)
    finally:
        spans.close()
