"""Writes a message (RFC 5322). The headers are written by hand: the standard library decodes `=?…?=` in a subject, so
that a visitor could write a line break there.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.header import Header
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from typing import Literal

from connector.errors import InputError
from connector.plugins.email.addresses import to_mailbox
from connector.plugins.email.models import EmailConnection, SendEmail
from connector.plugins.email.template import fill
from connector.rest import shorten
from connector.validation import quoted, replace_surrogates

Recipient = Literal["to", "cc", "bcc"]

_LONGEST_SUBJECT = 300  # characters
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Written:
    """A message and its envelope."""

    message_id: str
    recipients: Mapping[str, Recipient]
    """Each address once, with the input that names it."""
    content: bytes

    @property
    def needs_utf8(self) -> bool:
        """Whether an address has other characters than ASCII before its @ (RFC 6531)."""
        return not (all(map(str.isascii, self.recipients)) and self.content.isascii())


def write(input: SendEmail, connection: EmailConnection, key: str, now: datetime) -> Written:
    """The message. Raises InputError."""
    to = _read("to", [input.to] if isinstance(input.to, str) else input.to)
    cc, bcc = _read("cc", input.cc), _read("bcc", input.bcc)
    if not to:
        raise InputError("to is empty: expected an address, such as ann@example.com")
    message_id = _message_id(key, connection.sender)
    headers = {
        "From": formataddr((_one_line(connection.from_name or ""), connection.sender)),
        "To": _list(to),
        "Cc": _list(cc),
        "Reply-To": _list(_read("reply_to", [input.reply_to] if input.reply_to else [])),
        "Subject": _subject(input.subject),
        "Date": format_datetime(now),
        "Message-ID": message_id,
        "Auto-Submitted": "auto-generated",
    }
    written = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
    recipients: dict[str, Recipient] = {**_named(to, "to"), **_named(cc, "cc"), **_named(bcc, "bcc")}
    return Written(message_id, recipients, written.encode() + _body(input))


def _named(addresses: Sequence[str], name: Recipient) -> dict[str, Recipient]:
    return dict.fromkeys(addresses, name)


def _read(name: str, texts: Sequence[str]) -> list[str]:
    found = []
    for text in texts:
        try:
            found.append(to_mailbox(replace_surrogates(text)))
        except ValueError as error:
            raise InputError(f"{name} is {quoted(text)}: {error}") from None
    return list(dict.fromkeys(found))


def _list(addresses: Sequence[str]) -> str:
    return ",\r\n ".join(addresses)


def _subject(text: str) -> str:
    """One line, in which nothing is decoded but what is encoded here."""
    line = _one_line(text)
    line = line if len(line) <= _LONGEST_SUBJECT else f"{line[: _LONGEST_SUBJECT - 1]}…"
    plain = line.isascii() and "=?" not in line
    return Header(line, "us-ascii" if plain else "utf-8", header_name="Subject").encode(linesep="\r\n")


def _one_line(text: str) -> str:
    return " ".join(_CONTROLS.sub(" ", replace_surrogates(text)).split())


def _message_id(key: str, sender: str) -> str:
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"<{digest[:32] if key else secrets.token_hex(16)}@{sender.rpartition('@')[2]}>"


def _body(input: SendEmail) -> bytes:
    """With headers of its own. Quoted-printable leaves no line that is too long, and no lone CR or LF."""
    message = EmailMessage(policy.SMTP)
    message.set_content(replace_surrogates(input.text), cte="quoted-printable")
    if input.html is not None:
        html = fill(replace_surrogates(input.html), input.values)
        message.add_alternative(html, subtype="html", cte="quoted-printable")
    elif input.values:
        raise InputError("values is given, but there is no html in which they would stand; leave them out")
    return bytes(message)


def describe(reply: str) -> str:
    """What a server said, on one line."""
    return shorten(replace_surrogates(reply), 200)
