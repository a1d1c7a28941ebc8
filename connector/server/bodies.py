"""Reads what people and programs send with a change, up to a limit and in time."""

import asyncio
from typing import Any, get_origin
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from connector.flows.json_text import read_json
from connector.server.access import DeniedError
from connector.server.app import BODY_SECONDS
from connector.server.pages import Params

_MOST = 262_144
"""Bytes of a form."""
_MOST_FIELDS = 60
"""A page has up to 50 rows to choose from."""


async def read_form(request: Request, params: type[Params] | None = None) -> dict[str, Any]:
    """The fields of a form; the last one with a name, but all of them where it is a list of `params`."""
    text = (await _body(request)).decode("utf-8", "replace")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="replace")
    except ValueError:
        raise DeniedError(400, "the form has too many fields") from None
    known = params.model_fields if params else {}
    lists: dict[str, list[str]] = {name: [] for name, one in known.items() if get_origin(one.annotation) is list}
    for name, value in pairs:
        if name in lists:
            lists[name].append(value)
    return dict(pairs) | lists


async def read_object(request: Request) -> dict[str, Any]:
    """The JSON object of a program."""
    try:
        value = read_json((await _body(request)).decode() or "{}")
    except ValueError:
        raise DeniedError(400, "the body is no JSON, or nested too deeply; expected an object") from None
    if not isinstance(value, dict):
        raise DeniedError(400, "the body is no object; expected one with the fields of the change")
    return value


async def _body(request: Request) -> bytes:
    """As webhooks are read: nobody keeps a connection by sending slowly."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _read_body(request)
    except TimeoutError:
        raise DeniedError(408, f"the form did not come within {BODY_SECONDS} s; send it again") from None
    except asyncio.CancelledError:  # the server stops and has waited long enough
        raise DeniedError(503, "the server is stopping; send the form again") from None
    except ClientDisconnect:
        raise DeniedError(400, "the form did not come whole") from None  # nobody reads it


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST:
            raise DeniedError(413, f"the form is longer than {_MOST} bytes")
    return bytes(body)
