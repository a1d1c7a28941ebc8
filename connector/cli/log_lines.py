"""The lines of the log: for people to read, or as JSON. Each says to which run and step it belongs.

Modules and plugins log with `logging`; nothing of them has to know this.
"""

import logging
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

import structlog

from connector import whereabouts
from connector.cli.output import printable
from connector.settings import LogFormat

Entry = MutableMapping[str, Any]

_LIBRARIES = ("httpx", "uvicorn")
"""They tell of each request, which may hold a secret or what a visitor wrote."""
_FIRST = ("time", "level", "message")
_TRACEBACK = "Traceback (most recent call last):\n"


def configure(format: LogFormat, level: int) -> None:
    """Write what is logged from now on, and is at least that important, to the standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(make_formatter(format))
    logging.basicConfig(level=level, handlers=[handler])
    for library in _LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)


def make_formatter(format: LogFormat) -> logging.Formatter:
    render: Callable[..., Any] = structlog.processors.JSONRenderer() if format == "json" else _render_text
    return structlog.stdlib.ProcessorFormatter(
        processors=[
            _add_facts,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            _add_whereabouts,  # only now: the id of an event is called `event`, as structlog calls the message
            _put_in_order,
            render,
        ]
    )


def _add_facts(_logger: object, _method: str, entry: Entry) -> Entry:
    record: logging.LogRecord = entry["_record"]
    moment = datetime.fromtimestamp(record.created, UTC)
    return {**entry, "time": moment, "level": record.levelname.lower(), "logger": record.name}


def _add_whereabouts(_logger: object, _method: str, entry: Entry) -> Entry:
    return {**entry, **whereabouts.find()}


def _put_in_order(_logger: object, _method: str, entry: Entry) -> Entry:
    moment = entry.pop("time").isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {**{name: entry.pop(name, moment) for name in _FIRST}, **entry}


def _render_text(_logger: object, _method: str, entry: Entry) -> str:
    """One line, in which whatever is no character to read is escaped; those of a traceback stand below, indented."""
    moment = datetime.fromisoformat(entry["time"]).astimezone()
    message, below = entry["message"], entry.get("exception", "")
    if message.startswith(_TRACEBACK):  # an action that failed unexpectedly; its last line says how
        message, below = message.rstrip().rpartition("\n")[2], message
    where = "".join(f" {name}={printable(value)}" for name, value in entry.items() if name in whereabouts.NAMES)
    head = f"{moment:%Y-%m-%d %H:%M:%S}.{moment:%f}"[:23]
    line = f"{head} {entry['level'].upper()} {printable(message)}{where and ' '}{where}"
    return "\n".join([line, *(f"    {printable(one)}" for one in below.splitlines())])
