"""What a person does with the pages, in Chromium."""

import re
from datetime import UTC, datetime

import pytest
from axe_core_python.sync_playwright import Axe
from browser.world import browsing, fill_analytics, order_fault, visit
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

TOO_WIDE = """[...document.querySelectorAll('body *')]
  .filter((one) => one.getBoundingClientRect().right > window.innerWidth + 1)
  .filter((one) => !one.closest('pre, .skip, thead') && !one.matches('.graph *, .source *'))
  .map((one) => one.outerHTML.slice(0, 80))"""
OUT_OF_ITS_BOX = """[...document.querySelectorAll('.graph .box text')].filter((text) => {
  const one = text.getBoundingClientRect(), box = text.closest('.box').querySelector('rect').getBoundingClientRect();
  return one.left < box.left || one.right > box.right || one.top < box.top || one.bottom > box.bottom;
}).map((text) => text.textContent)"""
PHONE = {"viewport": {"width": 390, "height": 800}}


def find(page, text):
    """From the first page, as somebody would who asks why a lead was not greeted."""
    page.goto("/")
    page.get_by_label("Why was somebody not greeted?").fill(text)
    page.get_by_role("button", name="Find").click()


def test_run_appears_while_somebody_looks(page, sandbox):
    page.goto("/runs")
    expect(page.get_by_text("No run fits")).to_be_visible()
    visit(sandbox, visitor_email="ann@example.com", visitor_name="Ann")
    expect(page.get_by_role("cell", name="ann@example.com")).to_be_visible()
    page.get_by_role("link", name="lead-to-crm").click()
    expect(page.get_by_text("It did all its steps")).to_be_visible()
    page.get_by_text("Output", exact=True).first.click()
    expect(page.get_by_text('"created": true')).to_be_visible()


def test_held_run_is_resolved(page, sandbox):
    order_fault(sandbox, "v1-message", cut="after_effect")
    visit(sandbox, visitor_email="dora@example.com")
    page.goto("/")
    expect(page.get_by_text("1 run held")).to_be_visible()
    page.get_by_role("link", name="lead-to-crm").click()
    expect(page.get_by_text("Nobody knows whether takeover took effect")).to_be_visible()
    page.get_by_text("What did it give?").click()
    page.get_by_label("As JSON").fill("[")
    page.get_by_role("button", name="It took effect").click()
    expect(page.get_by_text("output is no JSON")).to_be_visible()
    page.get_by_role("link", name="Back").click()
    page.get_by_role("button", name="It took effect").click()
    expect(page.get_by_text("It did all its steps")).to_be_visible()
    expect(page.get_by_text("takeover took effect, by a person at this machine")).to_be_visible()


def test_failed_run_is_retried(page, sandbox):
    order_fault(sandbox, "v1-message", status=400, body={"error": "closed"})
    visit(sandbox, visitor_email="fred@example.com")
    find(page, "fred@")
    expect(page.get_by_text("the request was refused (400: 'closed')").first).to_be_visible()
    page.get_by_role("link", name="failed").first.click()
    page.get_by_role("button", name="Let it go on").click()
    expect(page.get_by_text("It did all its steps")).to_be_visible()


def test_many_failed_runs_go_on_with_one_click_and_not_with_a_second(page, sandbox):
    for name in ("fred", "flora"):
        order_fault(sandbox, "v1-message", status=400, body={"error": "closed"})
        visit(sandbox, visitor_email=f"{name}@example.com")
    page.goto("/runs?status=failed")
    expect(page.get_by_role("checkbox")).to_have_count(3)
    page.get_by_label("Select all shown").check()
    expect(page.get_by_label(re.compile("^lead-to-crm, fred@example.com"))).to_be_checked()
    stale = page.context.new_page()
    stale.goto("/runs?status=failed")
    stale.get_by_label("Select all shown").check()
    page.get_by_role("button", name="Let them go on").click()
    expect(page.get_by_role("heading", name="2 of 2 runs go on")).to_be_visible()
    expect(page.get_by_text("succeeded")).to_have_count(2)
    assert [one["id"] for one in Axe().run(page)["violations"] if one["impact"] in ("serious", "critical")] == []
    stale.get_by_role("button", name="Let them go on").click()
    expect(stale.get_by_role("heading", name="0 of 2 runs go on")).to_be_visible()
    expect(stale.get_by_text("has gone on since you looked at it")).to_have_count(2)


def test_graph_of_a_run_leads_to_its_steps(page, sandbox):
    visit(sandbox, visitor_email="ann@example.com")
    find(page, "ann@")
    page.get_by_role("link", name="succeeded").first.click()
    graph = page.get_by_role("region", name="Graph of the flow")
    expect(graph.get_by_role("group", name=re.compile("contact, contacts.upsert, succeeded; chat, "))).to_be_visible()
    assert page.evaluate(OUT_OF_ITS_BOX) == []
    graph.get_by_role("link", name="takeover: succeeded").click()
    expect(page.locator("li:target")).to_contain_text("takeover")
    expect(page.locator("li:target")).to_be_in_viewport()
    page.goto("/flows/lead-to-crm")
    expect(page.get_by_role("img", name=re.compile("contact, contacts.upsert; chat, "))).to_be_visible()
    assert page.evaluate(OUT_OF_ITS_BOX) == []


