"""Makes the pictures of docs/pages.md from a server and a sandbox: python -m browser.screenshots, in tests."""

import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from browser.world import browsing, fill_analytics, order_fault, visit, write_flows
from server.conftest import FLOW, Server

from connector.sandbox import Sandbox
from connector.sandbox.server import running

IMAGES = Path(__file__).parents[2] / "docs" / "images"
DESKTOP, PHONE = {"viewport": {"width": 1100, "height": 700}}, {"viewport": {"width": 390, "height": 780}}


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running() as sandbox:
        environment = {
            "PATH": os.environ["PATH"],
            "CHATFORGE_BASE_URL": sandbox.url,
            "CHATFORGE_API_KEY": sandbox.api_key,
            "CHATFORGE_WEBHOOK_SECRET": sandbox.webhook_secret,
            "CHATFORGE_DATABASE_URL": "sqlite:///runs.sqlite",
        }
        fill_analytics(Path(folder) / "runs.sqlite", sandbox.agent_id, datetime.now(UTC))
        server = Server(Path(folder), environment, write_flows(Path(folder) / "flows", FLOW)).start("--port", "0")
        sandbox.webhook_url = f"{server.address}/webhooks/chatforge"
        try:
            _live(sandbox)
            _take(server.address)
        finally:
            server.stop()


def _live(sandbox: Sandbox) -> None:
    """What happens to a few visitors."""
    visit(sandbox, visitor_email="ann@example.com", visitor_name="Ann")
    time.sleep(1)
    order_fault(sandbox, "v1-message", cut="after_effect")
    visit(sandbox, visitor_email="dora@example.com", visitor_name="Dora")
    time.sleep(1)
    order_fault(sandbox, "v1-message", status=400, body={"error": "the conversation is closed"})
    visit(sandbox, visitor_email="fred@example.com", visitor_name="Fred")
    visit(sandbox, visitor_phone="+1 480 555 1234", visitor_name="Paula")
    visit(sandbox, visitor_email="boss@example.com", visitor_name="The boss")
    time.sleep(2)


def _take(address: str) -> None:
    for name, path, how in (
        ("home", "/", DESKTOP),
        ("home-dark", "/", DESKTOP | {"color_scheme": "dark"}),
        ("home-phone", "/", PHONE),
        ("events", "/events", DESKTOP),
    ):
        with browsing(address, **how) as (page, _):
            page.goto(path)
            page.screenshot(path=IMAGES / f"{name}.png", full_page=True)
    with browsing(address, **DESKTOP) as (page, _):
        page.goto("/runs?status=held")
        page.get_by_role("link", name="lead-to-crm").first.click()
        page.get_by_text("Nobody knows").wait_for()
        page.screenshot(path=IMAGES / "held-run.png", full_page=True)
    with browsing(address, **DESKTOP) as (page, _):
        page.goto("/operations/chatforge.inject_message")
        for name in ("agent_id", "conversation_id"):
            page.get_by_role("button", name=f"Choose {name}").click()
            field = page.get_by_label(name, exact=True)
            first = page.locator(f"#{field.get_attribute('list')} option").first
            field.fill(first.get_attribute("value") or "")
        page.get_by_label("content", exact=True).fill("Hi Ann, this is Cal jumping in.")
        page.get_by_role("button", name="Preview").click()
        page.get_by_text("Nothing was sent").wait_for()
        page.screenshot(path=IMAGES / "operation.png")
        page.goto("/analytics")
        while page.get_by_text("not known yet").count():
            page.reload()
        page.get_by_label("Time").select_option("30 days")
        page.get_by_role("button", name="Show").click()
        page.screenshot(path=IMAGES / "analytics.png", full_page=True)
    sys.stdout.write(f"{len(list(IMAGES.glob('*.png')))} pictures in {IMAGES.name}\n")


if __name__ == "__main__":
    main()
