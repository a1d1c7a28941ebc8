"""The Slack plugin against a double that follows Slack's published reference."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

import pytest
from hostile import TEXTS
from loopback import Reply
from plugins.slack_double import HOOK, Slack, failure, refusal, running
from pydantic import SecretStr

from connector.errors import (
    ActionError,
    AuthenticationError,
    ForbiddenError,
    InputError,
    NotFoundError,
    OutputError,
    RateLimitError,
    RejectedError,
    ServerError,
    SettingsError,
)
from connector.testing import PluginContract, Service

HELLO = {"channel": "#leads", "text": "Hello"}
TOKEN = "xoxb-canary-7Qz9kXw2vB4tR"


@pytest.fixture
def double() -> Iterator[tuple[str, Slack]]:
    seconds = count()
    with running(TOKEN, lambda: float(next(seconds))) as (served, slack):
        yield served.url, slack


@pytest.fixture
def slack(double) -> Slack:
    return double[1]


@pytest.fixture
def do(double, tmp_path, make_adapter) -> Callable[..., dict[str, Any]]:
    """do(input, action, connection) → its output."""
    (tmp_path / "connections.yaml").write_text(
        f"team: {{connector: slack, token: {{env: SLACK_TOKEN}}, address: '{double[0]}'}}\n"
        "hook: {connector: slack, webhook_url: {env: SLACK_WEBHOOK}}\n"
        "both: {connector: slack, webhook_url: {env: SLACK_WEBHOOK}, token: {env: SLACK_TOKEN}}\n"
        "none: {connector: slack}\n"
        "wrong: {connector: slack, webhook_url: {env: SLACK_TOKEN}}\n"
    )

    def run(
        input: Mapping[str, Any], action: str = "post_message", connection: str = "team", hook: str = HOOK
    ) -> dict[str, Any]:
        async def work() -> dict[str, Any]:
            async with make_adapter(SLACK_TOKEN=TOKEN, SLACK_WEBHOOK=f"{double[0]}{hook}") as adapter:
                output: dict[str, Any] = await adapter.run(f"slack.{action}", input, connection=connection)
                return output

        return asyncio.run(work())

    return run


def test_message_is_posted_and_answered_in_its_thread(do, slack):
    first = do(HELLO)
    assert first == {"ok": True, "channel": "C0001", "ts": "1503435956.000001"}
    do({**HELLO, "thread_ts": first["ts"]})
    assert slack.messages == [
        {"channel": "#leads", "text": "Hello", "unfurl_links": False, "unfurl_media": False, **more}
        for more in ({}, {"thread_ts": "1503435956.000001"})
    ]


def test_webhook_posts_to_its_own_channel(do, slack):
    assert do({"text": "Hello"}, connection="hook") == {"ok": True, "channel": None, "ts": None}
    assert slack.messages == [{"text": "Hello", "unfurl_links": False, "unfurl_media": False}]
    with pytest.raises(InputError, match="channel is given, but a webhook posts to the channel it was made for"):
        do(HELLO, connection="hook")
    with pytest.raises(InputError, match="channel is missing: expected"):
        do({"text": "Hello"})


@pytest.mark.parametrize("connection", ["team", "hook"])
@pytest.mark.parametrize("text", [*(text for text in TEXTS if text), "<!channel> <@U1> <https://x|y> &lt;!here&gt;"])
def test_what_a_visitor_wrote_calls_nobody(do, slack, connection, text):
    do({"text": text, **({"channel": "#leads"} if connection == "team" else {})}, connection=connection)
    sent = slack.messages[0]["text"]
    assert "<" not in sent
    assert ">" not in sent
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert sent.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == whole


def test_flow_calls_the_channel_where_it_says_so(do, slack):
    do({**HELLO, "text": "<!here>", "mention": "channel"})
    assert slack.messages[0]["text"] == "<!channel> &lt;!here&gt;"


@pytest.mark.parametrize(
    ("reply", "error", "processed", "transient", "words"),
    [
        (failure("invalid_auth"), AuthenticationError, "no", False, "copy the token again"),
        (failure("token_revoked"), AuthenticationError, "no", False, "token_revoked"),
        (failure("missing_scope", needed="chat:write"), ForbiddenError, "no", False, "needed: chat:write"),
        (failure("restricted_action"), ForbiddenError, "no", False, "ask an administrator"),
        (failure("invalid_blocks"), RejectedError, "no", False, "Slack refuses the message .invalid_blocks"),
        (failure("rate_limited"), RateLimitError, "no", True, "too many messages"),
        (failure("request_timeout"), ServerError, "no", True, "is not available"),
        (failure("internal_error"), ServerError, "unknown", True, "look there before you repeat it"),
        (failure("fatal_error"), ServerError, "unknown", True, "it may have posted"),
        (Reply({"ok": True}), OutputError, "unknown", False, "does not fit: channel is missing"),
        (Reply({"ok": "true", "channel": "C1", "ts": "1"}), OutputError, "unknown", False, "does not fit: ok"),
    ],
)  # fmt: skip
def test_error_of_the_api_says_what_to_do(do, slack, reply, error, processed, transient, words):
    slack.replies = [reply]
    with pytest.raises(ActionError, match=words) as caught:
        do(HELLO)
    assert type(caught.value) is error
    assert (caught.value.processed, caught.value.transient) == (processed, transient)


@pytest.mark.parametrize(
    ("input", "error", "words"),
    [
        ({"channel": "#nowhere"}, NotFoundError, "channel: Slack does not find it .channel_not_found"),
        ({"channel": "#old"}, RejectedError, "channel: it is archived"),
        ({"channel": "#secret"}, ForbiddenError, "channel: the app is no member of it"),
        ({"text": ""}, RejectedError, "text: it is empty"),
        ({"text": "x" * 40_001}, RejectedError, "text: it is too long"),
    ],
)
def test_field_that_is_refused_is_named(do, slack, input, error, words):
    with pytest.raises(ActionError, match=words) as caught:
        do(HELLO | input)
    assert type(caught.value) is error
    assert slack.messages == []


def test_channel_that_got_a_message_just_now_says_when_to_come_back(do, slack):
    slack.clock = lambda: 0.5
    for connection, message in (("team", HELLO), ("hook", {"text": "Hello"})):
        do(message, connection=connection)
        with pytest.raises(RateLimitError, match=r"too many requests for Slack \(429: 'rate") as caught:
            do(message, connection=connection)
        assert (caught.value.retry_after, caught.value.transient) == (1, True)


@pytest.mark.parametrize(
    ("reply", "error", "processed", "words"),
    [
        (refusal(403, "invalid_token"), AuthenticationError, "no", "make the webhook anew"),
        (refusal(404, "no_service"), AuthenticationError, "no", "make the webhook anew"),
        (refusal(403, "action_prohibited"), ForbiddenError, "no", "ask an administrator"),
        (refusal(404, "channel_not_found"), NotFoundError, "no", "channel: "),
        (refusal(410, "channel_is_archived"), RejectedError, "no", "channel: it is archived"),
        (refusal(400, "no_text"), RejectedError, "no", "text: it is empty"),
        (refusal(400, "invalid_payload"), RejectedError, "no", "400: 'invalid_payload'"),
        (refusal(500, "rollup_error"), ServerError, "unknown", "500: 'rollup_error'"),
        (refusal(503, f"<p>{HOOK}"), ServerError, "unknown", "503: no reason given"),
        (refusal(302, "", Location=HOOK), RejectedError, "unknown", "redirects"),
        (refusal(200, f"<p>{HOOK}"), OutputError, "unknown", "expected 'ok' from Slack, got something else"),
        (refusal(200, "okay"), OutputError, "unknown", "got 'okay'"),
    ],
)
def test_error_of_a_webhook_says_what_to_do_and_not_its_address(do, slack, reply, error, processed, words):
    slack.replies = [reply]
    with pytest.raises(ActionError, match=words) as caught:
        do({"text": "Hello"}, connection="hook")
    assert type(caught.value) is error
    assert caught.value.processed == processed
    assert HOOK.rpartition("/")[2] not in str(caught.value)


def test_webhook_that_is_gone_is_named(do):
    with pytest.raises(AuthenticationError, match=r"does not accept the webhook \(no_service"):
        do({"text": "Hello"}, connection="hook", hook="/services/T0001/B0001/other")


def test_connection_is_checked_without_a_message(do, slack):
    assert do({}, "check_connection") == {"team": "Example", "user": "cal"}
    with pytest.raises(InputError, match="a webhook can only be tried by posting a message"):
        do({}, "check_connection", "hook")
    assert slack.messages == []


@pytest.mark.parametrize(
    ("connection", "sentence"),
    [
        ("both", "give either token or webhook_url"),
        ("none", "give either token or webhook_url"),
        ("wrong", "`webhook_url` of the connection is ''; write http"),
    ],
)
def test_connection_that_cannot_be_used_is_named(do, connection, sentence):
    with pytest.raises(SettingsError, match=sentence) as caught:
        do(HELLO, connection=connection)
    assert TOKEN not in str(caught.value)


def test_webhook_address_with_a_line_break_is_refused(do):
    with pytest.raises(SettingsError, match="webhook_url has a space, a line break"):
        do(HELLO, connection="hook", hook="/services/T0/B0/x\nx")


class TestSlack(PluginContract):
    plugin = "slack"
    names = ("post_message", "check_connection")
    reading_by_post = ("check_connection",)

    @pytest.fixture
    def service(self) -> Iterator[Service]:
        seconds = count()
        with running(self.secret, lambda: float(next(seconds))) as (served, _):
            yield Service(served.url)

    def connection_values(self, url: str, secret: SecretStr) -> Mapping[str, Any]:
        return {"address": url, "token": secret}
