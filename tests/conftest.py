"""The built-in plugins and an adapter over them; the ChatForge behind it is the sandbox."""

import fcntl
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from pathlib import Path

import postgres
import pytest

from connector import settings
from connector.adapter import Adapter
from connector.database import PostgresUrl
from connector.registry import GROUP, Registry, load
from connector.sandbox import Sandbox
from connector.sandbox.server import running

ROOT = Path(__file__).parents[1]
_PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check")
NOW = datetime(2026, 3, 25, 10, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def built_in_points() -> list[EntryPoint]:
    """The entry points of the project, also where it is not installed."""
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][GROUP]
    return [EntryPoint(name, value, GROUP) for name, value in points.items()]


@pytest.fixture(scope="session")
def built_in(built_in_points: list[EntryPoint]) -> Registry:
    return load(built_in_points)


@pytest.fixture
def make_adapter(tmp_path: Path, built_in: Registry) -> Callable[..., Adapter]:
    """make_adapter(registry, NAME=value, …) → an adapter with these variables and tmp_path's connections.yaml."""

    def make(registry: Registry = built_in, **environ: str) -> Adapter:
        return Adapter(registry, settings.load(tmp_path, environ=environ), lambda: NOW)

    return make


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresUrl]:
    with postgres.running() as url:
        yield url


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running() as served:
        yield served


@pytest.fixture(scope="session")
def core_python(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The Python of an environment in which only the core is installed; one for all test processes."""
    shared = tmp_path_factory.getbasetemp() if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    python = shared / "core" / "bin" / "python"
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CHATFORGE_"))}
    with (shared / "core.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "core.made").exists():
            for command in ([sys.executable, "-m", "venv", python.parents[1]], [python, *_PIP, "install", ROOT]):
                subprocess.run([str(part) for part in command], cwd=shared, env=environ, check=True)
            (shared / "core.made").touch()
    return python
