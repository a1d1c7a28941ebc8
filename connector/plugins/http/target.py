"""Where a request goes. What visitors wrote never decides on scheme, host or port, and never leaves its place in the
path: it stands in segments and in the query, each written so that it is nothing else.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

import httpx

from connector.errors import InputError, OutputError
from connector.validation import quoted, replace_surrogates

_PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_PATH = re.compile(r"/[!-~]*")


def find_fault(url: str) -> str | None:
    """Why a `url` of a flow cannot be used."""
    if not _PATH.fullmatch(url) or url.startswith("//") or "\\" in url:
        return f"url is {quoted(url)}: expected what stands behind the connection's address, such as /contacts/{{id}}"
    path, _, query = url.partition("?")
    rest = _PLACE.sub("", path)
    if query or "?" in url:
        return f"url is {quoted(url)}: it has a query; write its values under `query`"
    if "{" in rest or "}" in rest or "#" in url:
        return f"url is {quoted(url)}: expected {{NAME}} for each value, and nothing behind the path"
    if any(unquote(part) in (".", "..") for part in path.split("/")):
        return f"url is {quoted(url)}: it goes up with {quoted('..')}; write the path out"
    return None


def fill(url: str, values: Mapping[str, str | int]) -> str:
    """The `url` of a flow with its values. Raises InputError."""
    if fault := find_fault(url):
        raise InputError(fault)
    for name in values.keys() - {*_PLACE.findall(url)}:
        raise InputError(f"path has {name!r}, but url has no {{{name}}}")

    def segment(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise InputError(f"url has {found[0]}, but path has no {found[1]!r}")
        text = str(values[found[1]])
        if text in ("", ".", ".."):
            raise InputError(f"path.{found[1]} is {quoted(text)}, which is no part of a path; guard the step with `if`")
        return quote(replace_surrogates(text), safe="")

    return _PLACE.sub(segment, url)


def follow(address: object, base: httpx.URL) -> str:
    """The address of a next page, which must be at the same place. Raises OutputError."""
    try:
        found = base.join(str(address)) if isinstance(address, str) else None
    except (httpx.InvalidURL, ValueError):
        found = None
    if found is None or not _is_below(found, base):
        shown = f"the next page is {quoted(address)}"
        raise OutputError(f"{shown}: expected an address below {base}; see `next` of paging", processed="unknown")
    return str(found)


def _is_below(address: httpx.URL, base: httpx.URL) -> bool:
    """Whether it is at the same place, without a login of its own, and no higher than the connection's address."""
    same = (address.scheme, address.host, address.port) == (base.scheme, base.host, base.port)
    up = any(unquote(part) in (".", "..") for part in address.path.split("/"))
    return same and not address.userinfo and not up and address.path.startswith(base.path)
