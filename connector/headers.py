"""The headers of a request as they may be shown and kept: without those that carry a secret."""

from collections.abc import Iterable

_SECRET = ("authorization", "cookie", "proxy-authorization", "set-cookie", "x-api-key")
_MOST = 50
_LONGEST = 200
"""Characters of a value."""


def show(headers: Iterable[tuple[str, str]], *, secret: Iterable[str] = ()) -> dict[str, str]:
    """The first 50 by lower-case name, each cut at 200 characters; `…` stands for a secret."""
    hidden = {*_SECRET, *secret}
    found: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        if len(found) < _MOST:
            found[key[:_LONGEST]] = "…" if key in hidden else value[:_LONGEST]
    return found