def test_person_who_is_asked_approves(page, sandbox):
    visit(sandbox, visitor_email="boss@example.com")
    page.goto("/")
    expect(page.get_by_text("Runs that ask")).to_be_visible()
    page.get_by_role("link", name="ask-first").first.click()
    expect(page.get_by_text("May the boss be greeted?").first).to_be_visible()
    page.get_by_role("button", name="Approve").click()  # the browser asks for what is required
    page.get_by_label("tone").select_option("formal")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("h1 .status")).to_have_text("succeeded")


def test_lead_that_started_nothing_says_why(page, sandbox):
    visit(sandbox, visitor_phone="+15551234", visitor_name="Paula")
    find(page, "paula")
    reason = "started nothing: trigger.if: trigger.visitor_email != null is false: trigger.visitor_email is null"
    expect(page.get_by_text(re.compile(re.escape(reason))).first).to_be_visible()


def test_lead_that_is_known_was_not_greeted_though_its_run_succeeded(page, sandbox):
    visit(sandbox, visitor_email="ken@example.com", visitor_phone="1")
    visit(sandbox, visitor_email="ken@example.com", visitor_phone="2")
    find(page, "ken@")
    expect(page.get_by_text("with the same dedupe key").first).to_be_visible()


def test_connection_is_tested(page, sandbox):
    page.goto("/connections")
    row = page.get_by_role("row").filter(has_text="chatforge/default")
    row.get_by_role("button", name="Test").click()
    expect(row.get_by_role("status")).to_have_text("nothing failed, no warnings")
    expect(row.get_by_role("listitem").filter(has_text="includes the API: 1 agent")).to_be_visible()
    expect(row.get_by_role("status")).to_be_focused()  # and so in view, however long the page is
    order_fault(sandbox, "v1-agents", status=401)
    row.get_by_role("button", name="Test").click()
    expect(row.get_by_role("status")).to_have_text("1 failed, no warnings")
    failed = row.get_by_role("listitem").filter(has_text="the API key is not accepted")
    expect(failed).to_contain_text("→ set CHATFORGE_API_KEY")


@pytest.mark.parametrize("how", [{}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"])
def test_everybody_can_read_and_use_every_page(server, sandbox, how):
    order_fault(sandbox, "v1-message", cut="after_effect")
    visit(sandbox, visitor_email="a.very.long.address.of.somebody@department.of.something.example.com")
    visit(sandbox, visitor_email="boss@example.com")
    fill_analytics(server.database, sandbox.agent_id, datetime.now(UTC))
    months = f"/analytics?agent=default/{sandbox.agent_id}&period=12m"
    with browsing(server.address, **how) as (page, said):
        page.goto("/")
        expect(page.get_by_text("1 run held")).to_be_visible()
        run = page.get_by_role("link", name="lead-to-crm").get_attribute("href")
        page.goto(run)
        event = page.get_by_role("link", name=re.compile("^evt_")).get_attribute("href")
        files = ("/flows", "/flows/lead-to-crm", "/flows/files/ask-first.yaml")
        operations = ("/operations", "/operations/http.request", "/operations/chatforge.new_lead")
        runs = ("/runs", run, f"{run}/test", "/runs?status=held", "/runs/none")
        tested = "/connections?test=chatforge/default"
        places = ("/", "/events", event, "/connections", tested, "/analytics", months)
        for path in (*places, *runs, *files, *operations):
            page.goto(path)
            if path == months:
                page.get_by_text("The numbers as a table").click()
            found = Axe().run(page)["violations"]
            serious = [(one["id"], one["help"]) for one in found if one["impact"] in ("serious", "critical")]
            assert serious == [], path
            wide = page.evaluate(TOO_WIDE)
            assert wide == [], path
        assert [line for line in said if "404" not in line] == []


def test_agent_and_time_of_the_numbers_are_chosen(page, server, sandbox):
    fill_analytics(server.database, sandbox.agent_id, datetime.now(UTC))
    page.goto(f"/analytics?agent=default/{sandbox.agent_id}")
    page.get_by_label("Time").select_option("12 months")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("img", name="Leads for each month")).to_be_visible()
    page.get_by_text("The numbers as a table").click()
    expect(page.get_by_role("row")).to_have_count(14)


def test_keyboard_reaches_what_can_be_decided(page, sandbox):
    order_fault(sandbox, "v1-message", cut="after_effect")
    visit(sandbox, visitor_email="dora@example.com")
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_text("1 run held")).to_be_visible()
    page.get_by_role("link", name="lead-to-crm").focus()
    page.keyboard.press("Enter")
    button = page.get_by_role("button", name="It did not: do it again")
    expect(button).to_be_visible()
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("It did all its steps")).to_be_visible()


def test_visitor_is_greeted_while_the_run_appears(page, sandbox):
    page.goto("/runs")
    chat = page.context.browser.new_page(base_url=sandbox.chat_url)
    chat.goto("/")
    chat.get_by_label("Message").fill("What do you charge? <b>")
    chat.get_by_role("button", name="Send").click()
    expect(chat.get_by_text("Somebody of our team knows best")).to_be_visible()
    chat.get_by_label("Your e-mail").fill("ann@example.com")
    chat.get_by_label("Your name").fill("Ann")
    chat.get_by_role("button", name="Leave it").click()
    expect(chat.get_by_text("You are a lead now")).to_be_visible()
    expect(chat.get_by_text("Hi Ann, this is Cal jumping in.")).to_be_visible(timeout=15_000)
    expect(chat.get_by_text("A person of the team")).to_be_visible()
    assert [one["id"] for one in Axe().run(chat)["violations"] if one["impact"] in ("serious", "critical")] == []
    expect(page.get_by_role("cell", name="ann@example.com")).to_be_visible()
