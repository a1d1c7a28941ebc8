"""The leads that are new to a DAG that an asset schedules."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Asset

_TAKEN = "chatforge.taken"
_LATE = timedelta(hours=1)
"""An event may be stored this long after its time."""
_REMEMBERED = 1000
"""Leads that are remembered at least. Only those of one page can come again, after a crash of the triggerer."""


def new_leads(context: Mapping[str, Any], asset: "Asset") -> list[dict[str, Any]]:
    """The leads of the asset's events that no other run of the DAG has had.

    The task needs `inlets=[asset]`, and the DAG `max_active_runs=1`. A task that is tried again gets the same leads,
    and those that came since.

    Not only the events that started this run: where several come before the scheduler looks, Airflow starts one run
    with the first of them, and leaves the others for when the next event comes.
    """
    instance, store = context["ti"], context["asset_state_store"][asset]
    key, run = f"{_TAKEN}.{instance.dag_id}", instance.run_id
    taken: dict[str, list[str]] = dict(store.get(key) or {})  # identity → time of its event, run
    mine: dict[str, dict[str, Any]] = {}
    times: dict[str, list[str]] = {}
    for event in context["inlet_events"][asset].after(_since(context, asset, taken)):
        found = event.extra.get("payload")
        if not isinstance(found, Mapping) or "lead" not in found:
            continue  # an event that a person or another task has made
        if taken.get(found["identity"], ["", run])[1] == run:
            mine[found["identity"]] = found["lead"]
            times.setdefault(found["identity"], [event.timestamp.isoformat(), run])
    store.set(key, _forget({**taken, **times}))
    return list(mine.values())


def _since(context: Mapping[str, Any], asset: "Asset", taken: Mapping[str, list[str]]) -> datetime:
    """The time of the oldest event to look at."""
    known = [(datetime.fromisoformat(time), run) for time, run in taken.values()]
    if not known:
        started_by = context["triggering_asset_events"].get(asset, ())
        first: datetime = min((event.timestamp for event in started_by), default=context["ti"].start_date)
        return first
    return min([max(known)[0] - _LATE, *(time for time, run in known if run == context["ti"].run_id)])


def _forget(taken: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Without the oldest, which cannot come again."""
    by_time = sorted(taken.items(), key=lambda item: datetime.fromisoformat(item[1][0]))
    if not by_time:
        return {}
    oldest = datetime.fromisoformat(by_time[-1][1][0]) - _LATE
    late = [item for item in by_time[:-_REMEMBERED] if datetime.fromisoformat(item[1][0]) >= oldest]
    return dict([*late, *by_time[-_REMEMBERED:]])
