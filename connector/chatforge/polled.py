"""The lists of ChatForge that are polled: how they are asked for, and what an item of one tells.

The vendor names no events for what polling finds; the names here are ours.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from connector.chatforge import joining, sweep
from connector.chatforge.client import ChatForge
from connector.chatforge.inputs import ListAgents, ListConversations, ListLeads, OneAgentId
from connector.chatforge.models import RawPage
from connector.chatforge.sweep import Sweep
from connector.chatforge.times import read_time
from connector.declare import Action, ActionContext, Event, Item, Join, ListStep, PolledList, PollRequest, action
from connector.flows.durations import seconds

LEAD_LISTED = "lead.listed"
CONVERSATION_LISTED = "conversation.listed"
CONVERSATION_UPDATED = "conversation.updated"

_LONGEST_ID = 500
_AGENTS = PollRequest("list_agents", {})
_COUNT = "get_analytics"

Context = ActionContext[Any]


class AgentIds(BaseModel):
    """The agents of an account."""

    ids: list[str]


class Total(BaseModel):
    """How many items an agent's list has; None where the vendor does not say."""

    total: int | None


@action(effect="read", title="Agents to poll", purpose="background")
async def _list_agents(_input: ListAgents, context: Context) -> AgentIds:
    return AgentIds(ids=await ChatForge.of(context).list_agent_ids())


@action(effect="read", title="Leads as they come", purpose="background")
async def _list_leads(input: ListLeads, context: Context) -> RawPage:
    return await ChatForge.of(context).list_raw("v1-leads", input.agent_id, input.limit, input.offset)


@action(effect="read", title="Conversations as they come", purpose="background")
async def _list_conversations(input: ListConversations, context: Context) -> RawPage:
    return await ChatForge.of(context).list_raw("v1-conversations", input.agent_id, input.limit, input.offset)


@action(effect="read", title="Number of leads", purpose="background")
async def _count_leads(input: OneAgentId, context: Context) -> Total:
    counts = (await ChatForge.of(context).get_analytics(input.agent_id)).leads
    return Total(total=counts.total if counts else None)


@action(effect="read", title="Number of conversations", purpose="background")
async def _count_conversations(input: OneAgentId, context: Context) -> Total:
    counts = (await ChatForge.of(context).get_analytics(input.agent_id)).conversations
    return Total(total=counts.total if counts else None)


def lead_event(agent_id: str, item: Item) -> Event:
    """A lead of the list. Its identity is the lead's id."""
    return Event(LEAD_LISTED, f"lead:{item.id}", item.occurred_at, {"agent_id": agent_id, "lead": item.payload}, "poll")


def conversation_event(name: str, agent_id: str, item: Item) -> Event:
    """A conversation of the list; when it was updated, its identity has the number of its messages."""
    identity = f"conversation:{item.id}"
    if name == CONVERSATION_UPDATED:
        identity += f":{item.version}"
    return Event(name, identity, item.occurred_at, {"agent_id": agent_id, "conversation": item.payload}, "poll")


def read_item(raw: Any, now: datetime) -> Item:
    """An entry of a list. One without an id that can be kept gets a digest, so that it is kept and shown once."""
    payload = raw if isinstance(raw, dict) else {"value": raw}
    given = payload.get("id")
    if not isinstance(given, str) or not given.strip():
        given = _unreadable(json.dumps(raw, sort_keys=True))
    elif len(json.dumps(given)) > _LONGEST_ID or not given.isprintable():  # not every database holds it
        given = _unreadable(given)
    count, made = payload.get("message_count"), read_time(payload.get("created_at"))
    version = count if isinstance(count, int) and 0 <= count < 2**53 else 0
    return Item(given, payload, made, int(version), joining.facts_of_lead(payload, made or now))


def _unreadable(text: str) -> str:
    return f"unreadable-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def _tell_lead(agent_id: str, item: Item, before: int | None) -> Sequence[Event]:
    return [lead_event(agent_id, item)] if before is None else ()


def _tell_conversation(agent_id: str, item: Item, before: int | None) -> Sequence[Event]:
    if before is None:
        return [conversation_event(CONVERSATION_LISTED, agent_id, item)]
    return [conversation_event(CONVERSATION_UPDATED, agent_id, item)] if item.version > before else ()


