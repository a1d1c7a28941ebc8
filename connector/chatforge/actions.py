"""The actions of the ChatForge plugin."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from connector.chatforge.client import ChatForge
from connector.chatforge.models import (
    Conversation,
    FindConversation,
    FoundConversation,
    InjectedMessage,
    InjectMessage,
    ListAgents,
    ListConversations,
    ListedAgents,
    ListedConversations,
)
from connector.declare import ActionContext, action
from connector.errors import InputError
from connector.flows.durations import seconds

Context = ActionContext[Any]

_PAGE = 50
_LOOK_AGAIN_SECONDS = 2.0
_CAPTURE_TOLERANCE = timedelta(seconds=60)
_ORDER_EVIDENCE = 8
"""Fewer conversations may stand in falling order by chance."""


@action(effect="read", title="List agents")
async def list_agents(_input: ListAgents, context: Context) -> ListedAgents:
    """List all agents of the account."""
    return await ChatForge(context.http).list_agents()


@action(effect="read", title="List conversations", example={"agent_id": "abc123", "limit": 50, "offset": 0})
async def list_conversations(input: ListConversations, context: Context) -> ListedConversations:
    """List one page of an agent's conversations.

    A page may hold fewer than asked for without being the last one: only an empty page is the end.
    """
    page = await ChatForge(context.http).list_conversations(input.agent_id, input.limit, input.offset)
    received = page.conversations
    return ListedConversations(conversations=received, next_offset=input.offset + len(received) if received else None)


@action(
    effect="read",
    title="Find conversation",
    example={
        "agent_id": "abc123",
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
    if not _given(input.visitor_email) and not (
        _given(input.visitor_name) and _given(input.page_url) and input.captured_at
    ):
        raise InputError(
            "without visitor_email, a conversation is found only by visitor_name, page_url and captured_at "
            "together; give the e-mail or all three"
        )
    client, clock = ChatForge(context.http), asyncio.get_running_loop().time
    end = clock() + (seconds(input.wait_up_to) or 0.0)
    while True:
        found = await _search(client, input)
        left = end - clock()
        if found.conversation is not None or left <= 0:
            return found
        await asyncio.sleep(min(_LOOK_AGAIN_SECONDS, left))


@action(
    effect="once",
    title="Inject message",
    purpose="takeover",
    example={
        "agent_id": "abc123",
        "conversation_id": "uuid",
        "content": "Hi, this is Cal jumping in. How can I help?",
    },
)
async def inject_message(input: InjectMessage, context: Context) -> InjectedMessage:
    """Say something to the visitor of an active conversation, as the assistant (human takeover).

    ChatForge has no idempotency key and does not list messages: when the outcome is unknown, nobody can check it.
    """
    return await ChatForge(context.http).inject_message(input.agent_id, input.conversation_id, input.content)


async def _search(client: ChatForge, wanted: FindConversation) -> FoundConversation:
    """Look at up to `max_pages` pages once."""
    seen: dict[str, Conversation] = {}
    offset, complete = 0, False
    for _ in range(wanted.max_pages):
        page = (await client.list_conversations(wanted.agent_id, _PAGE, offset)).conversations
        known = len(seen)
        seen |= {conversation.id: conversation for conversation in page}
        if len(seen) == known:  # an empty page is the end; a repeated one means that `offset` has no effect
            complete = not page
            break
        offset += len(page)
        if complete := _holds_the_newest(list(seen.values()), wanted):
            break
    matches = [conversation for conversation in seen.values() if _matches(conversation, wanted)]
    newest = max(matches, key=_began, default=None)
    return FoundConversation(conversation=newest, candidates=len(matches), complete=complete)


def _holds_the_newest(seen: list[Conversation], wanted: FindConversation) -> bool:
    """Whether the list is newest-first and has passed a match, so that what follows is older."""
    began = [conversation.created_at for conversation in seen]
    known = [moment for moment in began if moment is not None]
    if len(known) < max(len(began), _ORDER_EVIDENCE) or known != sorted(known, reverse=True):
        return False
    return any(_matches(conversation, wanted) and _began(conversation) > known[-1] for conversation in seen)


def _matches(conversation: Conversation, wanted: FindConversation) -> bool:
    if conversation.lead_captured is not True:
        return False
    if wanted.captured_at is not None and (
        conversation.created_at is None or conversation.created_at > wanted.captured_at + _CAPTURE_TOLERANCE
    ):
        return False
    if _given(wanted.visitor_email) and _fold(conversation.visitor_email) != _fold(wanted.visitor_email):
        return False
    return all(
        not _given(expected) or expected == actual
        for expected, actual in (
            (wanted.visitor_name, conversation.visitor_name),
            (wanted.page_url, conversation.page_url),
        )
    )


def _given(text: str | None) -> bool:
    return bool(text and text.strip())  # a form that a visitor left empty says nothing


def _fold(email: str | None) -> str:
    return (email or "").strip().casefold()


def _began(conversation: Conversation) -> datetime:
    return conversation.created_at or datetime.min.replace(tzinfo=UTC)
