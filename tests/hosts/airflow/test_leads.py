"""Which leads a run of a DAG gets, over the events and the store that Airflow keeps; here without Airflow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from connector.hosts.airflow.leads import new_leads

NOON = datetime(2026, 3, 25, 12, tzinfo=UTC)


class Store(dict[str, Any]):
    def set(self, key: str, value: Any) -> None:
        self[key] = value


@dataclass
class Asset:
    """An asset's events and its store."""

    events: list[Any] = field(default_factory=list)
    store: Store = field(default_factory=Store)

    def come(self, minute: float, extra: Mapping[str, Any]) -> None:
        self.events.append(SimpleNamespace(timestamp=NOON + timedelta(minutes=minute), extra=extra))

    def tell(self, minute: float, *names: str) -> None:
        for name in names:
            self.come(minute, {"payload": {"identity": f"lead:{name}", "lead": {"name": name}}})

    def after(self, time: datetime) -> list[Any]:
        return [event for event in self.events if event.timestamp >= time]

    def run(self, run_id: str) -> list[str]:
        """The names that a run started by the newest event gets."""
        context = {
            "ti": SimpleNamespace(dag_id="greet", run_id=run_id, start_date=NOON + timedelta(days=9)),
            "asset_state_store": {"leads": self.store},
            "inlet_events": {"leads": self},
            "triggering_asset_events": {"leads": self.events[-1:]},
        }
        return [lead["name"] for lead in new_leads(context, "leads")]


@pytest.fixture
def asset() -> Asset:
    return Asset()


def test_lead_goes_to_one_run_though_it_is_told_again(asset):
    asset.tell(0, "Ann", "Bob")
    assert asset.run("1") == ["Ann", "Bob"]
    asset.tell(300, "Ann", "Bob", "Cleo")
    assert asset.run("2") == ["Cleo"]
    assert asset.run("3") == []


def test_run_that_is_tried_again_gets_its_leads_and_those_that_came_since(asset):
    asset.tell(0, "Ann")
    assert asset.run("1") == ["Ann"]
    asset.tell(300, "Bob")
    assert asset.run("2") == ["Bob"]
    asset.tell(600, "Cleo")
    assert asset.run("1") == ["Ann", "Cleo"]
    assert asset.run("2") == ["Bob"]


def test_event_that_is_stored_late_is_not_lost(asset):
    asset.tell(0, "Ann")
    asset.run("1")
    asset.tell(300, "Bob")
    asset.run("2")
    asset.tell(250, "Cleo")
    assert asset.run("3") == ["Cleo"]


def test_lead_is_remembered_among_many_of_an_hour(asset):
    names = [str(number) for number in range(1500)]
    asset.tell(0, *names)
    assert asset.run("1") == names
    assert asset.run("2") == []
    asset.tell(300, *names)
    assert asset.run("3") == []
    asset.tell(600, *(f"later {name}" for name in names))
    assert len(asset.run("4")) == 1500
    [taken] = asset.store.values()
    assert len(taken) == 1500


def test_lead_is_remembered_after_hours_with_others(asset):
    asset.tell(0, "Ann")
    asset.run("first")
    for number in range(99):
        asset.tell(number * 120, str(number))
        asset.run(str(number))
    asset.tell(99 * 120, "Ann")
    assert asset.run("last") == []


@pytest.mark.parametrize("extra", [{}, {"payload": {"old": 1}}, {"payload": "x"}])
def test_event_of_others_is_passed_over(asset, extra):
    asset.tell(0, "Ann")
    asset.run("1")
    asset.come(1, extra)
    asset.tell(2, "Bob")
    assert asset.run("2") == ["Bob"]
