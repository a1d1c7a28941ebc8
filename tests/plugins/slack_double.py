"""A small Slack: chat.postMessage, auth.test and incoming webhooks, with the errors and the limit of its published
reference. Nothing in it was recorded from Slack.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from loopback import Reply, Request, Served, serving

HOOK = "/services/T0001/B0001/canary7Qz9"
_SECONDS = 1.0
"""Between two messages of a channel."""
_LONGEST = 40_000


def failure(error: str, **more: Any) -> Reply:
    """The Web API refuses with status 200."""
    return Reply({"ok": False, "error": error, **more})


def refusal(status: int, word: str, **headers: str) -> Reply:
    """A webhook refuses with a status and a word."""
    return Reply(word.encode(), status, {"Content-Type": "text/html", **headers})


@dataclass
class Slack:
    token: str
    clock: Callable[[], float] = time.monotonic
    messages: list[dict[str, Any]] = field(default_factory=list)
    channels: dict[str, str] = field(default_factory=lambda: {"#leads": "C0001", "#old": "C0002", "#secret": "C0003"})
    """name → id; #old is archived, and the app is no member of #secret."""
    replies: list[Reply] = field(default_factory=list)
    """What is answered to the next requests in its stead."""
    _last: dict[str, float] = field(default_factory=dict)

    def __call__(self, request: Request) -> Reply:
        if self.replies:
            return self.replies.pop(0)
        if request.path == HOOK:
            return self._hook(request.json)
        if request.path.startswith("/services/"):
            return refusal(404, "no_service")
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return failure("invalid_auth")
        if request.path == "/auth.test":
            return Reply(
                {"ok": True, "url": "https://example.slack.com/", "team": "Example", "user": "cal", "user_id": "U1"}
            )
        return self._post(request.json) if request.path == "/chat.postMessage" else failure("unknown_method")

    def _post(self, message: dict[str, Any]) -> Reply:
        channel = self.channels.get(message["channel"], message["channel"])
        states = {"C0001": "", "C0002": "is_archived", "C0003": "not_in_channel"}
        if error := states.get(channel, "channel_not_found") or _fault(message):
            return failure(error)
        if self._is_early(channel):
            return Reply({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": "1"})
        self.messages.append(message)
        return Reply({"ok": True, "channel": channel, "ts": f"1503435956.{len(self.messages):06}", "message": message})

    def _hook(self, message: dict[str, Any]) -> Reply:
        if not message.get("text"):
            return refusal(400, "no_text")
        if self._is_early(HOOK):
            return refusal(429, "rate_limited", **{"Retry-After": "1"})
        self.messages.append(message)
        return refusal(200, "ok")

    def _is_early(self, channel: str) -> bool:
        now = self.clock()
        early = now - self._last.get(channel, now - _SECONDS) < _SECONDS
        if not early:
            self._last[channel] = now
        return early


def _fault(message: dict[str, Any]) -> str:
    if not message["text"]:
        return "no_text"
    return "msg_too_long" if len(message["text"]) > _LONGEST else ""


@contextmanager
def running(token: str, clock: Callable[[], float] = time.monotonic) -> Iterator[tuple[Served, Slack]]:
    slack = Slack(token, clock)
    with serving(slack) as served:
        yield served, slack
