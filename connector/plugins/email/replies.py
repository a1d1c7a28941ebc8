"""What the replies of an SMTP server mean (RFC 5321; RFC 3463 for the numbers with dots)."""

import re
import ssl
from typing import Literal

import aiosmtplib

from connector.errors import (
    ActionError,
    AuthenticationError,
    ForbiddenError,
    NetworkError,
    NotFoundError,
    OutputError,
    RateLimitError,
    RejectedError,
    ServerError,
)
from connector.plugins.email.message import Recipient, describe
from connector.unreached import describe_refusal
from connector.validation import quoted

Stage = Literal["connect", "login", "from", "data", "content"] | Recipient

_USUAL_WAIT = 120.0
"""Seconds until the next attempt where the server does not say it; six attempts then outlast most greylisting."""
_LONGEST_WAIT = 86_400.0
_WAIT = re.compile(r"\b(\d{1,6})\s*(s|secs?|seconds?|m|mins?|minutes?|h|hours?)\b", re.IGNORECASE)
_UNITS = {"s": 1, "m": 60, "h": 3600}
_ENHANCED = re.compile(r"[245]\.(\d{1,3}\.\d{1,3})\b")
_NO_MAILBOX = ("1.1", "1.2", "1.3", "1.6", "1.10")
_LOG_IN = (530, 534, 535, 538)
_LATER = (421, 450, 451, 452)
_TOO_LARGE = (552,)
_DOUBT = "; it may have taken the message, so ask its operator before you repeat it"
_CORRECT = "correct it: the same again will not help"


def error_of(error: Exception, stage: Stage, place: str, settings: str) -> ActionError:
    """The ActionError that a failure at that stage stands for. `settings` says what to check of the connection."""
    if isinstance(error, aiosmtplib.SMTPResponseException) and 400 <= error.code < 600:
        return _refusal(error, stage, place)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        message = f"{place} does not answer as an SMTP server does; {settings}"
        return OutputError(message, processed="unknown" if stage == "content" else "no")
    if stage == "connect" and isinstance(error, ssl.SSLError | aiosmtplib.SMTPConnectError):
        reason, transient = describe_refusal(error)
        return NetworkError(f"cannot reach {place}: {reason}; {settings}", processed="no", transient=transient)
    late = isinstance(error, TimeoutError)
    what = "did not answer in time" if late else "closed or broke the connection before it answered"
    if stage == "content":
        return NetworkError(f"{place} {what}{_DOUBT}", processed="unknown", transient=True)
    return NetworkError(f"{place} {what}; nothing was sent, try again", processed="no", transient=True)


def _refusal(error: aiosmtplib.SMTPResponseException, stage: Stage, place: str) -> ActionError:
    code, enhanced = error.code, _ENHANCED.search(error.message)
    # What is said about a login is not quoted: it may repeat what was sent.
    said = (
        f"{code}{f' {enhanced[0]}' if enhanced else ''}" if stage == "login" else f"{code}: {describe(error.message)!r}"
    )
    if code < 500:
        return _later(code, said, error.message, stage, place)
    if code in _LOG_IN or stage == "login":
        step = "check user and password of the connection, and whether its provider wants a password for applications"
        return AuthenticationError(f"{place} does not accept the login ({said}); {step}")
    field = _name(error, stage)
    detail = enhanced[1] if enhanced else ""
    if stage in ("from", "data", "content") and (code in _TOO_LARGE or detail in ("3.4", "2.3")):
        return RejectedError(f"text: the message is too large for {place} ({said}); shorten it")
    if isinstance(error, aiosmtplib.SMTPRecipientRefused) and detail in _NO_MAILBOX:
        return NotFoundError(f"{field}: {place} knows no such mailbox ({said}); correct the address")
    if detail.startswith("7.") or "relay" in error.message.lower() or stage in ("connect", "from"):
        step = "ask its operator whether this account may send that, and from that address"
        return ForbiddenError(f"{field}: {place} does not allow it ({said}); {step}")
    return RejectedError(f"{field}: {place} refuses it ({said}); {_CORRECT}")


def _name(error: aiosmtplib.SMTPResponseException, stage: Stage) -> str:
    """The field that is refused, and its value where that is an address."""
    if isinstance(error, aiosmtplib.SMTPRecipientRefused):
        return f"{stage} {quoted(error.recipient)}"
    if isinstance(error, aiosmtplib.SMTPSenderRefused):
        return f"from {quoted(error.sender)}"
    return "text" if stage in ("data", "content") else "the connection"


def _later(code: int, said: str, message: str, stage: Stage, place: str) -> ActionError:
    """What passes: nothing was taken, and the same may be taken later."""
    if code not in _LATER:
        return ServerError(f"{place} cannot do it now ({said}); try again", transient=True)
    found = _WAIT.search(message) if stage != "login" else None
    seconds = float(found[1]) * _UNITS[found[2][0].lower()] if found else _USUAL_WAIT
    return RateLimitError(
        f"{place} wants to be asked later ({said}); see whether too much is sent",
        transient=True,
        retry_after=min(seconds, _LONGEST_WAIT),
    )
