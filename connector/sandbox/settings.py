"""What can be chosen about a sandbox, and the public stand-ins for its secrets."""

from dataclasses import dataclass, field
from typing import Literal

AGENT_ID = "00000000-0000-4000-8000-000000000001"
"""The agent that every sandbox starts with; fixed, so that examples can name it."""
API_KEY = "cf_sandbox_enterprise_key"
SMALL_PLAN_KEY = "cf_sandbox_small_plan_key"
WEBHOOK_SECRET = "whsec_sandbox"  # noqa: S105 - a stand-in that everybody may know

ListOrder = Literal["newest_first", "oldest_first"]
RateWindow = Literal["sliding", "fixed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """The account that a sandbox pretends to be, and how strict it is. Durations are in seconds."""

    api_key: str = field(default=API_KEY, repr=False)
    """A key on the Enterprise plan: everything is allowed."""
    small_plan_key: str = field(default=SMALL_PLAN_KEY, repr=False)
    """A good key on a smaller plan: every request answers 403."""
    agent_id: str = AGENT_ID
    agent_name: str = "Support Agent"
    webhook_url: str | None = None
    """Where `lead.captured` goes from the start; more can be added while the sandbox runs."""
    webhook_secret: str = field(default=WEBHOOK_SECRET, repr=False)
    webhook_timeout: float = 10.0
    redelivery_delays: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)
    """The pause before each further attempt; a delivery is attempted once more than this is long."""
    rate_limit: int = 100
    """Requests per key and `rate_seconds`."""
    rate_seconds: float = 60.0
    rate_window: RateWindow = "sliding"
    list_order: ListOrder = "newest_first"
    max_limit: int = 100
    """The most items that one page holds, whatever `limit` asks for."""
