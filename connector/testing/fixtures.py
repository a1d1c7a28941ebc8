"""A ChatForge on this machine, and an adapter that reaches it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from connector import registry, settings
from connector.adapter import Adapter

if TYPE_CHECKING:
    from connector.sandbox import Sandbox


@pytest.fixture
def chatforge_sandbox() -> "Iterator[Sandbox]":
    """A running sandbox, new for each test; `chatforge_sandbox.url` is its address."""
    from connector.sandbox.server import running  # here, because it needs the extra `run`, and the contract does not

    with running() as sandbox:
        yield sandbox


@pytest.fixture
def chatforge_adapter(chatforge_sandbox: "Sandbox", tmp_path: Path) -> Adapter:
    """An adapter with all installed plugins, whose ChatForge is the sandbox. Use it with `async with`."""
    environ = {
        "CHATFORGE_BASE_URL": chatforge_sandbox.url,
        "CHATFORGE_API_KEY": chatforge_sandbox.api_key,
        "CHATFORGE_WEBHOOK_SECRET": chatforge_sandbox.webhook_secret,
        "CHATFORGE_DATABASE_URL": "sqlite:///chatforge.sqlite",
        "CHATFORGE_BUDGET_FILE": "budget.sqlite",
    }
    return Adapter(registry.load(), settings.load(tmp_path, environ=environ))
