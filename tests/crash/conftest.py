"""A world for each store, which the tests of a module share."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import postgres
import pytest
from crash.server import Nursery
from crash.world import World

from connector.engines import Address
from connector.sandbox import SandboxSettings
from connector.sandbox.server import running


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with closing(Nursery()) as nursery:
        yield nursery


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def world(
    request: pytest.FixtureRequest, nursery: Nursery, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp(request.param)
    with ExitStack() as opened:
        if request.param == "sqlite":
            database: Address = folder / "runs.sqlite"
        else:
            database = opened.enter_context(postgres.schema(request.getfixturevalue("postgres_server")))
        yield opened.enter_context(settled_world(nursery, folder, database))


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[postgres.Server]:
    """One that may be stopped."""
    with postgres.own_server() as server:
        yield server


@pytest.fixture(scope="module")
def own_world(
    own_postgres: postgres.Server, nursery: Nursery, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A world whose database is the only one of `own_postgres`."""
    with settled_world(nursery, tmp_path_factory.mktemp("own"), own_postgres.url) as world:
        yield world


@contextmanager
def settled_world(nursery: Nursery, folder: Path, database: Address) -> Iterator[World]:
    """A world in which nothing has happened."""
    # Its own secret: the port of a server that was killed may be that of another test's by the next delivery.
    secret = f"whsec_{secrets.token_hex(8)}"
    with running(SandboxSettings(rate_limit=900_000, webhook_secret=secret)) as sandbox:
        chat = {"messages": ["hello"], "webhook": False}
        told = httpx.post(f"{sandbox.control_url}/visitors", json=chat).raise_for_status().json()
        with closing(World(nursery, folder, database, sandbox, told["conversation_id"])) as world:
            yield world
