"""Runs the command as a user would: a process, its exit code, what it printed."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

FLOW = Path(__file__).parents[2] / "docs" / "flows" / "lead-to-crm.yaml"


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    error: str


@pytest.fixture
def chatforge(tmp_path: Path) -> Callable[..., Result]:
    """`chatforge("runs", "list", CHATFORGE_API_KEY="…")` in an empty folder with nothing else set."""

    def run(*arguments: str, timeout: float = 60, **environment: str) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "connector", *arguments],
            env={"PATH": os.environ["PATH"], "CHATFORGE_DATABASE_URL": "sqlite:///runs.sqlite", **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def flow(tmp_path: Path) -> str:
    """The example flow, beside nothing else."""
    path = tmp_path / "leads.yaml"
    path.write_bytes(FLOW.read_bytes())
    return path.name
