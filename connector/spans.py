"""Tells a collector of OpenTelemetry of runs and of the attempts of their steps. Needs the extra `otel`.

Spans say what was done, when, and how it ended, and not with what: inputs, outputs and messages quote visitors. A run
is one trace, whatever processes work on it: the ids of its own spans follow from that of its trace, which is kept with
it. Other sides are not told of it: no `traceparent` is sent.

The SDK reads its variables (OTEL_…) from the environment by itself, and sends with an HTTP client of its own.
"""

import hashlib
import secrets
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags, set_span_in_context

from connector.runs.observers import Attempted, Ended, Part

NAME = "chatforge"
"""Of the service, unless OTEL_SERVICE_NAME has another one."""
_PATIENCE = 2.0
"""Seconds for what is not sent yet, when the process ends."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ILL = ("failed", "held")


class _Ids(IdGenerator):
    """Those of the next span."""

    trace = 0
    span: int | None = None

    def generate_trace_id(self) -> int:
        return self.trace

    def generate_span_id(self) -> int:
        return self.span if self.span is not None else secrets.randbits(63) + 1


class Spans:
    """An observer of runs. A span is sent when it has ended: that of a run comes last."""

    def __init__(self) -> None:
        self._ids = _Ids()
        self._provider = TracerProvider(resource=_resource(), id_generator=self._ids)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("connector")

    def close(self) -> None:
        """Send what is not sent yet. A collector that does not answer is not waited for."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(_PATIENCE)

    def step_changed(self, attempt: Attempted) -> None:
        run = attempt.part.run
        if run.trace is None:
            return
        facts = {
            "chatforge.step": attempt.step,
            "chatforge.action": attempt.action,
            "chatforge.attempt": attempt.number,
        }
        above = self._inside(attempt.part, _part_id(run.trace, attempt.part.number))
        span = self._start(attempt.action, attempt.part, above, None, attempt.started_at, facts)
        if attempt.sent_at is not None:
            span.add_event("sending", timestamp=_nanoseconds(attempt.sent_at))
        failed = attempt.status in _ILL or attempt.error is not None
        _end(span, attempt.status, attempt.error, attempt.ended_at, failed=failed)

    def run_changed(self, ended: Ended) -> None:
        part, run = ended.part, ended.part.run
        if run.trace is None:
            return
        above = self._inside(part, _part_id(run.trace, 0)) if part.number else Context()
        facts = {"chatforge.event": run.event_id}
        span = self._start(f"run {run.flow}", part, above, _part_id(run.trace, part.number), part.since, facts)
        _end(span, ended.status, ended.error, ended.at, failed=ended.status in _ILL)

    def _start(
        self, name: str, part: Part, above: Context, id: int | None, at: datetime, facts: Mapping[str, Any]
    ) -> Any:
        self._ids.trace, self._ids.span = int(part.run.trace or "0", 16), id
        known = {"chatforge.run": part.run.id, "chatforge.flow": part.run.flow, **facts}
        return self._tracer.start_span(name, context=above, start_time=_nanoseconds(at), attributes=known)

    def _inside(self, part: Part, span_id: int) -> Context:
        """Below a span that ends later, maybe in another process. Whether it is sampled follows from the trace's id."""
        trace_id = int(part.run.trace or "0", 16)
        decision: Any = self._provider.sampler.should_sample(Context(), trace_id, f"run {part.run.flow}").decision
        flags = TraceFlags(TraceFlags.SAMPLED if decision.is_sampled() else TraceFlags.DEFAULT)
        return set_span_in_context(NonRecordingSpan(SpanContext(trace_id, span_id, True, flags)), Context())


def _end(span: Span, status: str, error: str | None, at: datetime, *, failed: bool) -> None:
    span.set_attribute("chatforge.status", status)
    if error is not None:
        span.set_attribute("error.type", error)
    if failed:
        span.set_status(Status(StatusCode.ERROR))
    span.end(end_time=_nanoseconds(at))


def _part_id(trace: str, number: int) -> int:
    """The id of a run's own span: the first one, or that of what follows a decision of a person."""
    return int.from_bytes(hashlib.sha256(f"{trace}:{number}".encode()).digest()[:8], "big")


def _nanoseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000


def _resource() -> Resource:
    found = Resource.create()
    unnamed = str(found.attributes.get(SERVICE_NAME, "")).startswith("unknown_service")
    return found.merge(Resource({SERVICE_NAME: NAME})) if unnamed else found
