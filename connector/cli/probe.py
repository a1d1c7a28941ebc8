"""`chatforge doctor --probe`: asks ChatForge what its reference leaves open, by reading only."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any

import httpx

from connector.adapter import Adapter
from connector.chatforge import wire
from connector.chatforge.models import Agent, Conversation, ConversationPage, Lead, LeadPage, ListedAgents
from connector.chatforge.probe.answers import Fact, ListAnswers, Seen, describe_answer, digest, traffic_facts
from connector.chatforge.probe.fields import FULL_AGENT_ONLY, agent_facts, analytics_facts, read_total
from connector.chatforge.probe.lists import list_facts
from connector.cli import exits, output
from connector.cli.paragraphs import write_beside
from connector.cli.progress import Say
from connector.diagnosis.limits import within
from connector.errors import ActionError, NetworkError, RateLimitError
from connector.settings import DEFAULT_BASE_URL

LIMITS = (1, 10, 50, 100, 200, 500, 1000)
MOST_REQUESTS = 40
REQUEST_SECONDS = 20.0
_COMPARED_AGENTS = 3
_FAR = 1_000_000
_LEFT = 24
WRONG_KEY = "cf_this_key_is_wrong_on_purpose"


@dataclass(slots=True)
class Probe:
    """What was asked so far. `ended` is the error that ended it early."""

    client: httpx.AsyncClient
    say: Say
    answers: list[Seen] = field(default_factory=list)
    agents: ListAnswers = field(
        default_factory=lambda: ListAnswers("v1-agents", "agents", Agent, ListedAgents, FULL_AGENT_ONLY)
    )
    lists: list[ListAnswers] = field(default_factory=list)
    analytics: Seen | None = None
    agent: Seen | None = None
    agent_id: str | None = None
    refusals: list[tuple[str, Seen]] = field(default_factory=list)
    ended: ActionError | None = None

    async def ask(self, action: str, *, key: str | None = None, **params: str | int) -> Seen:
        """One GET; what is kept of it names no agent. Raises NetworkError, and RateLimitError at 429."""
        request = " ".join([action, *(f"{name}={value}" for name, value in params.items() if name != "agent_id")])
        if len(self.answers) >= MOST_REQUESTS:
            raise NetworkError(f"{MOST_REQUESTS} requests were made, which is the most here")
        self.say(f"request {len(self.answers) + 1}: {request}")
        begun = time.monotonic()
        response = await within(REQUEST_SECONDS, self._get({"action": action, **params}, key))
        taken = time.monotonic() - begun
        names = {name.lower(): value for name, value in response.headers.items()}
        seen = Seen(request, response.status_code, names, response.content, taken)
        self.answers.append(seen)
        if seen.status == 429:
            self.refusals.append(("too many requests", seen))
            wire.check_status(wire.Answer(seen.status, seen.headers, b""), datetime.now(UTC))
        return seen

    async def _get(self, params: dict[str, str | int], key: str | None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return await self.client.get(str(self.client.base_url).rstrip("/"), params=params, headers=headers)


def probe(
    adapter: Adapter,
    agent_id: str | None,
    as_json: bool,
    stored_events: int | None,
    progress: AbstractContextManager[Say],
) -> int:
    """Ask, and print the report. `stored_events` is the number of webhook events in the journal, if there is one.

    Raises ActionError where not even the agents can be listed.
    """
    begun = datetime.now(UTC)
    with progress as say:
        asked = asyncio.run(_ask_chatforge(adapter, agent_id, say))
    report = _describe(asked, begun)
    facts = [*_read_facts(asked), *_unobservable(stored_events)]
    if as_json:
        named = [{"topic": f.topic, "what": f.what, "found": f.found, "how": f.how} for f in facts]
        output.write_json({**report, "facts": named})
    else:
        _show(report, facts)
    return exits.code_of(type(asked.ended)) if asked.ended else exits.DONE


async def _ask_chatforge(adapter: Adapter, agent_id: str | None, say: Say) -> Probe:
    async with adapter, adapter.open_http("chatforge") as client:
        asked = Probe(client, say)
        key = client.headers.get("authorization", "").removeprefix("Bearer ")
        first = await asked.ask("v1-agents")
        answer = wire.Answer(first.status, first.headers, first.body, key, was_read=True)
        wire.check_status(answer, datetime.now(UTC))
        wire.read_answer(answer, ListedAgents)
        asked.agents.default = first
        try:
            await _ask_rest(asked, agent_id)
        except (NetworkError, RateLimitError) as error:
            asked.ended = error
        return asked


async def _ask_rest(asked: Probe, agent_id: str | None) -> None:
    asked.agents.again = await asked.ask("v1-agents")
    asked.agents.odd.append(await asked.ask("v1-agents", limit=1))
    chosen = await _choose_agent(asked, agent_id)
    asked.agent_id = chosen
    if chosen is not None:
        asked.agent = await asked.ask("v1-agent", agent_id=chosen)
        for answers in (
            ListAnswers("v1-conversations", "conversations", Conversation, ConversationPage),
            ListAnswers("v1-leads", "leads", Lead, LeadPage),
        ):
            asked.lists.append(answers)
            answers.total = read_total(asked.analytics, answers.key)
            await _ask_list(asked, answers, chosen)
    await _ask_wrongly(asked)


async def _ask_wrongly(asked: Probe) -> None:
    for what, action, more in (
        ("unknown agent_id", "v1-agent", {"agent_id": "00000000-0000-4000-8000-00000000dead"}),
        ("missing agent_id", "v1-leads", {}),
        ("unknown action", "v1-nothing", {}),
    ):
        asked.refusals.append((what, await asked.ask(action, **more)))
    asked.refusals.append(("wrong key", await asked.ask("v1-agents", key=WRONG_KEY)))


async def _choose_agent(asked: Probe, agent_id: str | None) -> str | None:
    """The given agent, or of the first few the one with the most conversations and leads."""
    listed = [item.get("id") for item in (asked.agents.default and asked.agents.default.items("agents")) or ()]
    most, chosen = -1, None
    for name in [agent_id] if agent_id is not None else listed[:_COMPARED_AGENTS]:
        if not isinstance(name, str):
            continue
        seen = await asked.ask("v1-analytics", agent_id=name)
        number = sum(read_total(seen, kind) or 0 for kind in ("conversations", "leads"))
        if number > most:
            most, chosen, asked.analytics = number, name, seen
    return chosen


async def _ask_list(asked: Probe, answers: ListAnswers, agent_id: str) -> None:
    for limit in LIMITS:
        answers.limits[limit] = await asked.ask(answers.topic, agent_id=agent_id, limit=limit)
    answers.default = await asked.ask(answers.topic, agent_id=agent_id)
    counts = {limit: len(seen.items(answers.key) or ()) for limit, seen in answers.limits.items()}
    limit, most = max(counts.items(), key=itemgetter(1))  # of several the first, which is the lowest
    answers.again = await asked.ask(answers.topic, agent_id=agent_id, limit=limit)
    if most > 1:
        answers.shifted = (most // 2, await asked.ask(answers.topic, agent_id=agent_id, limit=limit, offset=most // 2))
    if most:
        answers.after = await asked.ask(answers.topic, agent_id=agent_id, limit=limit, offset=most)
    for odd in ({"limit": 0}, {"limit": "abc"}, {"limit": 10, "offset": _FAR}):
        answers.odd.append(await asked.ask(answers.topic, agent_id=agent_id, **odd))


def _read_facts(asked: Probe) -> Iterator[Fact]:
    yield from list_facts(asked.agents)
    if asked.agent is not None:
        yield from agent_facts(asked.agent)
    if asked.analytics is not None:
        yield from analytics_facts(asked.analytics)
    for answers in asked.lists:
        if answers.limits:
            yield from list_facts(answers)
    for what, seen in asked.refusals:
        yield Fact("errors", what, describe_answer(seen), seen.request)
    yield from traffic_facts(asked.answers)


def _unobservable(stored_events: int | None) -> Iterator[Fact]:
    yield Fact("answers", "HTTP version", "not observable by reading", "this client asks with HTTP/1.1 only")
    how = "there is no journal here"
    if stored_events is not None:
        how = f"events in the journal: {stored_events}; it does not count those that came again"
    yield Fact("webhooks", "redelivery", "not observable by reading", how)


def _describe(asked: Probe, begun: datetime) -> dict[str, Any]:
    default = asked.client.base_url == httpx.URL(DEFAULT_BASE_URL + "/")
    return {
        "version": version("chatforge-connector"),
        "at": output.iso(begun.replace(microsecond=0)),
        "address": "the default one" if default else "another than the default one",
        "agent": digest(asked.agent_id) if asked.agent_id else None,
        "requests": len(asked.answers),
        "ended": str(asked.ended) if asked.ended else None,
    }


def _show(report: dict[str, Any], facts: Sequence[Fact]) -> None:
    output.line(output.styled("ChatForge probe", "bold"), f"  chatforge-connector {report['version']}, {report['at']}")
    output.line(f"{report['requests']} requests, all of them GET, to {report['address']}")
    output.line(f"agent  {report['agent']} (a digest of its id)" if report["agent"] else "agent  none")
    output.line("It holds no key, no ids and nothing that visitors or authors wrote.")
    for topic, group in groupby(facts, key=attrgetter("topic")):
        output.line("")
        output.line(output.styled(topic, "bold"))
        for fact in group:
            _show_fact(fact)
    if report["ended"]:
        output.line("")
        output.fail(f"the probe ended early: {report['ended']}")


def _show_fact(fact: Fact) -> None:
    label = f"  {fact.what}"
    if len(label) >= _LEFT:
        output.line(label)
        label = ""
    write_beside(label.ljust(_LEFT), _LEFT, fact.found)
    write_beside(" " * _LEFT, _LEFT, fact.how, style="dim")
