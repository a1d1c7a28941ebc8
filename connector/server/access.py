"""Who may see the pages and change something with them.

The pages answer only under names that are theirs. Where no password is set they answer only this machine itself, asked
for under a name of it; a change needs the token that the pages carry, so that no other site can make one.
"""

import ipaddress
import secrets
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

COOKIE = "chatforge_session"
TOKEN_HEADER = "X-ChatForge-Token"  # noqa: S105 - the name of a header
_LASTS = timedelta(hours=12)
_MOST_SESSIONS = 1_000
_MOST_WRONG = 10
"""Passwords that may be wrong in _PAUSE."""
_PAUSE = timedelta(minutes=1)
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_FORWARDED = ("forwarded", "x-real-ip", "via", "x-client-ip", "true-client-ip", "cf-connecting-ip", "fly-client-ip")
_FORWARDED_START = "x-forwarded"  # -for, -host, -proto, …: a proxy may send only one of them
_SAME_SITE = ("same-origin", "none")
_OTHER_SITES = ("cross-site", "same-site")


@dataclass(frozen=True, slots=True)
class Asking:
    """What of a request decides on access. `headers` are by lower-case name."""

    method: str
    client: str
    scheme: str
    headers: Mapping[str, str]
    session: str | None
    """The value of the cookie."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who may see the pages."""

    token: str | None
    """What a change has to carry; None for a program, which no other site can make send the password."""
    name: str
    """For the journal and the log."""


class DeniedError(Exception):
    """Nothing is answered but this sentence. With `login` the person may log in."""

    def __init__(self, status: int, sentence: str, *, login: bool = False) -> None:
        super().__init__(sentence)
        self.status = status
        self.login = login


@dataclass
class Access:
    """`hosts` are the names, besides those of this machine itself, under which people reach the pages.

    With a password everybody logs in: what a tunnel or a proxy hands on may look as if this machine had asked.
    """

    password: str | None
    hosts: frozenset[str] = frozenset()
    _wrong: deque[datetime] = field(default_factory=lambda: deque(maxlen=_MOST_WRONG))
    """When wrong passwords were given lately."""
    _sessions: "OrderedDict[str, tuple[str, datetime]]" = field(default_factory=OrderedDict)
    _local_token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def admit(self, asking: Asking, now: datetime) -> Visitor:
        """Raises DeniedError."""
        self.check_host(asking)
        _check_origin(asking)
        if not self.password and _is_direct(asking):
            return Visitor(self._local_token, "a person at this machine")
        if self._knows_password(asking, now):
            return Visitor(None, "a program with the password")
        token = self._find(asking.session, now)
        if token is None:
            raise DeniedError(401, "log in to see this page", login=True)
        return Visitor(token, "a person who logged in")

    def check_host(self, asking: Asking) -> None:
        """A name that is none of ours may be a page of another site, which its name server has sent here."""
        name = _host_of(asking.headers.get("host", ""))
        if name not in LOOPBACK_NAMES and name not in self.hosts:
            raise DeniedError(
                421, "the pages are not reached under this name; set CHATFORGE_PUBLIC_URL to the address that you use"
            )

    def require_token(self, visitor: Visitor, given: str | None) -> None:
        """Raises DeniedError unless the change comes from one of our pages, or from a program with the password."""
        if visitor.token is None:
            return
        if given is None or not secrets.compare_digest(given.encode(), visitor.token.encode()):
            raise DeniedError(
                403, "this form is of an earlier start of the server or of another login; load the page again"
            )

    def log_in(self, asking: Asking, password: str, now: datetime) -> str | None:
        """The value of the new cookie; None where the password is wrong. Raises DeniedError."""
        self.check_host(asking)
        _check_origin(asking)
        if not self._is_password(password, now):
            return None
        session = secrets.token_urlsafe(32)
        self._sessions[session] = (secrets.token_urlsafe(24), now + _LASTS)
        while len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return session

    def log_out(self, session: str | None) -> None:
        self._sessions.pop(session or "", None)

    def _knows_password(self, asking: Asking, now: datetime) -> bool:
        """`Authorization: Bearer PASSWORD`, as programs send it, in UTF-8; headers are read as latin-1."""
        scheme, _, given = asking.headers.get("authorization", "").partition(" ")
        text = given.strip().encode("latin-1", "replace").decode("utf-8", "replace")
        return scheme.lower() == "bearer" and self._is_password(text, now)

    def _is_password(self, given: str, now: datetime) -> bool:
        """Raises DeniedError where somebody seems to guess; who is logged in stays so."""
        if len(self._wrong) == _MOST_WRONG and now - self._wrong[0] < _PAUSE:
            raise DeniedError(429, "too many wrong passwords were given; try again in a minute")
        wanted = self.password
        if wanted and secrets.compare_digest(given.encode("utf-8", "replace"), wanted.encode()):
            return True
        self._wrong.append(now)
        return False

    def _find(self, session: str | None, now: datetime) -> str | None:
        token, until = self._sessions.get(session or "", ("", now))
        return token if now < until else None


def require_own(asking: Asking) -> None:
    """Raises DeniedError where another site has led here."""
    if asking.headers.get("sec-fetch-site") in _OTHER_SITES:
        raise DeniedError(403, "this page asks other services, and another site has led here; open it from our own")


def _check_origin(asking: Asking) -> None:
    """Changes come from our own pages; a browser says so. Another site may link to a page, but embed nothing."""
    site, origin = asking.headers.get("sec-fetch-site"), asking.headers.get("origin")
    if asking.method in ("GET", "HEAD"):
        if site in _OTHER_SITES and asking.headers.get("sec-fetch-dest") != "document":
            raise DeniedError(403, "this page was asked for by another site")
        return
    own = f"{asking.scheme}://{asking.headers.get('host', '')}"
    if (site is not None and site not in _SAME_SITE) or (origin is not None and not _is_same(origin, own)):
        raise DeniedError(403, "this change was asked for by another site")


def _is_same(origin: str, own: str) -> bool:
    """Behind a proxy that ends TLS the scheme differs."""
    return origin.partition("://")[2] == own.partition("://")[2] != ""


def _is_direct(asking: Asking) -> bool:
    """Whether a program of this machine asks under a name of it, with no proxy between."""
    try:
        is_near = ipaddress.ip_address(asking.client).is_loopback
    except ValueError:
        is_near = False
    named = _host_of(asking.headers.get("host", "")) in LOOPBACK_NAMES
    return is_near and named and not any(map(_is_of_a_proxy, asking.headers))


def _is_of_a_proxy(header: str) -> bool:
    return header in _FORWARDED or header.startswith(_FORWARDED_START)


def _host_of(host: str) -> str:
    """`localhost` of `localhost:8080`, `::1` of `[::1]:8080`."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
