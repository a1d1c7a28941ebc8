"""Asks Tryton's server, and says what its refusals mean."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict, Field

from connector.declare import ActionContext, Secret
from connector.errors import ActionError, ForbiddenError, NotFoundError, RejectedError
from connector.plugins.tryton.matching import encode
from connector.rest import Service, quote_body

Model = TypeVar("Model", bound=BaseModel)

_SERVICE = Service(
    "Tryton",
    "make a key of the application REST API for the user, and see that its state is Validated",
)
# Tryton answers every refusal with 400; these begin its sentences in trytond/ir/message.xml.
_REASONS = (
    (
        re.compile("You are not allowed"),
        ForbiddenError,
        "Tryton does not let this key do that ({said}); give its user the group and the company that this takes",
    ),
    (
        re.compile('You are trying to read records "[0-9]+" of "Company"'),
        NotFoundError,
        "Tryton does not have the company ({said}); check `company` of the connection",
    ),
    (
        re.compile('The value "[0-9]+" for field "Employee"'),
        RejectedError,
        "Tryton refuses the employee ({said}); check `employee` of the connection",
    ),
)


class TrytonConnection(BaseModel):
    """A database of a Tryton server, by the key of a user."""

    model_config = ConfigDict(extra="forbid")

    address: str = Field(description="https://HOST, or http://127.0.0.1:8000 for a server on this machine.")
    database: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    key: Secret = Field(description="The key of a user application of the kind REST API.")
    company: int = Field(1, ge=1, description="The id of the company to which opportunities belong.")
    employee: int | None = Field(None, ge=1, description="The id of the employee who gets them.")


Context = ActionContext[TrytonConnection]


async def ask(
    context: Context, model: type[Model], method: str, path: str, body: Any = None, **query: str | list[str]
) -> Model:
    """Send a request about `path`, such as `party.party`, and read the answer. Raises ActionError."""
    connection = context.connection
    company = {"company": connection.company, "employee": connection.employee}
    response = await context.http.request(
        method,
        f"/{quote(connection.database, safe='')}/rest/model/{path}",
        params=query,
        json=body,
        # English is in every database; sentences of other languages would not be recognised.
        headers={"X-Tryton-Context": encode(company), "Accept-Language": "en"},
    )
    if (error := _refusal(response)) is not None:
        raise error
    return _SERVICE.read(response, model, context)


def _refusal(response: httpx.Response) -> ActionError | None:
    """The error that only Tryton's own words tell; None where the status says enough."""
    status = response.status_code
    said = f"{status}: {quote_body(response.content) or 'no reason given'}"
    if status == httpx.codes.NOT_FOUND:
        return NotFoundError(
            f"Tryton does not find it ({said}); check the ids, and `address` and `database` of the connection",
            status=status,
        )
    if status != httpx.codes.BAD_REQUEST:
        return None
    sentence = _sentence(response)
    for pattern, kind, message in _REASONS:
        if pattern.match(sentence):
            return kind(message.format(said=said), status=status)
    return None


def _sentence(response: httpx.Response) -> str:
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return ""
    return str(body.get("message", "")) if isinstance(body, Mapping) else ""
