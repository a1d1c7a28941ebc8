"""What the server finds by polling, in a real process, and what it makes of answers that are no lists."""

import signal

import httpx
import pytest

FLOW = """\
flow: greet
trigger:
  uses: chatforge.lead_captured
  with: {every: 1s, wait_for_lead: 1m}
steps:
  - id: contact
    uses: contacts.upsert
    with: {email: "${{ trigger.visitor_email ?? 'nobody@example.com' }}"}
"""


def visit(sandbox, name: str, **visitor) -> None:
    body = {"visitor_name": name, "visitor_email": f"{name}@example.com", "page_url": "https://example.com/"}
    httpx.post(f"{sandbox.control_url}/visitors", json=body | visitor).raise_for_status()


def fail(sandbox, **fault) -> None:
    httpx.post(f"{sandbox.control_url}/faults", json=fault).raise_for_status()


def clear_faults(sandbox) -> None:
    httpx.delete(f"{sandbox.control_url}/faults").raise_for_status()


def started(server) -> dict[str, str | None]:
    """The lead ids by visitor."""
    triggers = [run.trigger for run in server.runs()]
    assert len({trigger["visitor_name"] for trigger in triggers}) == len(triggers), "somebody was told of twice"
    return {trigger["visitor_name"]: trigger["lead_id"] for trigger in triggers}


@pytest.fixture
def polling(make_server, sandbox, tmp_path):
    """A server that has seen the list, empty as it is."""
    (tmp_path / "flow.yaml").write_text(FLOW)
    httpx.patch(f"{sandbox.control_url}/settings", json={"rate_limit": 10_000}).raise_for_status()
    server = make_server(flows=tmp_path / "flow.yaml", environment={"CHATFORGE_RATE_LIMIT": "10000"})
    server.start("--port", "0")
    sandbox.webhook_url = f"{server.address}/webhooks/chatforge"
    server.wait_for(lambda: server.query("SELECT 1 FROM polls WHERE swept_at IS NOT NULL"))
    return server


def test_lead_is_found_with_and_without_its_webhook(polling, sandbox):
    visit(sandbox, "ann")
    visit(sandbox, "ben", webhook=False)
    polling.wait_for(lambda: started(polling).keys() == {"ann", "ben"})
    assert None not in started(polling).values()


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ({"status": 200, "style": "html", "body": "<title>Sign in</title>"}, "got an HTML page 'Sign in' (status 200)"),
        ({"status": 200, "body": {"rows": []}}, "has no list 'leads', but {'rows': []}"),
        ({"status": 500}, "ChatForge failed (500"),
        ({"cut": "mid_answer"}, "closed or broke the connection"),
    ],
    ids=["page", "no list", "error", "cut"],
)
def test_answer_that_is_no_list_is_logged_once_and_loses_nothing(polling, sandbox, fault, complaint):
    fail(sandbox, action="v1-leads", times=2, **fault)
    visit(sandbox, "ann", webhook=False)
    polling.wait_for(lambda: "works again" in polling.log())
    polling.wait_for(lambda: started(polling).keys() == {"ann"})
    lines = [line for line in polling.log().splitlines() if "polling" in line]
    assert len(lines) == 2, lines
    assert complaint in lines[0]


def test_webhook_starts_its_flow_at_once_while_the_key_is_refused(polling, sandbox):
    fail(sandbox, action="v1-leads", status=401, times=1000)
    polling.wait_for(lambda: "the API key is not accepted" in polling.log())
    visit(sandbox, "ann")
    polling.wait_for(lambda: started(polling) == {"ann": None})
    clear_faults(sandbox)
    polling.wait_for(lambda: "works again" in polling.log())
    visit(sandbox, "ben", webhook=False)
    polling.wait_for(lambda: "ben" in started(polling))
    assert started(polling)["ann"] is None, "its lead has started nothing"
    assert polling.log().count("the API key is not accepted") == 1


WAITING = """\
flow: pair
trigger: {uses: chatforge.lead_captured, with: {every: 1s, wait_for_lead: 1s}, if: trigger.visitor_name == 'ann'}
steps:
  - id: second
    wait_for:
      uses: chatforge.new_lead
      with: {every: 1s}
      match: event.visitor_name == 'ben'
      timeout: 1h
outputs: {second: "${{ steps.second?.visitor_email }}"}
"""


@pytest.mark.parametrize("text", ["same", "edited"])
def test_lead_that_a_step_waits_for_is_polled_also_when_it_came_while_the_server_was_down(
    make_server, sandbox, tmp_path, text
):
    (tmp_path / "flow.yaml").write_text(WAITING)
    httpx.patch(f"{sandbox.control_url}/settings", json={"rate_limit": 10_000}).raise_for_status()
    settings = {"flows": tmp_path / "flow.yaml", "environment": {"CHATFORGE_RATE_LIMIT": "10000"}}
    first = make_server(**settings).start("--port", "0")
    first.wait_for(lambda: first.query("SELECT 1 FROM polls WHERE swept_at IS NOT NULL"))
    visit(sandbox, "ann", webhook=False)
    [waiting] = first.wait_for(lambda: [run.id for run in first.runs() if run.status == "waiting"])
    first.stop(signal.SIGKILL)
    (tmp_path / "flow.yaml").write_text(WAITING if text == "same" else FLOW.replace("greet", "pair"))
    visit(sandbox, "ben", webhook=False)
    second = make_server(**settings).start("--port", "0")
    [run] = second.wait_for(lambda: [run for run in second.runs() if run.id == waiting and run.status == "succeeded"])
    assert run.outputs == {"second": "ben@example.com"}
