"""New leads in a flow."""

from collections.abc import Iterator, Mapping
from typing import Any

from prefect.blocks.core import Block
from pydantic import Field

from connector.errors import ConnectorError
from connector.hosts.polling import step
from connector.hosts.prefect.actions import ActionFailedError
from connector.hosts.prefect.credentials import ChatForgeCredentials


class ChatForgePoll(Block):  # type: ignore[misc] # Prefect is not installed where types are checked
    """How far a poll for new leads has come. Written by flows; without it the poll begins anew."""

    _block_type_name = "ChatForge Poll"
    _block_type_slug = "chatforge-poll"

    state: dict[str, Any] = Field(default_factory=dict, description="What the poll knows.")
    waiting: list[dict[str, Any]] = Field(default_factory=list, description="Leads that no flow has finished.")


def new_leads(
    credentials: ChatForgeCredentials, poll: str, input: Mapping[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    """`{"identity", "lead"}` of each lead that has come since the last call; then it ends.

    `input` is that of the trigger `chatforge.new_lead`. `poll` names the block that keeps how far it has come, with
    the leads that were found, in one write. A lead is done when the next one is asked for: where the flow ends before
    that, however it ends, the next call begins with this lead. So one run at a time for each name.

    Raises ActionFailedError; then nothing is lost.
    """
    kept = _load(poll)
    more = True
    while kept.waiting or more:
        while kept.waiting:
            yield kept.waiting[0]
            kept.waiting = kept.waiting[1:]
            kept.save(poll, overwrite=True, _sync=True)
        if more:
            more = _step(credentials, kept, input or {})
            kept.save(poll, overwrite=True, _sync=True)


def _load(poll: str) -> ChatForgePoll:
    try:
        found: ChatForgePoll = ChatForgePoll.load(poll, _sync=True)
    except ValueError:  # there is none yet
        return ChatForgePoll()
    return found


def _step(credentials: ChatForgeCredentials, kept: ChatForgePoll, input: Mapping[str, Any]) -> bool:
    """One request at most; whether to go on at once."""
    try:
        with credentials.get_client() as blocking:
            found = blocking.wait(step(blocking.adapter, input, kept.state or None))
    except ConnectorError as error:
        raise ActionFailedError(f"new leads cannot be polled: {credentials.told(error)}") from None
    kept.state, kept.waiting = found.state, found.leads
    return found.more
