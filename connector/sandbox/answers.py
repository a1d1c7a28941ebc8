"""HTTP answers with JSON bodies."""

from typing import Any

from starlette.responses import Response

from connector.sandbox import jsontext
from connector.sandbox.refusals import RefusedError


def answer(value: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(jsontext.render(value), status, media_type="application/json")


def refuse(refusal: RefusedError) -> Response:
    """The error body `{"error": …}`; the reference specifies none."""
    return answer({"error": str(refusal)}, refusal.status)
