"""OAuth 2 with client credentials (RFC 6749, 4.4): a token is fetched when it is needed, and kept until it ends."""

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from connector.declare import Secret
from connector.errors import LOOK_FIRST, ActionError, AuthenticationError, NotFoundError, OutputError, RejectedError
from connector.rest import Service

_EARLY = timedelta(seconds=30)
"""So long before its end a token is not used any more."""
_USUAL = 3600
"""Seconds that a token lives where the answer does not say it."""
_LONGEST = 10 * 365 * 86_400
_SERVICE = Service("the token address", "check client_id and client_secret of the connection")


class OAuth(BaseModel):
    """OAuth 2 with client credentials."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["oauth2"]
    token_url: str = Field(pattern=r"^https?://", description="Where tokens are fetched, https://HOST/PATH.")
    client_id: str
    client_secret: Secret
    scope: str | None = None
    audience: str | None = None
    client_in: Literal["header", "body"] = Field("header", description="Where id and secret are sent.")

    @field_validator("token_url")
    @classmethod
    def _require_url(cls, url: str) -> str:
        try:
            httpx.URL(url)
        except httpx.InvalidURL:
            raise ValueError("expected https://HOST/PATH") from None
        return url


class _Token(BaseModel):
    access_token: str = Field(pattern="^[!-~]+$")
    expires_in: float | None = None

    @property
    def seconds(self) -> float:
        """How long it lives, whatever the answer says of that."""
        told = self.expires_in
        return _USUAL if told is None or math.isnan(told) else min(max(told, 0), _LONGEST)


class Tokens:
    """The token of one connection. One fetch at a time serves all calls that wait."""

    def __init__(self, auth: OAuth) -> None:
        self._auth = auth
        self._token = ""
        self._shown: list[str] = []
        self._ends_at: datetime | None = None
        self._turn = asyncio.Lock()

    @property
    def secrets(self) -> Sequence[str]:
        """The token, and the one before it, which an answer may still repeat."""
        return self._shown

    async def get(self, client: httpx.AsyncClient, now: datetime, *, refused: str = "") -> str:
        """A token that is not the `refused` one. Raises ActionError; then the request itself was not sent."""
        async with self._turn:
            if self._token in ("", refused) or self._ends_at is None or now >= self._ends_at - _EARLY:
                try:
                    fetched = await self._fetch(client, now)
                except ActionError as error:
                    error.processed, error.args = "no", (str(error).replace(LOOK_FIRST, "try again"),)
                    raise
                self._shown = [fetched.access_token, *self._shown[:1]]
                self._token, self._ends_at = fetched.access_token, now + timedelta(seconds=fetched.seconds)
            return self._token

    async def _fetch(self, client: httpx.AsyncClient, now: datetime) -> _Token:
        auth, secret = self._auth, self._auth.client_secret.get_secret_value()
        form = {"grant_type": "client_credentials"}
        form |= {name: text for name, text in (("scope", auth.scope), ("audience", auth.audience)) if text}
        headers = {"Accept": "application/json"}
        if auth.client_in == "body":
            form |= {"client_id": auth.client_id, "client_secret": secret}
            response = await client.post(auth.token_url, data=form, headers=headers)
        else:
            basic = httpx.BasicAuth(auth.client_id, secret)
            response = await client.post(auth.token_url, data=form, headers=headers, auth=basic)
        try:
            _SERVICE.require_success(response, now)
        except RejectedError as error:  # 400 with invalid_client, as RFC 6749 has it
            said = str(error).rpartition("; ")[0]
            step = "check client_id, client_secret and scope of `auth`"
            raise AuthenticationError(f"{said}; {step}", status=error.status) from None
        except NotFoundError as error:
            said = str(error).rpartition("; ")[0]
            raise NotFoundError(f"{said}; check token_url of `auth`", status=error.status) from None
        with suppress(ValidationError):
            return _Token.model_validate_json(response.content)
        # What came is not quoted: it may hold a token all the same.
        raise OutputError("the token address gives no access_token in JSON; check token_url of the connection")
