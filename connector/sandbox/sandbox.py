"""One sandbox: its account, its memory of what happened, and what a test may order."""

from datetime import UTC, datetime

from connector.sandbox.account import Account, Clock, Lead, Visitor
from connector.sandbox.connections import Connections
from connector.sandbox.counters import RequestCounters
from connector.sandbox.delivery import Courier, Delivery, Webhook
from connector.sandbox.effects import EffectLog
from connector.sandbox.faults import FaultQueue
from connector.sandbox.rate import RateLimit
from connector.sandbox.settings import SandboxSettings
from connector.sandbox.shapes import lead_captured


def read_clock() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


class Sandbox:
    """The state behind one app. `clock` drives every time that is shown or counted, but not the pauses.

    Only the server's own thread changes it, except that `webhook_url` may be set from any.
    """

    def __init__(self, settings: SandboxSettings | None = None, clock: Clock = read_clock) -> None:
        self.settings = settings or SandboxSettings()
        self.clock = clock
        self.origin = ""
        """`http://HOST:PORT` once it is served."""
        self.account = Account(clock)
        self.account.create_agent({"name": self.settings.agent_name}, self.settings.agent_id)
        self.rate_limit = RateLimit(self.settings.rate_window, self.settings.rate_limit, self.settings.rate_seconds)
        self.courier = Courier(clock, self.settings.redelivery_delays, self.settings.webhook_timeout)
        self.faults = FaultQueue()
        self.effects = EffectLog()
        self.counters = RequestCounters()
        self.connections = Connections()
        self.webhook_url = self.settings.webhook_url

    @property
    def url(self) -> str:
        """The base URL of the API, for a client's settings."""
        return f"{self.origin}/api/dashboard.js"

    @property
    def control_url(self) -> str:
        """The base URL of the control endpoints."""
        return f"{self.origin}/sandbox"

    @property
    def api_key(self) -> str:
        """A key that may do everything."""
        return self.settings.api_key

    @property
    def small_plan_key(self) -> str:
        """A key whose plan is too small."""
        return self.settings.small_plan_key

    @property
    def webhook_secret(self) -> str:
        """What webhooks are signed with unless they were given a secret of their own."""
        return self.settings.webhook_secret

    @property
    def agent_id(self) -> str:
        """The agent that was there from the start."""
        return self.settings.agent_id

    @property
    def webhook_url(self) -> str | None:
        """Where events go; setting it replaces all webhooks, None removes them."""
        return self.courier.webhooks[0].url if self.courier.webhooks else None

    @webhook_url.setter
    def webhook_url(self, url: str | None) -> None:
        self.courier.webhooks = () if url is None else (Webhook(url, self.webhook_secret),)

    def receive_visitor(
        self, agent_id: str, visitor: Visitor, messages: list[str], *, capture_lead: bool
    ) -> tuple[str, Lead | None, list[Delivery]]:
        """A visitor chats and, unless told otherwise, leaves contact details, which fires the webhook.

        Returns the conversation's id, the lead and the deliveries that were started.
        """
        conversation = self.account.start_conversation(agent_id, visitor)
        for text in messages:
            self.account.add_message(conversation, "user", text)
        if not capture_lead:
            return conversation.id, None, []
        lead = self.account.capture_lead(conversation)
        return conversation.id, lead, self.courier.announce(lead_captured(lead))
