"""What the functions on URLs do. Any text is read, as far as it is one.

The grammar is that of RFC 3986, appendix B. `urllib` would keep the texts in a cache, and raises for some.
"""

import re
from urllib.parse import quote_from_bytes, unquote_plus

from connector.flows.expressions.values import MAX_RESULT, too_long
from connector.flows.expressions.work import PER_VALUE, Spend

_PER_BYTE = 20  # as many characters of work, measured
_PER_FIELD = 5 * PER_VALUE
_PER_CODE = 100
_LONGEST_HOST = 1_000

# A backslash ends the host, as browsers have it: `https://a.example\@b.example` leads to a.example.
_URL = re.compile(
    r"(?:[a-z][a-z0-9+.-]*:)?(?://(?P<host>[^/?#\\]*))?(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?", re.IGNORECASE
)
_HOST = re.compile(r"(?P<name>[\w.-]+|\[[0-9a-f:.]+\])(?::[0-9]*)?", re.IGNORECASE)


def encode(spend: Spend, text: str) -> str:
    """All but letters, digits and `_.-~` as `%XX`; half of a character, which UTF-8 cannot write, as U+FFFD."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    spend(len(whole) * _PER_BYTE)
    if len(whole) > MAX_RESULT:
        raise too_long("the result of url_encode")
    return quote_from_bytes(whole, safe="")


def host(spend: Spend, text: str) -> str | None:
    """In lower case, without port and user; null where there is none."""
    address = (_part(spend, text, "host") or "").rpartition("@")[2]
    match = _HOST.fullmatch(address) if len(address) <= _LONGEST_HOST else None
    return match["name"].lower() if match else None


def path(spend: Spend, text: str) -> str | None:
    """As it is written; null where it is empty."""
    return _part(spend, text, "path") or None


def query(spend: Spend, text: str) -> dict[str, str]:
    """The fields, decoded; of one that comes twice the first."""
    fields = _part(spend, text, "query") or ""
    spend((fields.count("&") + 1) * _PER_FIELD + fields.count("%") * _PER_CODE)
    found: dict[str, str] = {}
    for pair in filter(None, fields.split("&")):
        name, _, value = pair.partition("=")
        found.setdefault(unquote_plus(name, errors="replace"), unquote_plus(value, errors="replace"))
    return found


def _part(spend: Spend, text: str, name: str) -> str | None:
    spend(2 * len(text))
    match = _URL.match(text.strip())
    return match[name] if match else None
