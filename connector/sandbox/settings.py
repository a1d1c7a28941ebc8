"""What can be chosen about a sandbox, and the public stand-ins for its secrets."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import httpx

AGENT_ID = "00000000-0000-4000-8000-000000000001"
"""The agent that every sandbox starts with; fixed, so that examples can name it."""
OTHER_AGENT_ID = "00000000-0000-4000-8000-000000000002"
"""The agent of the other account."""
API_KEY = "cf_sandbox_enterprise_key"
SMALL_PLAN_KEY = "cf_sandbox_small_plan_key"
OTHER_API_KEY = "cf_sandbox_other_account_key"
WEBHOOK_SECRET = "whsec_sandbox"  # noqa: S105 - a stand-in that everybody may know

DAY = 86_400
"""The longest duration, in seconds."""

ListOrder = Literal["newest_first", "oldest_first", "shuffled", "unstable"]
RateWindow = Literal["sliding", "fixed", "weighted"]
RetryAfter = Literal["seconds", "date"]
ErrorStyle = Literal["json", "message", "text", "html", "empty"]


class InvalidSettingError(ValueError):
    """A setting has a value that it cannot have. `name` is that of the setting."""

    def __init__(self, name: str, value: object, expected: str) -> None:
        super().__init__(f"{name} is {value!r}; expected {expected}")
        self.name = name
        self.value = value
        self.expected = expected


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """The two accounts that a sandbox pretends to be, and how strict it is. Durations are in seconds, up to a day.

    Raises InvalidSettingError, which is a ValueError, for a value out of range.
    """

    api_key: str = field(default=API_KEY, repr=False)
    """A key on the Enterprise plan: everything is allowed."""
    small_plan_key: str = field(default=SMALL_PLAN_KEY, repr=False)
    """A good key on a smaller plan: every request answers 403."""
    other_api_key: str = field(default=OTHER_API_KEY, repr=False)
    """A key on the Enterprise plan of another account, which has agents of its own."""
    agent_id: str = AGENT_ID
    agent_name: str = "Support Agent"
    other_agent_id: str = OTHER_AGENT_ID
    webhook_url: str | None = None
    """Where `lead.captured` goes from the start; more can be added while the sandbox runs."""
    webhook_secret: str = field(default=WEBHOOK_SECRET, repr=False)
    webhook_agent_id: str | None = None
    """What webhooks carry as `agent_id` instead of the API's id; the reference shows `abc123` there."""
    webhook_timeout: float = 10.0
    webhook_copies: int = 1
    """How often each event is delivered to each webhook; every copy is a delivery of its own."""
    redelivery_delays: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)
    """The pause before each further attempt; a delivery is attempted once more than this is long."""
    rate_limit: int = 100
    """Requests per key and `rate_seconds`."""
    rate_seconds: float = 60.0
    rate_window: RateWindow = "sliding"
    retry_after: RetryAfter | None = None
    """How a 429 says when to come back, if at all; in the time of the sandbox's clock."""
    error_style: ErrorStyle = "json"
    """How the API's refusals are written; the reference specifies no body."""
    list_order: ListOrder = "newest_first"
    list_lag: float = 0.0
    """How long a lead or conversation is missing from its list and from analytics."""
    max_limit: int = 100
    """The most items that one page holds, whatever `limit` asks for."""
    clock_speed: float = 1.0
    """How many times faster than the machine's the sandbox's clock runs, at most a day a second.

    Pauses are in the machine's time.
    """
    db: Path | None = None
    """The file that keeps agents, conversations, leads and the effect log over a restart; None: nothing is kept."""

    def __post_init__(self) -> None:
        for name, (accepts, expected) in RULES.items():
            value = getattr(self, name)
            if not accepts(value):
                raise InvalidSettingError(name, value, expected)
        if len({self.api_key, self.small_plan_key, self.other_api_key}) < 3:
            raise InvalidSettingError("other_api_key", "…", "another key than those of the first account")
        if self.agent_id == self.other_agent_id:
            raise InvalidSettingError("other_agent_id", self.other_agent_id, "another id than agent_id")


Rule = tuple[Callable[[Any], bool], str]


def _one_of(options: tuple[str, ...], *, optional: bool = False) -> Rule:
    known = f"one of {', '.join(options)}"
    return (lambda value: value in options or (optional and value is None)), known


def is_duration(value: float) -> bool:
    """Whether the value is a number of seconds from 0 to a day; that can be added to any time and waited for."""
    return 0 <= value <= DAY


def is_address(value: str) -> bool:
    """Whether webhooks can be sent to the address."""
    try:
        url = httpx.URL(value)
        return url.scheme in ("http", "https") and bool(url.host)
    except (httpx.InvalidURL, ValueError):  # of a host that is wrong as IDNA
        return False


COUNT: Rule = (lambda value: value >= 1), "1 or more"
DURATION: Rule = is_duration, f"a number of seconds, 0 or more and at most {DAY}"
POSITIVE: Rule = (lambda value: is_duration(value) and value > 0), f"a number above 0 and at most {DAY}"
ADDRESS = "an address such as http://127.0.0.1:8080/webhooks/chatforge"

RULES: dict[str, Rule] = {
    "webhook_url": ((lambda value: value is None or is_address(value)), ADDRESS),
    "webhook_timeout": POSITIVE,
    "webhook_copies": COUNT,
    "redelivery_delays": ((lambda value: all(map(is_duration, value))), f"seconds, each 0 or more and at most {DAY}"),
    "rate_limit": COUNT,
    "rate_seconds": POSITIVE,
    "rate_window": _one_of(get_args(RateWindow)),
    "retry_after": _one_of(get_args(RetryAfter), optional=True),
    "error_style": _one_of(get_args(ErrorStyle)),
    "list_order": _one_of(get_args(ListOrder)),
    "list_lag": DURATION,
    "max_limit": COUNT,
    "clock_speed": POSITIVE,
}
"""setting → what it accepts, in code and in words."""
