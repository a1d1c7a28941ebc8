"""A server with a sandbox, and a browser that looks at it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, sync_playwright

from connector.sandbox import Sandbox

CHROMIUM = "/usr/bin/chromium"
ASKING = """\
flow: ask-first
trigger: {uses: chatforge.lead_captured, if: trigger.visitor_email == 'boss@example.com'}
steps:
  - id: sure
    approve:
      title: May the boss be greeted?
      form: {tone: {type: "'formal' | 'casual'"}, times: {type: int, default: 1}}
"""


def visit(sandbox: Sandbox, **visitor: Any) -> dict[str, Any]:
    """A visitor chats and leaves what is given."""
    answer = httpx.post(f"{sandbox.control_url}/visitors", json={"messages": ["Hello"], **visitor})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def order_fault(sandbox: Sandbox, action: str, **fault: Any) -> None:
    """The next request for that action is answered so."""
    answer = httpx.post(f"{sandbox.control_url}/faults", json={"action": action, "times": 1, **fault})
    assert answer.status_code == 201, answer.text


@contextmanager
def browsing(address: str, **how: Any) -> Iterator[tuple[Page, list[str]]]:
    """A page on that address, and what its console says."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(base_url=address, **how).new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        yield page, said
        browser.close()


def write_flows(folder: Path, lead_to_crm: Path) -> Path:
    """The flow of the README, and one that asks a person."""
    folder.mkdir()
    (folder / "lead-to-crm.yaml").write_text(lead_to_crm.read_text())
    (folder / "ask-first.yaml").write_text(ASKING)
    return folder
