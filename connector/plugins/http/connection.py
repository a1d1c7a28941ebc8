"""The service that requests are sent to: its address, how it is logged in to, which networks it may be in."""

import base64
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork

from connector.declare import ConnectionType, Secret
from connector.plugins.http.tokens import OAuth, Tokens
from connector.reach import Reach
from connector.transport import HttpOptions

SETTING = "`address` of the connection"


class Bearer(BaseModel):
    """`Authorization: Bearer TOKEN`."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["bearer"]
    token: Secret


class Basic(BaseModel):
    """A user name and a password."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["basic"]
    user: str
    password: Secret


class KeyHeader(BaseModel):
    """A key in a header of its own."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["header"]
    name: str = Field(description="The header, such as X-Api-Key.")
    value: Secret


Auth = Annotated[Bearer | Basic | KeyHeader | OAuth, Field(discriminator="type")]


class HttpConnection(BaseModel):
    """A service that is reached by HTTP. Requests go to this address and nowhere else."""

    model_config = ConfigDict(extra="forbid")

    address: str = Field(description="https://HOST or https://HOST/PATH; what a flow gives as `url` stands behind it.")
    auth: Auth | None = None
    headers: dict[str, str] = Field(default_factory=dict, description="Sent with each request, such as a version.")
    networks: list[IPvAnyNetwork] = Field(
        default_factory=list, description="Networks beside the public internet in which the service may be: 10.0.0.0/8."
    )
    timeout: float = Field(60.0, gt=0, le=600, description="Seconds for a request and its whole answer.")

    @property
    def options(self) -> HttpOptions:
        return HttpOptions(
            self.address,
            {**self.headers, **_log_in(self.auth)},
            read_timeout=self.timeout,
            total_timeout=self.timeout,
            reach=Reach(self.networks),
            base_url_setting=SETTING,
        )


def _log_in(auth: Bearer | Basic | KeyHeader | OAuth | None) -> Mapping[str, str]:
    match auth:
        case Bearer():
            return {"Authorization": f"Bearer {auth.token.get_secret_value()}"}
        case Basic():
            pair = f"{auth.user}:{auth.password.get_secret_value()}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        case KeyHeader():
            return {auth.name: auth.value.get_secret_value()}
    return {}


def _tokens(connection: HttpConnection) -> Any:
    return Tokens(connection.auth) if isinstance(connection.auth, OAuth) else None


CONNECTION = ConnectionType(
    model=HttpConnection,
    title="HTTP service",
    help="write `connector: http` and the service's `address` in connections.yaml",
    default=lambda _settings: None,
    http=lambda connection: connection.options,
    memory=_tokens,
)
