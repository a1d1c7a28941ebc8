"""The leads that started a run, for tasks of a DAG that an asset schedules."""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Asset

_TAKEN = "chatforge.taken"
_REMEMBERED = 1000
"""Leads. Only those of one page can come again, after a crash of the triggerer."""


def new_leads(context: Mapping[str, Any], asset: Asset) -> list[dict[str, Any]]:
    """The leads of the events that started this run, without those that another run of the DAG has had.

    The task needs `inlets=[asset]`, and the DAG `max_active_runs=1`. A task that is tried again gets the same leads.
    """
    instance, store = context["ti"], context["asset_state_store"][asset]
    key, run = f"{_TAKEN}.{instance.dag_id}", instance.run_id
    taken: dict[str, str] = dict(store.get(key) or {})
    found = [event.extra["payload"] for event in context["triggering_asset_events"][asset]]
    mine = {one["identity"]: one["lead"] for one in found if taken.get(one["identity"], run) == run}
    kept = [
        *((identity, other) for identity, other in taken.items() if identity not in mine),
        *((one, run) for one in mine),
    ]
    store.set(key, dict(kept[-max(_REMEMBERED, len(mine)) :]))
    return list(mine.values())
