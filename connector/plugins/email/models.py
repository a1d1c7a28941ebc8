"""The SMTP server, and what `email.send` takes and gives."""

import ipaddress
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork, field_validator, model_validator

from connector.declare import Secret
from connector.plugins.email.addresses import to_ascii_domain, to_mailbox

PORTS = {"starttls": 587, "tls": 465, "none": 25}


class EmailConnection(BaseModel):
    """An SMTP server, and the address in whose name it sends."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field(description="The name of the server: smtp.example.com")
    port: int | None = Field(None, ge=1, le=65535, description="587 with starttls, 465 with tls, 25 with none.")
    security: Literal["starttls", "tls", "none"] = Field("starttls", description="How the connection is protected.")
    insecure: bool = Field(False, description="Allows security: none to another machine, all in the clear.")
    user: str | None = None
    password: Secret | None = None
    sender: str = Field(alias="from", description="The address in whose name messages are sent.")
    from_name: str | None = Field(None, description="The name that stands before that address.")
    ca: Secret | None = Field(None, description="More certificates to trust, as PEM, such as {file: ca.pem}.")
    networks: list[IPvAnyNetwork] = Field(
        default_factory=list, description="Networks beside the public internet in which the server may be: 10.0.0.0/8."
    )
    timeout: float = Field(30.0, gt=0, le=600, description="Seconds for the connection, and for each answer.")

    @field_validator("host")
    @classmethod
    def _to_ascii(cls, host: str) -> str:
        return host if _is_address(host) else to_ascii_domain(host)

    @field_validator("sender")
    @classmethod
    def _require_ascii(cls, sender: str) -> str:
        mailbox = to_mailbox(sender)
        if not mailbox.isascii():
            raise ValueError("expected an address with ASCII before its @, such as cal@example.com")
        return mailbox

    @model_validator(mode="after")
    def _protect(self) -> Self:
        if (self.user is None) is not (self.password is None):
            raise ValueError("give both user and password, or none of them")
        if self.security == "none" and not (self.insecure or _is_loopback(self.host)):
            raise ValueError(
                "security is none, and the server is another machine: write starttls or tls, or insecure: true where "
                "nobody else can listen"
            )
        return self


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host).is_loopback if _is_address(host) else host == "localhost"


class SendEmail(BaseModel):
    model_config = ConfigDict(extra="forbid")

    to: str | list[str] = Field(description="One address, or a list of them.")
    cc: list[str] = Field(default_factory=list)
    bcc: list[str] = Field(default_factory=list, description="They get the message, and nobody sees that.")
    reply_to: str | None = Field(None, description="Where answers go instead of to the sender.")
    subject: str = Field(description="Line breaks become spaces; what is beyond 300 characters is cut.")
    text: str = Field(description="The message as plain text.")
    html: str | None = Field(
        None, description="The same as HTML, written out in the flow; {name} stands for a text of `values`."
    )
    values: dict[str, str] = Field(default_factory=dict, description="The texts of {…} in `html`; they are escaped.")


class SentEmail(BaseModel):
    message_id: str = Field(description="The Message-ID; the same for each attempt of a step.")
    reply: str = Field(description="What the server said when it took the message, often its own number of it.")


class CheckConnection(BaseModel):
    """Nothing to choose."""

    model_config = ConfigDict(extra="forbid")


class CheckedConnection(BaseModel):
    server: str = Field(description="How the server greets.")
    logged_in: bool
    largest: int | None = Field(description="The bytes that a message may have, where the server tells it.")
