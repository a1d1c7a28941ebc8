"""What a person tries with the page of an operation, in Chromium."""

import pytest
from axe_core_python.sync_playwright import Axe
from browser.test_pages import PHONE, TOO_WIDE
from browser.world import browsing, visit
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def texts(sandbox, conversation):
    return [message.content for message in sandbox.find_conversation(conversation)[1].messages]


def choose(page, name):
    """Load what there is to choose from for a field; the first value of it."""
    page.get_by_role("button", name=f"Choose {name}", exact=True).click()
    field = page.get_by_label(name, exact=True)
    listed = page.locator(f"#{field.get_attribute('list')} option")
    expect(listed).not_to_have_count(0)
    value = listed.first.get_attribute("value")
    field.fill(value)
    return value


def test_agents_are_listed(page, sandbox):
    page.goto("/")
    page.get_by_role("link", name="Operations").click()
    page.get_by_label("Part of a name or a description").fill("list all agents")
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("link", name="List agents").click()
    page.get_by_role("button", name="Run it").click()
    expect(page.get_by_role("region", name="What came of it")).to_be_focused()
    expect(page.get_by_text(f'"id": "{sandbox.agent_id}"')).to_be_visible()


@pytest.mark.parametrize("how", [{}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"])
def test_message_is_previewed_refused_without_the_checkbox_and_sent_with_it(server, sandbox, how):
    conversation = visit(sandbox, visitor_name="Ann <b>")["conversation_id"]
    with browsing(server.address, **how) as (page, said):
        page.set_default_timeout(10_000)
        page.goto("/operations/chatforge.inject_message")
        assert choose(page, "agent_id") == sandbox.agent_id
        assert choose(page, "conversation_id") == conversation
        expect(page.get_by_text("1 to choose from")).to_have_count(2)
        page.get_by_label("content", exact=True).fill("Hello\nfrom the <team>")
        page.get_by_role("button", name="Preview").click()
        expect(page.get_by_text("Nothing was sent. It would begin")).to_be_visible()
        page.get_by_role("button", name="Run it").click()
        expect(page.get_by_text("acts once more each time, and nothing was done")).to_be_visible()
        assert "Hello\nfrom the <team>" not in texts(sandbox, conversation)
        for look in (lambda: Axe().run(page)["violations"], lambda: page.evaluate(TOO_WIDE)):
            assert look() == []
        page.get_by_label("This really does it").check()
        page.get_by_role("button", name="Run it").dblclick()
        expect(page.get_by_text('"content": "Hello\\nfrom the <team>"').first).to_be_visible()
        expect(page.get_by_label("content", exact=True)).to_have_value("Hello\nfrom the <team>")
        expect(page.get_by_label("This really does it")).not_to_be_checked()
        assert texts(sandbox, conversation).count("Hello\nfrom the <team>") == 1
        for look in (lambda: Axe().run(page)["violations"], lambda: page.evaluate(TOO_WIDE)):
            assert look() == []
        assert said == []


def test_wrong_json_is_named_and_stays(page):
    page.goto("/operations/contacts.upsert")
    page.get_by_label("email", exact=True).fill("ann@example.com")
    page.get_by_label("properties", exact=True).fill('{"source": ')
    page.get_by_label("This really does it").check()
    page.get_by_role("button", name="Run it").click()
    expect(page.get_by_text("properties: expected map[any] as JSON")).to_be_visible()
    expect(page.get_by_label("properties", exact=True)).to_have_value('{"source": ')
    page.get_by_label("properties", exact=True).fill('{"source": "chat"}')
    page.get_by_label("This really does it").check()
    page.get_by_role("button", name="Run it").click()
    expect(page.get_by_text('"created": true')).to_be_visible()


def test_lead_is_fetched(page, sandbox):
    visit(sandbox, visitor_email="ann@example.com")
    page.goto("/operations/chatforge.new_lead")
    page.get_by_role("button", name="Fetch one").click()
    expect(page.get_by_text('"visitor_email": "ann@example.com"')).to_be_visible()
