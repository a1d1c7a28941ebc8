"""A list of leads, and what is kept of it: each look, webhook and fall-back is one transaction of the product."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from sqlite3 import Connection
from typing import Any

from simulator.host import make_adapter, make_flow
from simulator.store import open_database
from simulator.world import START, FlowPlan

from connector.adapter import DEFAULT, Delivery
from connector.chatforge import webhooks
from connector.runs import arrivals, lists, subscriptions
from connector.runs.events import Stored
from connector.runs.intake import Intake
from connector.runs.watches import Watch, find_watches
from connector.sqlite import transaction

KEY = ("chatforge", DEFAULT)


def flow(name: str = "main", trigger: str = "lead_captured", start: str = "now", agent: str | None = None) -> FlowPlan:
    return FlowPlan(name, trigger, 0.0, start, "1m", agent)


def lead(number: int, minutes: float | None = 0.0, **fields: Any) -> dict[str, Any]:
    """A lead that was made so many minutes after START; None: its time is missing."""
    made = None if minutes is None else (START + timedelta(minutes=minutes)).isoformat()
    visitor = {"visitor_name": f"Visitor {number}", "visitor_email": f"{number}@example.com"}
    return {"id": f"lead-{number}", **visitor, "conversation_summary": f"lead-{number}", "created_at": made, **fields}


@dataclass
class _Store:
    connection: Connection

    async def write(self, work: Any, *arguments: Any) -> Any:
        with transaction(self.connection):
            return work(self.connection, *arguments)


@dataclass
class Leads:
    """`lists` are the leads of each agent in their order; `ahead` is the vendor's clock against ours."""

    connection: Connection = field(default_factory=open_database)
    lists: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"a": []})
    now: datetime = START
    ahead: timedelta = timedelta()
    watch: Watch | None = None
    intake: Intake | None = None
    counted: int | None = None
    """What Get Analytics says instead of the truth."""
    requests: int = 0

    def serve(self, *plans: FlowPlan, off: Sequence[str] = ()) -> None:
        """Start the process anew with these flows."""
        flows = [make_flow(plan) for plan in plans]
        intake = Intake(make_adapter(), _Store(self.connection), flows)  # type: ignore[arg-type]
        [self.watch] = find_watches(intake.adapter, flows, intake.decide)
        self.intake = replace(intake, watches=[self.watch])
        with transaction(self.connection):
            for name in off:
                subscriptions.unsubscribe(self.connection, name)
            subscriptions.subscribe(self.connection, self.watch, self.now)

    def look(self, agent: str = "a") -> list[str]:
        """Walk to the end of a round; the runs that it brings, as `runs` writes them."""
        before = self.runs()
        with transaction(self.connection):
            poll = lists.open_poll(self.connection, self.watch, agent)
            step = lists.begin_round(self.connection, self.watch, poll, self.now)
        while step.request is not None:
            output = self._answer(step.request.action, step.request.input)
            with transaction(self.connection):
                step = lists.take_page(self.connection, self.watch, poll, output, self.now).step
        return [run for run in self.runs() if run not in before]

    def arrive(self, number: int, minutes: float = 0.0, agent: str = "a", **data: Any) -> Stored:
        """A webhook of such a lead."""
        known = {name: value for name, value in lead(number).items() if name.startswith(("visitor", "conv"))}
        made = (START + timedelta(minutes=minutes)).isoformat()
        text = json.dumps(
            {
                "event": "lead.captured",
                "agent_id": agent,
                "timestamp": made,
                "data": {**known, "page_url": None, **data},
            }
        )
        delivery = Delivery(*KEY, webhooks.parse(text), text, self.now)
        return asyncio.run(self.intake.accept(delivery))

    def fall_back(self, *, refused: bool = False) -> list[str]:
        before, keys = self.runs(), [KEY] if refused else []
        with transaction(self.connection):
            arrivals.fall_back(self.connection, [self.watch], keys, self.intake.adapter.read_webhook, self.now)
        return [run for run in self.runs() if run not in before]

    def runs(self) -> list[str]:
        """`FLOW LEAD`, or `FLOW webhook of LEAD` where the lead's id was not known."""
        rows = self.connection.execute("SELECT flow, trigger FROM runs ORDER BY rowid").fetchall()
        triggers = [(row["flow"], json.loads(row["trigger"])) for row in rows]
        return [
            f"{name} {told['lead_id'] or 'webhook of ' + told['conversation_summary']}".replace("lead-", "")
            for name, told in triggers
        ]

    def reasons(self) -> list[str]:
        """Why flows started nothing."""
        rows = self.connection.execute("SELECT reason FROM starts WHERE reason IS NOT NULL ORDER BY event_id, flow")
        return [json.loads(row["reason"]) for row in rows]

    def pass_time(self, **duration: float) -> None:
        self.now += timedelta(**duration)

    def _answer(self, action: str, input: Any) -> dict[str, Any]:
        self.requests += 1
        assert self.requests < 1_000
        listed = self.lists[input["agent_id"]]
        if action == "get_analytics":
            return {"total": len(listed) if self.counted is None else self.counted}
        page = listed[input["offset"] : input["offset"] + input["limit"]]
        return {"items": page, "answered_at": (self.now + self.ahead).isoformat()}
