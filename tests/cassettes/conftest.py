"""Replays through both transports, without a network; the folder can be another one: CASSETTES=cassettes-live."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path.append(str(HERE))  # the recorder is a script beside the tests, which share its modules

from replays import ENVIRON  # noqa: E402 - found only now

from connector.adapter import Adapter  # noqa: E402

COMMITTED = HERE.parents[1] / "cassettes"
FOLDER = HERE.parents[1] / os.environ.get("CASSETTES", "cassettes")

_guard = SimpleNamespace(active=False, attempts=[])


class NetworkIsOffError(Exception):
    """Something tried to reach the network."""


def _refuse_connections(event: str, arguments: tuple[Any, ...]) -> None:
    if _guard.active and event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        _guard.attempts.append((event, arguments[1:] if event == "socket.connect" else arguments))
        raise NetworkIsOffError(event)


sys.addaudithook(_refuse_connections)  # it sees every connection, also those of libraries; it cannot be removed


@pytest.fixture
def folder() -> Path:
    return FOLDER


@pytest.fixture
def committed() -> Path:
    return COMMITTED


@pytest.fixture
def attempts() -> Iterator[list[Any]]:
    """The network is off; whoever tries to connect gets an error and is found here. A test fails where any is left."""
    _guard.attempts.clear()
    _guard.active = True
    try:
        yield _guard.attempts
    finally:
        _guard.active = False
    assert _guard.attempts == []


@pytest.fixture(params=["aiohttp", "httpx"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which transport the adapter opens: without httpx-aiohttp it takes plain httpx."""
    if request.param == "httpx":
        monkeypatch.setitem(sys.modules, "httpx_aiohttp", None)  # as where it is not installed
    return str(request.param)


@pytest.fixture
def make_replayer(make_adapter: Callable[..., Adapter]) -> Callable[..., Adapter]:
    """make_replayer(NAME=value, …) → an adapter with the address and the key of the replay, unless told otherwise."""
    return lambda **environ: make_adapter(**(ENVIRON | environ))
