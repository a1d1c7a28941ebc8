"""Messages in Slack, by the token of an app or by an incoming webhook.

Source: Slack's published reference of chat.postMessage, auth.test and incoming webhooks. Nothing here was recorded
from Slack.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Literal, Self

import httpx
from pydantic import BaseModel, ConfigDict, Field, model_validator

from connector.declare import ActionContext, ConnectionType, RateLimit, Secret, action
from connector.errors import (
    AuthenticationError,
    ForbiddenError,
    InputError,
    NotFoundError,
    OutputError,
    RateLimitError,
    RejectedError,
    ServerError,
)
from connector.hookspecs import hookimpl
from connector.rest import QUOTED, Meaning, Service, shorten
from connector.retry_after import read_retry_after
from connector.transport import HttpOptions

_ORIGIN = re.compile(r"https?://[^/?#@\\\s]+(?=/)")
_URL = re.compile(r"[!-~]+")
_WORD = re.compile(r"[a-z_]{1,60}")
"""How Slack names an error."""
_TOKEN = "copy the token again: api.slack.com/apps, the app, OAuth & Permissions"  # noqa: S105 - it is no token
_WEBHOOK = "make the webhook anew: api.slack.com/apps, the app, Incoming Webhooks"


class SlackConnection(BaseModel):
    """A Slack workspace, by the token of an app; or one channel of it, by an incoming webhook."""

    model_config = ConfigDict(extra="forbid")

    token: Secret | None = Field(None, description="The bot token of an app with the scope chat:write: xoxb-…")
    webhook_url: Secret | None = Field(None, description="The address of an incoming webhook, instead of a token.")
    address: str = Field("https://slack.com/api", description="The address of the API; for tokens.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.token is None) is (self.webhook_url is None):
            raise ValueError("give either token or webhook_url")
        if self.webhook_url is not None and not _URL.fullmatch(self.webhook_url.get_secret_value()):
            raise ValueError("webhook_url has a space, a line break or another character that no address has")
        return self


Context = ActionContext[SlackConnection]


class PostMessage(BaseModel):
    model_config = ConfigDict(extra="forbid")

    channel: str | None = Field(
        None, description="The id of a channel, or #name; needed with a token. A webhook has its own channel."
    )
    text: str = Field(description="*bold* and _italic_ are shown so; mentions and links in <…> are not understood.")
    mention: Literal["here", "channel"] | None = Field(
        None, description="Whom the message calls: the members of the channel who are active, or all of them."
    )
    thread_ts: str | None = Field(None, description="`ts` of the message to which this one is an answer.")


class PostedMessage(BaseModel):
    ok: bool
    channel: str | None = Field(description="The id of the channel; null with a webhook, which does not tell it.")
    ts: str | None = Field(description="By which Slack knows the message; null with a webhook.")


class CheckConnection(BaseModel):
    """Nothing to choose."""

    model_config = ConfigDict(extra="forbid")


class CheckedConnection(BaseModel):
    team: str
    user: str = Field(description="As whom messages are posted.")


class _Outcome(BaseModel):
    model_config = ConfigDict(strict=True)

    ok: bool
    error: str = "no reason given"
    needed: str | None = None


class _Posted(BaseModel):
    channel: str
    ts: str


_SERVICE = Service("Slack", _TOKEN, "give the app the scope chat:write, and invite it to the channel")
_HOOK_SERVICE = Service("Slack", _WEBHOOK, _WEBHOOK)
_REFUSED = Meaning(RejectedError, "Slack refuses the message", "correct the input: the same again will not help")
_NOT_LOGGED_IN = Meaning(AuthenticationError, "Slack does not accept the token", _TOKEN)
_NO_WEBHOOK = Meaning(AuthenticationError, "Slack does not accept the webhook", _WEBHOOK)
_FORBIDDEN = Meaning(ForbiddenError, "Slack does not let this app post there", "ask an administrator of the workspace")
_TOO_MANY = Meaning(RateLimitError, "too many messages for Slack", "see what else posts to the channel", transient=True)
_CLOSED = Meaning(ServerError, "Slack is not available", "try again", transient=True)
_FAILED = Meaning(
    ServerError, "Slack failed", "it may have posted the message, so look there before you repeat it", "unknown", True
)


def _each(words: str, meaning: Meaning) -> Iterator[tuple[str, Meaning]]:
    return ((word, meaning) for word in words.split())


_MEANINGS: dict[str, Meaning] = {
    **dict(_each("invalid_auth not_authed account_inactive token_revoked token_expired", _NOT_LOGGED_IN)),
    **dict(_each("not_allowed_token_type two_factor_setup_required", _NOT_LOGGED_IN)),
    **dict(_each("invalid_token no_service no_service_id no_active_hooks no_team team_disabled", _NO_WEBHOOK)),
    **dict(_each("restricted_action restricted_action_read_only_channel no_permission access_denied", _FORBIDDEN)),
    **dict(_each("restricted_action_thread_only_channel restricted_action_non_threadable_channel", _FORBIDDEN)),
    **dict(_each("accesslimited ekm_access_denied enterprise_is_restricted team_access_not_granted", _FORBIDDEN)),
    **dict(_each("action_prohibited posting_to_general_channel_denied messages_tab_disabled", _FORBIDDEN)),
    **dict(_each("ratelimited rate_limited message_limit_exceeded", _TOO_MANY)),
    **dict(_each("request_timeout org_login_required team_added_to_org", _CLOSED)),
    **dict(_each("internal_error fatal_error service_unavailable rollup_error", _FAILED)),
    "missing_scope": Meaning(
        ForbiddenError, "Slack does not let this app post", "add the scope to the app and install it again"
    ),
    "not_in_channel": Meaning(
        ForbiddenError, "channel: the app is no member of it", "write /invite @APP in the channel"
    ),
    "channel_not_found": Meaning(
        NotFoundError, "channel: Slack does not find it", "check its name or id; invite the app where it is private"
    ),
    "user_not_found": Meaning(NotFoundError, "channel: Slack does not find the person", "check the id"),
    **dict(
        _each(
            "is_archived channel_is_archived",
            Meaning(RejectedError, "channel: it is archived", "unarchive it, or post elsewhere"),
        )
    ),
    "msg_too_long": Meaning(RejectedError, "text: it is too long for Slack", "shorten it"),
    "no_text": Meaning(RejectedError, "text: it is empty", "write something, or guard the step with `if`"),
    "cannot_reply_to_message": Meaning(
        RejectedError, "thread_ts: that message takes no answers", "name another one, or leave it out"
    ),
}


@action(
    effect="once",
    title="Post Slack message",
    example={"channel": "#leads", "text": "John Smith asked about estate planning."},
)
async def post_message(input: PostMessage, context: Context) -> PostedMessage:
    """Post a message. Slack does not recognise a repeated one, so doing it twice posts two."""
    # Links of visitors are not opened by Slack for a preview.
    body = {"text": _write(input), "unfurl_links": False, "unfurl_media": False}
    if input.thread_ts is not None:
        body["thread_ts"] = input.thread_ts
    if (webhook := context.connection.webhook_url) is not None:
        if input.channel is not None:
            raise InputError("channel is given, but a webhook posts to the channel it was made for; leave it out")
        _require_posted(await context.http.post(webhook.get_secret_value(), json=body), context)
        return PostedMessage(ok=True, channel=None, ts=None)
    if not input.channel:
        raise InputError("channel is missing: expected the id of a channel or its name, such as '#leads'")
    answer = await _ask(context, "chat.postMessage", {"channel": input.channel, **body})
    posted = _SERVICE.read(answer, _Posted, context)
    return PostedMessage(ok=True, channel=posted.channel, ts=posted.ts)


def _write(input: PostMessage) -> str:
    """The text, in which nothing is understood as a mention or a link, since `<` is what they begin with."""
    text = input.text
    for character, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, written)
    return f"<!{input.mention}> {text}" if input.mention else text


@action(effect="read", title="Check Slack connection")
async def check_connection(_input: CheckConnection, context: Context) -> CheckedConnection:
    """Show to which workspace the token belongs. A webhook cannot be tried without posting a message."""
    if context.connection.webhook_url is not None:
        raise InputError(
            "a webhook can only be tried by posting a message; chatforge call slack.post_message does that"
        )
    return _SERVICE.read(await _ask(context, "auth.test", {}), CheckedConnection, context)


async def _ask(context: Context, method: str, body: dict[str, Any]) -> httpx.Response:
    """The answer to a method of the API, which says that it is a success. Raises ActionError."""
    answer = await context.http.post(f"/{method}", json=body)
    outcome = _SERVICE.read(answer, _Outcome, context)
    if not outcome.ok:
        more = f", needed: {outcome.needed}" if outcome.needed else ""
        _refuse(shorten(f"{outcome.error}{more}", QUOTED), _MEANINGS.get(outcome.error, _REFUSED), answer, context)
    return answer


def _require_posted(answer: httpx.Response, context: Context) -> None:
    """Raise ActionError unless a webhook has posted. What it answers is a word; anything else is not quoted, since
    the address is a secret and may stand in it."""
    found = _WORD.fullmatch(answer.text.strip())
    word = found[0] if found else ""
    if answer.status_code == httpx.codes.OK and word == "ok":
        return
    if answer.status_code not in (200, 429) and answer.status_code < 500 and word in _MEANINGS:
        _refuse(word, _MEANINGS[word], answer, context)
    headers = {name: answer.headers[name] for name in ("date", "retry-after") if name in answer.headers}
    plain = httpx.Response(answer.status_code, headers=headers, text=word, request=answer.request)
    _HOOK_SERVICE.require_success(plain, context.now)
    said = repr(word) if word else "something else"
    raise OutputError(
        f"expected 'ok' from Slack, got {said} (status {answer.status_code}); check webhook_url of the connection",
        processed="unknown",
        status=answer.status_code,
    )


def _refuse(said: str, meaning: Meaning, answer: httpx.Response, context: Context) -> None:
    raise meaning.error(
        f"{meaning.what} ({said}); {meaning.step}",
        processed=meaning.processed,
        transient=meaning.transient,
        status=answer.status_code,
        retry_after=read_retry_after(answer.headers, context.now),
    )


def _options(made: SlackConnection) -> HttpOptions:
    """Of a webhook only the origin, since the rest of its address is a secret."""
    if made.webhook_url is not None:
        origin = _ORIGIN.match(made.webhook_url.get_secret_value())
        return HttpOptions(origin[0] if origin else "", base_url_setting="`webhook_url` of the connection")
    token = made.token.get_secret_value() if made.token else ""
    return HttpOptions(
        made.address, {"Authorization": f"Bearer {token}"}, base_url_setting="`address` of the connection"
    )


@hookimpl
def register_connections(register: Callable[[ConnectionType], None]) -> None:
    register(
        ConnectionType(
            model=SlackConnection,
            title="Slack",
            help="token or webhook_url stand in Slack: api.slack.com/apps, the app",
            help_url="https://api.slack.com/apps",
            default=lambda _settings: None,
            http=_options,
            rate_limit=RateLimit(1, 1, "channel"),
            test="check_connection",
        )
    )


@hookimpl
def register_actions(register: Callable[[Any], None]) -> None:
    for declared in (post_message, check_connection):
        register(declared)
