"""What Prometheus asks for: how many runs there are, how old what comes in is, what is sent, what the meter counts."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from connector.database import Connection
from connector.runs.polling.poll_states import PollState, read_polls
from connector.server.site import Site
from connector.server.views import budgets
from connector.server.views.budgets import Budget
from connector.server.views.home import last_webhook

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


async def render(site: Site) -> bytes:
    """In the text format of Prometheus."""
    metrics = [*await site.read(_read), *_budgets(await budgets.find(site))]
    refused = CounterMetricFamily("chatforge_deliveries_refused", "Deliveries that were refused since the start.")
    refused.add_metric([], site.refusals.count)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Fixed([*metrics, refused]))
    return generate_latest(registry) + generate_latest(site.meter.registry)


class _Fixed(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _read(connection: Connection) -> list[Metric]:
    polls = [one for one in read_polls(connection) if one.retired_at is None and one.unwatched_at is None]
    return [_runs(connection), _held_events(connection), _last_webhook(connection), *_polls(polls)]


def _runs(connection: Connection) -> Metric:
    found = GaugeMetricFamily("chatforge_runs", "Runs that are kept, by status.", labels=["flow", "status"])
    for row in connection.execute("SELECT flow, status, count(*) AS runs FROM runs GROUP BY flow, status"):
        found.add_metric([str(row["flow"]), str(row["status"])], row["runs"])  # a damaged row may have bytes there
    return found


def _held_events(connection: Connection) -> Metric:
    row = connection.execute("SELECT count(*) AS events FROM events WHERE status = 'held'").fetchone()
    found = GaugeMetricFamily("chatforge_events_held", "Events that a person has to decide.")
    found.add_metric([], row["events"])
    return found


def _last_webhook(connection: Connection) -> Metric:
    found = GaugeMetricFamily("chatforge_last_webhook_timestamp_seconds", "When the last webhook was accepted.")
    if (moment := last_webhook(connection)) is not None:
        found.add_metric([], moment.timestamp())
    return found


def _budgets(found: Iterable[Budget]) -> list[Metric]:
    labels = ["connection"]
    used = GaugeMetricFamily("chatforge_budget_used", "Requests of the last minute.", labels=labels)
    limit = GaugeMetricFamily("chatforge_budget_limit", "Requests that a minute may have.", labels=labels)
    for one in found:
        used.add_metric([one.connection], one.used)
        limit.add_metric([one.connection], one.limit)
    return [used, limit]


def _polls(polls: Iterable[PollState]) -> list[Metric]:
    labels = ["connection", "list", "partition"]
    polled = GaugeMetricFamily("chatforge_last_poll_timestamp_seconds", "When a list was polled last.", labels=labels)
    swept = GaugeMetricFamily("chatforge_last_sweep_timestamp_seconds", "When it was last seen whole.", labels=labels)
    failing = GaugeMetricFamily("chatforge_poll_failing", "Whether the last poll of it failed.", labels=labels)
    for poll in polls:
        place = [f"{poll.connector}/{poll.connection}", poll.list, poll.partition]
        for metric, moment in ((polled, poll.polled_at), (swept, poll.swept_at)):
            if moment is not None:
                metric.add_metric(place, moment.timestamp())
        failing.add_metric(place, poll.error is not None)
    return [polled, swept, failing]
