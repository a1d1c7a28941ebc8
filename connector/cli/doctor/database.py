"""Checks the database without changing it and without leaving a file beside it."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from connector import engines, sqlite, upkeep
from connector.database import PostgresUrl
from connector.diagnosis.findings import (
    CheckError,
    Finding,
    Findings,
    fail,
    ok,
    skip,
    skip_after_failure,
    skip_all,
)
from connector.engines import Address
from connector.errors import ConnectorError
from connector.runs.upkeep.migrations import require_known

LEAST_SPACE = 200_000_000  # bytes
_SIZE = "SELECT pg_database_size(current_database()) AS size"
_CHECK = "PRAGMA quick_check(3)"
_EVENTS = "SELECT count(*) AS events FROM events"


def check_database(address: Address) -> Findings:
    looking = _look_at_file(address) if isinstance(address, Path) else _look_at_server(address)
    yield from skip_after_failure(("database", "in use", "integrity", "disk"), looking)


def _look_at_server(url: PostgresUrl) -> Findings:
    try:
        size = engines.read(url, lambda connection: connection.execute(_SIZE).fetchone()["size"])
        there, executed = engines.exists(url), engines.is_executed(url)
        engines.read(url, lambda connection: require_known(url, connection))
    except ConnectorError as error:
        step = "start the server, or correct CHATFORGE_DATABASE_URL"
        raise CheckError(fail("database", str(error), step), "the database cannot be used") from error
    yield ok("database", f"{url}, {size / 1e6:.1f} MB" if there else f"{url} has no tables yet; serve makes them")
    yield ok("in use", "by another chatforge process, which is fine" if executed else "no")
    yield from skip_all(("integrity", "disk"), "its server looks after that")


def _look_at_file(path: Path) -> Findings:
    folder = next(folder for folder in path.absolute().parents if os.path.exists(folder))
    if (fault := _find_fault(path, folder)) is not None:
        step = "set CHATFORGE_DATABASE_URL to another file, or correct the permissions"
        raise CheckError(fail("database", fault, step), "the database cannot be used")
    if os.path.exists(path):
        yield ok("database", f"{path}, {path.stat().st_size / 1e6:.1f} MB")
        yield ok("in use", "by another chatforge process, which is fine" if sqlite.is_executed(path) else "no")
        yield check_integrity(path)
    else:
        yield ok("database", f"{path} does not exist yet and can be made")
        yield from skip_all(("in use", "integrity"), "there is no database yet")
    yield _check_space(folder)


def _find_fault(path: Path, folder: Path) -> str | None:
    """Why the database could not be opened or made; `folder` is the nearest one above it that exists."""
    if not os.path.isdir(folder):
        return f"{path} cannot be made: {folder} is not a folder"
    if shutil.disk_usage(folder).total == 0:
        return f"{path} cannot be made: the folder {folder} keeps no files"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{path} cannot be written: the folder {folder} is read-only for this user"
    if os.path.exists(path) and not os.path.isfile(path):
        return f"{path} is not a file"
    if os.path.exists(path) and not os.access(path, os.R_OK | os.W_OK):
        return f"{path} is read-only for this user"
    return None


def check_integrity(path: Path) -> Finding:
    step = "restore it from a backup, or set CHATFORGE_DATABASE_URL to another file"
    try:
        if upkeep.has_unmerged(path):
            return skip("integrity", "its last writes are not merged yet; start the server once")
        problems = upkeep.read_untouched(path, lambda opened: [row[0] for row in opened.execute(_CHECK)])
        upkeep.read_untouched(path, lambda opened: require_known(path, opened))
    except ConnectorError as error:
        return fail("integrity", str(error.__cause__ or error), step)
    sound = problems == ["ok"]
    return Finding("integrity", "ok" if sound else "fail", "sound" if sound else "; ".join(problems), step)


def _check_space(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    step = "make room on this disk, or set CHATFORGE_DATABASE_URL to a file on another one"
    return Finding("disk", "ok" if free >= LEAST_SPACE else "warn", f"{free / 1e9:.1f} GB free", step)


def count_events(address: Address) -> int | None:
    """The webhook events of the journal; None where it cannot be read."""
    return _count_in_file(address) if isinstance(address, Path) else _count_on_server(address)


def _count_on_server(url: PostgresUrl) -> int | None:
    with suppress(ConnectorError):
        if engines.exists(url):
            return int(engines.read(url, lambda opened: opened.execute(_EVENTS).fetchone()["events"]))
    return None


def _count_in_file(path: Path) -> int | None:
    if not path.is_file() or upkeep.has_unmerged(path):
        return None
    with suppress(ConnectorError):
        return int(upkeep.read_untouched(path, lambda opened: opened.execute(_EVENTS).fetchone()["events"]))
    return None
