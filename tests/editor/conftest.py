"""The packages of npm that stand for an editor; `make test-editor` installs them."""

from pathlib import Path

import pytest

MODULES = Path(__file__).parents[2] / ".venv" / "editor" / "node_modules"


@pytest.fixture(scope="session")
def modules() -> Path:
    assert MODULES.is_dir(), f"{MODULES} is missing; run: make test-editor"
    return MODULES
