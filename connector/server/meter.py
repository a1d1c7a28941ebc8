"""Counts what happens in this process, for Prometheus. All begins at 0 when the server starts."""

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram

from connector.runs.observers import Attempted, Ended

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each, which says when it began

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Meter:
    """An observer of runs, which also counts answers to webhooks."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._answers = Counter(
            "chatforge_webhook_answers", "Answers to webhooks since the start.", ["status"], registry=registry
        )
        self._attempts = Counter(
            "chatforge_step_attempts",
            "Attempts of steps that ended since the start; waiting: they are made again.",
            ["action", "status"],
            registry=registry,
        )
        self._ended = Counter(
            "chatforge_runs_ended", "Runs that ended since the start.", ["flow", "status"], registry=registry
        )
        self._seconds = Histogram(
            "chatforge_action_duration_seconds",
            "From when an attempt may send until it has ended.",
            ["action"],
            registry=registry,
            buckets=_SECONDS,
        )

    def answered(self, status: int) -> None:
        self._answers.labels(status).inc()

    def step_changed(self, attempt: Attempted) -> None:
        self._attempts.labels(attempt.action, attempt.status).inc()
        if attempt.sent_at is not None:
            self._seconds.labels(attempt.action).observe((attempt.ended_at - attempt.sent_at).total_seconds())

    def run_changed(self, ended: Ended) -> None:
        self._ended.labels(ended.part.run.flow, ended.status).inc()
