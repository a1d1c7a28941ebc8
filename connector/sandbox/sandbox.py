"""One sandbox: its accounts, its memory of what happened, and what a test may order."""

import sqlite3
from datetime import datetime

from connector.sandbox.account import Account
from connector.sandbox.clock import Clock, FastClock, read_clock
from connector.sandbox.connections import Connections
from connector.sandbox.counters import RequestCounters
from connector.sandbox.delivery import Courier, Delivery, Webhook
from connector.sandbox.effects import EffectLog
from connector.sandbox.faults import FaultQueue
from connector.sandbox.listing import Lists
from connector.sandbox.rate import RateLimit
from connector.sandbox.records import Conversation, Lead, Visitor
from connector.sandbox.refusals import not_found
from connector.sandbox.settings import SandboxSettings
from connector.sandbox.shapes import lead_captured
from connector.sandbox.storage import StorageError, open_storage


class Sandbox:
    """The state behind one app. `clock` drives every time that is shown or counted, but not the pauses.

    Only the server's own thread changes it, except that `settings` and `webhook_url` may be set from any.
    With `settings.db` it must be closed; raises StorageError when that file cannot be used.
    """

    def __init__(self, settings: SandboxSettings | None = None, clock: Clock = read_clock) -> None:
        self.settings = settings or SandboxSettings()
        self.clock = clock if self.settings.clock_speed == 1 else FastClock(clock, self.settings.clock_speed)
        self.origin = ""
        """`http://HOST:PORT` once it is served."""
        self.rate_limit = RateLimit(lambda: self.settings)
        self.courier = Courier(self.clock, lambda: self.settings)
        self.faults = FaultQueue()
        self.counters = RequestCounters()
        self.connections = Connections()
        self.lists = Lists()
        self.storage = open_storage(self.settings.db)
        try:
            self._load()
        except (KeyError, TypeError, ValueError, sqlite3.Error) as error:
            self.storage.close()
            raise StorageError(f"{str(self.settings.db)!r} holds what this version cannot read: {error!r}") from error
        self.webhook_url = self.settings.webhook_url

    def _load(self) -> None:
        self.account = Account("first", self.clock, self.storage)
        self.account.seed_agent(self.settings.agent_id, self.settings.agent_name)
        self.other_account = Account("other", self.clock, self.storage)
        self.other_account.seed_agent(self.settings.other_agent_id, self.settings.agent_name)
        self.effects = EffectLog(self.storage)
        self.storage.commit()

    def close(self) -> None:
        """Release the database."""
        self.storage.close()

    @property
    def url(self) -> str:
        """The base URL of the API, for a client's settings."""
        return f"{self.origin}/api/dashboard.js"

    @property
    def control_url(self) -> str:
        """The base URL of the control endpoints."""
        return f"{self.origin}/sandbox"

    @property
    def chat_url(self) -> str:
        """Where a person plays the visitor."""
        return f"{self.origin}/"

    @property
    def api_key(self) -> str:
        """A key that may do everything."""
        return self.settings.api_key

    @property
    def small_plan_key(self) -> str:
        """A key whose plan is too small."""
        return self.settings.small_plan_key

    @property
    def other_api_key(self) -> str:
        """A key that may do everything in the other account."""
        return self.settings.other_api_key

    @property
    def webhook_secret(self) -> str:
        """What webhooks are signed with unless they were given a secret of their own."""
        return self.settings.webhook_secret

    @property
    def agent_id(self) -> str:
        """The agent that was there from the start."""
        return self.settings.agent_id

    @property
    def other_agent_id(self) -> str:
        """The agent that was in the other account from the start."""
        return self.settings.other_agent_id

    @property
    def webhook_url(self) -> str | None:
        """Where events of the first account go; setting it replaces all its webhooks, None removes them."""
        return self.account.webhooks[0].url if self.account.webhooks else None

    @webhook_url.setter
    def webhook_url(self, url: str | None) -> None:
        self.account.webhooks = () if url is None else (Webhook(url, self.webhook_secret),)

    def find_account(self, agent_id: str) -> Account:
        """The account with this agent. Raises RefusedError (404)."""
        for account in (self.account, self.other_account):
            if agent_id in account.agents:
                return account
        raise not_found("agent", agent_id)

    def find_conversation(self, conversation_id: str) -> tuple[Account, Conversation]:
        """A conversation and its account. Raises RefusedError (404)."""
        for account in (self.account, self.other_account):
            if conversation_id in account.conversations:
                return account, account.conversations[conversation_id]
        raise not_found("conversation", conversation_id)

    def receive_visitor(
        self,
        agent_id: str,
        visitor: Visitor,
        messages: list[str],
        *,
        capture_lead: bool = True,
        created_at: datetime | None = None,
        webhook: bool = True,
    ) -> tuple[str, Lead | None, list[Delivery]]:
        """A visitor chats and, unless told otherwise, leaves contact details, which fires the webhook.

        Returns the conversation's id, the lead and the deliveries that were started.
        """
        account = self.find_account(agent_id)
        conversation = account.start_conversation(agent_id, visitor, created_at)
        for text in messages:
            account.add_message(conversation, "user", text, at=created_at)
        lead = account.capture_lead(conversation, created_at) if capture_lead else None
        self.storage.commit()
        if lead is None or not webhook:
            return conversation.id, lead, []
        payload = lead_captured(lead, self.settings.webhook_agent_id)
        return conversation.id, lead, self.courier.announce(payload, account.webhooks)

    def leave(self, conversation_id: str, visitor: Visitor) -> Lead:
        """The visitor of a chat leaves contact details, which fires the webhook. Raises RefusedError (404)."""
        account, conversation = self.find_conversation(conversation_id)
        conversation.visitor = visitor
        lead = account.capture_lead(conversation)
        self.storage.commit()
        self.courier.announce(lead_captured(lead, self.settings.webhook_agent_id), account.webhooks)
        return lead

    def close_conversation(self, conversation_id: str) -> Conversation:
        """End a conversation, so that nothing can be injected any more. Raises RefusedError (404)."""
        account, conversation = self.find_conversation(conversation_id)
        account.close_conversation(conversation.id)
        self.storage.commit()
        return conversation
