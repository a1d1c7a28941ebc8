"""A server with a sandbox, and a browser that looks at it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, sync_playwright

from connector.chatforge.analytics import store
from connector.chatforge.analytics.sample import Sample
from connector.chatforge.analytics.store import Agent
from connector.database import split_script
from connector.sandbox import Sandbox
from connector.sqlite import connect, transaction

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


def fill_analytics(database: Path, agent_id: str, now: datetime) -> None:
    """Samples of a year: some a day, and one each hour of the last month."""
    agent = Agent("default", agent_id)
    night = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = [night - timedelta(days=day, minutes=minutes) for day in range(380, 30, -1) for minutes in (30, 0)]
    moments = [*days, *(now - timedelta(hours=hour) for hour in range(31 * 24, -1, -1))]
    begun = {f"{moment:%Y-%m}": moment for moment in reversed(moments)}

    with closing(connect(database.with_name("analytics.sqlite"))) as connection, transaction(connection):
        for statement in split_script(store.SCHEMA):
            connection.execute(statement)
        for moment in moments:
            begin = begun[f"{moment:%Y-%m}"]
            talks, all_talks = _count(moment) - _count(begin), _count(moment)
            sample = Sample(moment, f"{moment:%Y-%m}", talks, talks // 5, talks * 6, all_talks, all_talks // 5)
            store.add(connection, agent, sample)


def _count(moment: datetime) -> int:
    """Conversations until then: more by day, and fewer on weekends."""
    days, seconds = divmod(int(moment.timestamp()), 86_400)
    weeks, day = divmod(days, 7)
    of_week = (12, 9, 3, 2, 11, 14, 12)  # 1970 began on a Thursday
    return weeks * sum(of_week) + sum(of_week[:day]) + of_week[day] * max(0, min(seconds - 25_000, 50_000)) // 50_000


def write_flows(folder: Path, lead_to_crm: Path) -> Path:
    """The flow of the README, and one that asks a person."""
    folder.mkdir()
    (folder / "lead-to-crm.yaml").write_text(lead_to_crm.read_text())
    (folder / "ask-first.yaml").write_text(ASKING)
    return folder