@dataclass(frozen=True, slots=True)
class _Walks:
    """The walk through one kind of list, as `PolledList` wants it."""

    list_action: str
    key: str

    def begin(self, partition: str, state: Mapping[str, Any] | None, now: datetime, wanted: bool) -> ListStep:
        walk = _read_state(state)
        sweep.begin(walk, now, wanted=wanted)
        return self._step(partition, walk)

    def take(
        self,
        partition: str,
        state: Mapping[str, Any],
        output: Mapping[str, Any],
        known: Collection[str],
        now: datetime,
    ) -> ListStep:
        walk = _read_state(state)
        if walk.asked == "count":
            swept = sweep.take_count(walk, _read_count(output, self.key), now)
        else:
            swept = sweep.take(walk, self.read(output, now), known, now)
        return self._step(partition, walk, swept)

    def read(self, output: Mapping[str, Any], now: datetime) -> Sequence[Item]:
        """The items, from a page as it came or from the output of the action."""
        items = output.get("items", output.get(self.key))
        return [read_item(raw, now) for raw in items] if isinstance(items, list) else ()

    def _step(self, agent_id: str, walk: Sweep, swept: datetime | None = None) -> ListStep:
        asked = sweep.ask(walk)
        request = None
        if asked is not None and asked.what == "count":
            request = _ask_count(agent_id)
        elif asked is not None:
            page = {"agent_id": agent_id, "limit": sweep.PAGE, "offset": asked.offset}
            request = PollRequest(self.list_action, page)
        patient = asked is not None and asked.sweep
        state = walk.model_dump(mode="json")
        return ListStep(state, request, walk.number, swept, patient, walk.alert, walk.swept_at)


def _read_state(state: Mapping[str, Any] | None) -> Sweep:
    """Where a walk stands. One whose state this release cannot read begins anew, and its full walks are counted on."""
    if state is None:
        return Sweep()
    try:
        return Sweep.model_validate(state)
    except ValidationError:
        number = state.get("number")
        return Sweep(number=number if isinstance(number, int) else 0)


def _ask_count(agent_id: str) -> PollRequest:
    return PollRequest(_COUNT, {"agent_id": agent_id}, optional=True)


def _read_count(output: Mapping[str, Any], key: str) -> int | None:
    """From `Total`, or from what Get Analytics answers; None where that cannot be had."""
    counts = output if "total" in output else output.get(key)
    total = counts.get("total") if isinstance(counts, Mapping) else None
    return total if isinstance(total, int) and total >= 0 else None


def _read_answered_at(output: Mapping[str, Any]) -> datetime | None:
    return read_time(output.get("answered_at"))


def _read_entry(event: Event, key: str, received_at: datetime) -> tuple[str, Item] | None:
    agent_id, raw = event.payload.get("agent_id"), event.payload.get(key)
    if event.source != "poll" or not isinstance(agent_id, str) or raw is None:
        return None
    return agent_id, read_item(raw, received_at)


def _make_list(
    key: str,
    reads: Sequence[Action],
    tell: Callable[[str, Item, int | None], Sequence[Event]],
    join: Join | None = None,
) -> PolledList:
    walks = _Walks(f"list_{key}", key)
    page, count = reads
    return PolledList(
        name=key,
        reads={_AGENTS.action: _list_agents, walks.list_action: page, _COUNT: count},
        partitions=_AGENTS,
        read_partitions=lambda output: list(dict.fromkeys(output["ids"])),
        begin=walks.begin,
        take=walks.take,
        read=walks.read,
        told_at=_read_answered_at,
        tell=tell,
        start=lambda wanted: str(wanted.start),
        every=lambda wanted: seconds(wanted.every) or 60.0,
        partition=lambda wanted: wanted.agent_id,
        patience=lambda wanted: seconds(getattr(wanted, "wait_for_lead", "0s")) or 0.0,
        join=join,
        count=_ask_count,
        read_count=lambda output: _read_count(output, key),
        entry=lambda event, received_at: _read_entry(event, key.removesuffix("s"), received_at),
    )


LEADS = _make_list("leads", (_list_leads, _count_leads), _tell_lead, joining.JOIN)
CONVERSATIONS = _make_list("conversations", (_list_conversations, _count_conversations), _tell_conversation)
