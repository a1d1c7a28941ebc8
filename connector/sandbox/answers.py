"""HTTP answers: JSON, and errors in the style of an API, of a proxy in front of it, or of neither."""

from html import escape
from typing import Any

from starlette.responses import Response

from connector.sandbox import jsontext
from connector.sandbox.refusals import RefusedError
from connector.sandbox.settings import ErrorStyle


def answer(value: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(jsontext.render(value), status, media_type="application/json")


def write_error(message: str, status: int, style: ErrorStyle) -> Response:
    """json: `{"error": message}`; message: `{"message": message}`; text and html: the message; empty: no body."""
    if style == "empty":
        return Response(status_code=status)
    if style == "text":
        return Response(_encode(message), status, media_type="text/plain")
    if style == "html":
        page = f"<html><body><h1>{escape(message, quote=False)}</h1></body></html>"
        return Response(_encode(page), status, media_type="text/html")
    return answer({"error" if style == "json" else "message": message}, status)


def refuse(refusal: RefusedError, style: ErrorStyle = "json") -> Response:
    """What a refused request is answered with."""
    response = write_error(str(refusal), refusal.status, style)
    response.headers.update(refusal.headers)
    return response


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")
