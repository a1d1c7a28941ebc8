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
from connector.chatforge import polled, webhooks
from connector.runs import resends
from connector.runs.events import Stored
from connector.runs.intake import Intake
from connector.runs.journal import Journal
from connector.runs.polling import backfills, fall_backs, lists, subscriptions
from connector.runs.polling.backfills import Verdict
from connector.runs.polling.listings import Entry
from connector.runs.polling.watches import Watch, find_watches
from connector.runs.records import Start
from connector.runs.resends import Wanted
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

    def query(self, work: Any, *arguments: Any) -> Any:
        return work(self.connection, *arguments)

    def read(self, query: Any) -> Any:
        return query(Journal(self.connection))

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

    def backfill(self, listed: dict[str, Any], agent: str = "a") -> Verdict:
        """Run the first flow over a lead of the past."""
        entry = Entry(agent, polled.read_item(listed, self.now))
        [event] = self.watch.list.tell(agent, entry.item, None)
        delivery = Delivery(*KEY, event, json.dumps(event.payload), self.now)
        decision = self.watch.decide(self.watch.watchers[0].flow, delivery)
        with transaction(self.connection):
            return backfills.start(self.connection, self.watch, entry, delivery, decision)

    def resend(self, event_id: str) -> Start:
        """Decide an event anew for the first flow."""
        delivery = resends.read_delivery(self.intake.adapter, Journal(self.connection).event(event_id))
        wanted = [Wanted(self.watch.watchers[0].flow, self.watch)]
        with transaction(self.connection):
            [start] = resends.resend(self.connection, event_id, delivery, wanted, self.watch.decide, self.now)
        return start

    def bound(self) -> list[tuple[str, str]]:
        """Which lead the webhooks were recognised as: the agent and the lead, in the order of the webhooks."""
        rows = self.connection.execute("SELECT * FROM arrivals WHERE item IS NOT NULL ORDER BY at").fetchall()
        return [(json.loads(row["partition"]), json.loads(row["item"])) for row in rows]

    def fall_back(self, *refused: str | None) -> list[str]:
        """`refused` are partitions that cannot be had, None is all of them."""
        before, read = self.runs(), self.intake.adapter.read_webhook
        keys = [(*self.watch.key, partition) for partition in refused]
        with transaction(self.connection):
            fall_backs.end_waits(self.connection, [self.watch], keys, read, self.now)
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
