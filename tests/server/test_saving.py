"""A run as a test, from its page: it passes, with what the visitor wrote and with examples in its place."""

import os
import re
import subprocess
import sys
from html import unescape

import pytest
from server.conftest import FLOW
from server.test_pages import get, order_fault, visit, wait_for_run

KINDS = """
flow: kinds
trigger: {uses: chatforge.lead_captured, if: trigger.visitor_phone != null}
steps:
  - id: sorted
    switch:
      on: trigger.source
      cases: {poll: [{id: polled, uses: contacts.list}]}
      default: [{id: hooked, uses: contacts.list}]
  - {id: pause, wait: 100ms}
  - id: each
    for_each: "['Kim', trigger.visitor_name ?? 'nobody']"
    uses: contacts.upsert
    with: {email: "${{ item.lower() }}@example.com", name: "${{ item }}", note: "Call ${{ trigger.visitor_phone }}"}
  - {id: only_us, if: "trigger.visitor_phone.starts_with('+1 480')", uses: contacts.list}
outputs: {first: "${{ (trigger.visitor_name ?? 'nobody').split(' ')[0] }}"}
"""
PERSON = {"visitor_name": "Dora Miller", "visitor_email": "Dora.Miller@firm.example"}


@pytest.fixture(scope="module")
def flows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flows")
    (folder / "leads.yaml").write_text(FLOW.read_text())
    (folder / "kinds.yaml").write_text(KINDS)
    return folder


@pytest.fixture
def server(make_server, sandbox, flows):
    started = make_server(flows=flows).start("--port", "0")
    sandbox.webhook_url = f"{started.address}/webhooks/chatforge"
    return started


def passes(folder, flow, *texts):
    """As somebody who has copied each text from the page and put it beside the flow."""
    paths = []
    for number, text in enumerate(texts):
        beside = folder / f"{flow}-{number}"
        beside.mkdir()
        (beside / f"{flow}.yaml").write_text((folder / f"{flow}.yaml").read_text())
        (beside / f"{flow}.test.yaml").write_text(text)
        paths.append(str(beside))
    command = [sys.executable, "-m", "connector", "test", *paths]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def text_of(server, run, personal, file="leads"):
    path = f"/runs/{run['id']}/test"
    page = get(server, f"{path}?personal={personal}").text
    [shown] = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    answer = get(server, f"{path}.yaml?personal={personal}")
    assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{file}.test.yaml"
    assert answer.headers["content-type"].startswith("text/yaml")
    assert answer.text == unescape(shown)
    return answer.text


def test_run_of_all_kinds_passes_as_a_test(server, sandbox, flows):
    visit(sandbox, **PERSON, visitor_phone="+1 480 555 1234")
    [run] = server.wait_for(lambda: get(server, "/api/runs?flow=kinds&status=succeeded").json()["runs"])
    text = text_of(server, run, "kept", "kinds")
    for written in ("Dora Miller", "Dora.Miller@firm.example", "status: succeeded", "first: Dora"):
        assert written in text, text
    passes(flows, "kinds", text)
    shown = get(server, f"/api/runs/{run['id']}/test").json()
    assert shown["text"] == text_of(server, run, "examples", "kinds")
    assert not re.search("dora|miller|firm|1234", shown["text"].replace("480-555-1234", ""), re.IGNORECASE)
    [difference] = shown["differences"]
    assert difference.startswith('steps.only_us.status: "succeeded", but "skipped"')
    assert "with the examples the flow takes another way" in get(server, f"/runs/{run['id']}/test").text


def test_run_that_failed_or_is_held_passes_as_a_test(server, sandbox, flows):
    order_fault(sandbox, "v1-message", status=400, body={"error": "Dora Miller has left"})
    visit(sandbox, **PERSON)
    failed = wait_for_run(server, "failed")
    order_fault(sandbox, "v1-message", cut="after_effect")
    visit(sandbox, visitor_email="eve@example.com")
    runs, texts = (failed, wait_for_run(server, "held")), []
    for run in runs:
        texts += [text_of(server, run, "kept"), text_of(server, run, "examples")]
        assert f"status: {run['status']}" in texts[-2]
        assert not re.search("dora|miller|eve@", texts[-1], re.IGNORECASE)
        assert "Hi John Smith, this is Cal" in texts[-1] or "Hi there, this is Cal" in texts[-1]
    passes(flows, "leads", *texts)
    assert get(server, f"/api/runs/{failed['id']}/test").json()["differences"] == []
    assert server.log().count(" of lead-to-crm is ") == 2, "nothing is said of the runs of tests"


def test_run_of_which_no_test_can_be_made_says_so(server):
    assert get(server, "/runs/run_none/test").status_code == 404
    assert get(server, "/runs/run_none/test.yaml").status_code == 404
    assert get(server, "/runs/run_none/test?personal=x").status_code == 422
