from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.world import browsing, write_flows
from playwright.sync_api import Page
from server.conftest import FLOW, make_server, sandbox

from connector.sandbox import Sandbox

__all__ = ["make_server", "sandbox"]


@pytest.fixture
def server(make_server: Callable[..., Any], sandbox: Sandbox, tmp_path: Path) -> Any:
    started = make_server(flows=write_flows(tmp_path / "flows", FLOW)).start("--port", "0")
    sandbox.webhook_url = f"{started.address}/webhooks/chatforge"
    return started


@pytest.fixture
def page(server: Any) -> Iterator[Page]:
    """Nothing is said in the console, but that an answer was a refusal."""
    with browsing(server.address) as (page, said):
        page.set_default_timeout(10_000)
        yield page
        assert [line for line in said if "the server responded with a status of 4" not in line] == []
