"""The actions of the ChatForge plugin."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from connector.chatforge import finding
from connector.chatforge.client import ChatForge
from connector.chatforge.finding import Matches, Search, Source
from connector.chatforge.index import Index, Item, newest
from connector.chatforge.inputs import (
    CreateAgent,
    DeletedAgent,
    Find,
    FindConversation,
    FindLead,
    FoundConversation,
    FoundLead,
    InjectMessage,
    ListAgents,
    ListConversations,
    ListedConversations,
    ListedLeads,
    ListLeads,
    OneAgentId,
    UpdateAgent,
    UpsertAgent,
    UpsertedAgent,
    is_given,
)
from connector.chatforge.models import Agent, Analytics, Conversation, InjectedMessage, Lead, ListedAgents, OneAgent
from connector.declare import ActionContext, action
from connector.errors import ActionError, RejectedError
from connector.flows.durations import seconds

Context = ActionContext[Any]

_LOOK_AGAIN_SECONDS = 2.0
_BEGAN_TOLERANCE = timedelta(seconds=60)
_CAPTURE_TOLERANCE = timedelta(minutes=10)


@action(effect="read", title="List agents")
async def list_agents(_input: ListAgents, context: Context) -> ListedAgents:
    """List all agents of the account."""
    return await ChatForge.of(context).list_agents()


@action(
    effect="once",
    title="Create agent",
    example={
        "name": "Sales Agent",
        "welcome_message": "Hi! Looking to learn more?",
        "system_prompt": "You are a helpful sales assistant.",
        "knowledge_base": "Our pricing starts at $99...",
        "primary_color": "#10b981",
    },
)
async def create_agent(input: CreateAgent, context: Context) -> OneAgent:
    """Create an agent. ChatForge answers with a short one: id, name, active."""
    return await ChatForge.of(context).create_agent(input.model_dump(exclude_none=True))


@action(effect="read", title="Get agent", example={"agent_id": "uuid"})
async def get_agent(input: OneAgentId, context: Context) -> OneAgent:
    """Get all details of an agent, with its system prompt and its knowledge base."""
    return await ChatForge.of(context).get_agent(input.agent_id)


@action(
    effect="idempotent",
    title="Update agent",
    example={
        "agent_id": "uuid",
        "name": "Updated Name",
        "active": False,
        "system_prompt": "New system prompt...",
    },
)
async def update_agent(input: UpdateAgent, context: Context) -> OneAgent:
    """Change settings of an agent. Only what is given is sent, so a null never wipes a prompt."""
    return await ChatForge.of(context).update_agent(input.agent_id, _changes(input))


@action(
    effect="once",
    title="Upsert agent",
    example={"name": "Sales Agent", "system_prompt": "You are a helpful sales assistant."},
    one_at_a_time=lambda given: str(given.name),
)
async def upsert_agent(input: UpsertAgent, context: Context) -> UpsertedAgent:
    """Find the agent by its name; update it, or create it where there is none.

    Several agents of the name are an error. ChatForge cannot create an agent that is switched off: where `active`
    is false, a new one is switched off right after. Repeating does not say `created` again, so when the outcome is
    unknown, it stops for a decision.
    """
    client = ChatForge.of(context)
    same = [agent for agent in (await client.list_agents()).agents if agent.name == input.name]
    if len(same) > 1:
        ids = ", ".join(agent.id for agent in same[:5])
        raise RejectedError(
            f"{len(same)} agents are called {input.name!r} ({ids}); rename all but one, or use update_agent with an id"
        )
    if same:
        return UpsertedAgent(agent=(await client.update_agent(same[0].id, _changes(input))).agent, created=False)
    return UpsertedAgent(agent=await _create(client, _changes(input)), created=True)


@action(effect="destructive", title="Delete agent", example={"agent_id": "uuid"})
async def delete_agent(input: OneAgentId, context: Context) -> DeletedAgent:
    """Delete an agent and all its conversations, for good."""
    await ChatForge.of(context).delete_agent(input.agent_id)
    return DeletedAgent(deleted=True)


@action(effect="read", title="List conversations", example={"agent_id": "uuid", "limit": 50, "offset": 0})
async def list_conversations(input: ListConversations, context: Context) -> ListedConversations:
    """List one page of an agent's conversations.

    A page may hold fewer than asked for without being the last one: only an empty page is the end.
    """
    page = await ChatForge.of(context).list_conversations(input.agent_id, input.limit, input.offset)
    received = page.conversations
    return ListedConversations(conversations=received, next_offset=input.offset + len(received) if received else None)


@action(
    effect="read",
    title="Find conversation",
    example={
        "agent_id": "uuid",
        "visitor_email": "john@example.com",
        "captured_at": "2026-03-25T14:32:00Z",
        "wait_up_to": "30s",
    },
)
async def find_conversation(input: FindConversation, context: Context) -> FoundConversation:
    """Find the conversation in which a lead was captured.

    A conversation matches when everything given matches, it captured a lead and it began before `captured_at`
    (plus 60 s). Of several the newest wins. Anyone can type somebody else's e-mail, so give page and time as well.
    """
    client = ChatForge.of(context)

    async def fetch(offset: int) -> Sequence[Conversation]:
        return (await client.list_conversations(input.agent_id, finding.PAGE, offset)).conversations

    async def count() -> int | None:
        counts = (await client.get_analytics(input.agent_id)).conversations
        return counts.total if counts else None

    source = finding.Source(fetch, count, _index(context).conversations(input.agent_id))
    found = await _look_until(source, lambda item: _is_wanted(item, input), input)
    return FoundConversation(conversation=newest(found.items), candidates=len(found.items), complete=found.complete)


@action(effect="read", title="List leads", example={"agent_id": "uuid", "limit": 50, "offset": 0})
async def list_leads(input: ListLeads, context: Context) -> ListedLeads:
    """List one page of an agent's leads.

    A page may hold fewer than asked for without being the last one: only an empty page is the end.
    """
    received = (await ChatForge.of(context).list_leads(input.agent_id, input.limit, input.offset)).leads
    return ListedLeads(leads=received, next_offset=input.offset + len(received) if received else None)


@action(
    effect="read",
    title="Find lead",
    example={"agent_id": "uuid", "visitor_email": "john@example.com", "wait_up_to": "30s"},
)
async def find_lead(input: FindLead, context: Context) -> FoundLead:
    """Find a lead by its id, or by what the visitor left. Everything given must match; of several the newest wins."""
    client = ChatForge.of(context)

    async def fetch(offset: int) -> Sequence[Lead]:
        return (await client.list_leads(input.agent_id, finding.PAGE, offset)).leads

    async def count() -> int | None:
        counts = (await client.get_analytics(input.agent_id)).leads
        return counts.total if counts else None

    source = finding.Source(fetch, count, _index(context).leads(input.agent_id))
    found = await _look_until(source, lambda item: _is_meant(item, input), input, decisive=is_given(input.lead_id))
    return FoundLead(lead=newest(found.items), complete=found.complete)


@action(effect="read", title="Fetch analytics", example={"agent_id": "uuid"})
async def get_analytics(input: OneAgentId, context: Context) -> Analytics:
    """Count an agent's conversations and leads, in total and in the current month, and this month's messages."""
    return await ChatForge.of(context).get_analytics(input.agent_id)


@action(
    effect="once",
    title="Inject message",
    purpose="takeover",
    example={
        "agent_id": "uuid",
        "conversation_id": "uuid",
        "content": "Hi, this is Cal jumping in. How can I help?",
    },
)
async def inject_message(input: InjectMessage, context: Context) -> InjectedMessage:
    """Say something to the visitor of an active conversation, as the assistant (human takeover).

    ChatForge has no idempotency key and does not list messages: when the outcome is unknown, nobody can check it.
    """
    return await ChatForge.of(context).inject_message(input.agent_id, input.conversation_id, input.content)


def _index(context: Context) -> Index:
    return context.memory if isinstance(context.memory, Index) else Index()


def _changes(input: UpdateAgent | UpsertAgent) -> dict[str, Any]:
    return input.model_dump(exclude={"agent_id"}, exclude_none=True)


async def _create(client: ChatForge, values: dict[str, Any]) -> Agent:
    active = values.pop("active", None)
    agent = (await client.create_agent(values)).agent
    if active is None or active == agent.active:
        return agent
    try:
        return (await client.update_agent(agent.id, {"active": active})).agent
    except ActionError as error:
        error.processed = "unknown"  # the agent is there already, whatever became of the second request
        raise


async def _look_until(
    source: Source[Item], matches: Callable[[Item], bool], input: Find, *, decisive: bool = False
) -> Matches[Item]:
    """Look once, and again until something is found or `wait_up_to` has passed."""
    clock = asyncio.get_running_loop().time
    end = clock() + (seconds(input.wait_up_to) or 0.0)
    while True:
        found = await Search(source, matches, input.max_pages, decisive).run()
        left = end - clock()
        if found.items or left <= 0:
            return found
        await asyncio.sleep(min(_LOOK_AGAIN_SECONDS, left))


def _is_wanted(conversation: Conversation, wanted: FindConversation) -> bool:
    if conversation.lead_captured is not True:
        return False
    if wanted.captured_at is not None and (
        conversation.created_at is None or conversation.created_at > wanted.captured_at + _BEGAN_TOLERANCE
    ):
        return False
    return _is_email(conversation.visitor_email, wanted.visitor_email) and _are_equal(
        (wanted.visitor_name, conversation.visitor_name),
        (wanted.page_url, conversation.page_url),
    )


def _is_meant(lead: Lead, wanted: FindLead) -> bool:
    if wanted.captured_at is not None and (
        lead.created_at is None or abs(lead.created_at - wanted.captured_at) > _CAPTURE_TOLERANCE
    ):
        return False
    return _is_email(lead.visitor_email, wanted.visitor_email) and _are_equal(
        (wanted.lead_id, lead.id),
        (wanted.visitor_phone, lead.visitor_phone),
        (wanted.visitor_name, lead.visitor_name),
        (wanted.page_url, lead.source_page_url),
    )


def _is_email(actual: str | None, wanted: str | None) -> bool:
    return not is_given(wanted) or _fold(actual) == _fold(wanted)


def _are_equal(*pairs: tuple[str | None, str | None]) -> bool:
    return all(not is_given(wanted) or wanted == actual for wanted, actual in pairs)


def _fold(email: str | None) -> str:
    return (email or "").strip().casefold()
