"""What a collector of OpenTelemetry gets to know of a run."""

from pathlib import Path
from typing import Any

import httpx
from server.collector import collecting
from server.test_pages import order_fault, token, visit

FLOW = """\
flow: leads
trigger: {uses: chatforge.lead_captured, with: {every: 1s}}
steps:
  - id: contact
    uses: contacts.upsert
    with: {email: "${{ trigger.visitor_email ?? 'nobody@example.com' }}"}
  - id: sure
    approve: {title: "Greet ${{ trigger.visitor_email ?? 'them' }}?"}
  - id: chat
    uses: chatforge.list_conversations # which no poll reads
    with: {agent_id: "${{ trigger.agent_id }}"}
    retry: {max_attempts: 2, delay: 1ms}
"""


def facts(span: Any) -> dict[str, Any]:
    return {
        one.key.removeprefix("chatforge."): one.value.string_value or one.value.int_value for one in span.attributes
    }


def brief(spans: list[Any]) -> list[tuple[Any, ...]]:
    """(name, attempt, status, kind of error, whether it is one) in the order in which they began."""
    found = [
        (span.name, facts(span), span.status.code) for span in sorted(spans, key=lambda one: one.start_time_unix_nano)
    ]
    return [(name, fact.get("attempt"), fact["status"], fact.get("error.type"), code) for name, fact, code in found]


def change(server: Any, run: str, what: str, **form: str) -> None:
    answer = server.post(f"/runs/{run}/{what}", data={"token": token(server), **form})
    assert answer.status_code == 303, answer.text


def shown(server: Any, run: str) -> dict[str, Any]:
    return dict(httpx.get(f"{server.address}/api/runs/{run}", timeout=20).json())


def test_run_that_waits_and_fails_and_goes_on_in_other_processes_is_one_trace(make_server, sandbox, tmp_path: Path):
    (tmp_path / "flow.yaml").write_text(FLOW)
    with collecting() as collector:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        server = make_server(flows=tmp_path / "flow.yaml", environment=environment).start("--port", "0")
        sandbox.webhook_url = f"{server.address}/webhooks/chatforge"
        visit(sandbox, visitor_email="ann@example.com", visitor_name="Ann Secret")
        [run] = server.wait_for(server.runs)
        server.wait_for(lambda: shown(server, run.id)["run"]["status"] == "waiting")
        assert server.stop() == 0
        assert brief(collector.spans) == [("contacts.upsert", 1, "succeeded", None, 0)]

        server.start("--port", "0")
        order_fault(sandbox, "v1-conversations", status=503)
        order_fault(sandbox, "v1-conversations", status=400)
        change(server, run.id, "answer", step="sure", answer="approve")
        server.wait_for(lambda: shown(server, run.id)["run"]["status"] == "failed")
        change(server, run.id, "retry")
        server.wait_for(lambda: shown(server, run.id)["run"]["status"] == "succeeded")
        trace = shown(server, run.id)["trace"]
        assert f'<dd class="id">{trace}</dd>' in httpx.get(f"{server.address}/runs/{run.id}", timeout=20).text
        assert server.stop() == 0

    spans = collector.spans
    assert {span.trace_id.hex() for span in spans} == {trace}
    assert collector.services == {"chatforge"}
    assert brief(spans) == [
        ("run leads", None, "failed", "rejected", 2),
        ("contacts.upsert", 1, "succeeded", None, 0),
        ("chatforge.list_conversations", 1, "waiting", "server", 2),
        ("chatforge.list_conversations", 2, "failed", "rejected", 2),
        ("run leads", None, "succeeded", None, 0),
        ("chatforge.list_conversations", 1, "succeeded", None, 0),
    ]
    whole, further = (span for span in spans if span.name == "run leads")
    assert not whole.parent_span_id
    assert further.parent_span_id == whole.span_id
    within = [span.parent_span_id for span in spans if span.name != "run leads"]
    assert within == [whole.span_id] * 3 + [further.span_id]
    assert {facts(span)["run"] for span in spans} == {run.id}
    assert [event.name for span in spans for event in span.events] == ["sending"] * 4
    assert b"ann@" not in collector.text
    assert b"Ann" not in collector.text


def test_collector_that_is_away_keeps_nothing_from_going_on(make_server, sandbox, tmp_path: Path):
    (tmp_path / "flow.yaml").write_text(FLOW)
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    server = make_server(flows=tmp_path / "flow.yaml", environment=environment).start("--port", "0")
    sandbox.webhook_url = f"{server.address}/webhooks/chatforge"
    visit(sandbox, visitor_email="ann@example.com")
    [run] = server.wait_for(server.runs)
    server.wait_for(lambda: shown(server, run.id)["run"]["status"] == "waiting")
    assert server.stop() == 0
    assert "Traceback" not in server.log()
