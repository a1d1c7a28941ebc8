"""Declares `email.send`."""

from collections.abc import Callable, Mapping
from typing import Any

from connector.declare import ActionContext, ByConstants, ConnectionType, action
from connector.errors import ConstantError
from connector.hookspecs import hookimpl
from connector.plugins.email.message import write
from connector.plugins.email.models import CheckConnection, CheckedConnection, EmailConnection, SendEmail, SentEmail
from connector.plugins.email.smtp import open_session, trust
from connector.plugins.email.template import find_fault

Context = ActionContext[EmailConnection]


def _output(given: Mapping[str, Any]) -> dict[str, Any]:
    """The schema, after a look at the template. Raises ConstantError."""
    if isinstance(template := given.get("html"), str) and (fault := find_fault(template)):
        raise ConstantError("html", fault)
    return SentEmail.model_json_schema(mode="serialization")


@action(
    effect="once",
    title="Send e-mail",
    example={"to": "ann@example.com", "subject": "A new lead", "text": "John Smith asked about estate planning."},
    by_constants=ByConstants(names=("html",), effect=lambda _given: "once", output=_output),
)
async def send(input: SendEmail, context: Context) -> SentEmail:
    """Send an e-mail to all its recipients, or to none where the server refuses one. Doing it twice sends two."""
    written = write(input, context.connection, context.idempotency_key, context.now)
    async with open_session(context.connection, context.memory) as session:
        return SentEmail(message_id=written.message_id, reply=await session.send(written))


@action(effect="read", title="Check e-mail connection")
async def check_connection(_input: CheckConnection, context: Context) -> CheckedConnection:
    """Connect and log in; nothing is sent."""
    async with open_session(context.connection, context.memory) as session:
        await session.client.noop()
        logged_in = context.connection.user is not None
        return CheckedConnection(server=session.greeting, logged_in=logged_in, largest=session.largest)


@hookimpl
def register_connections(register: Callable[[ConnectionType], None]) -> None:
    register(
        ConnectionType(
            model=EmailConnection,
            title="SMTP server",
            help="host, port and security stand in the help of your e-mail provider, under SMTP",
            default=lambda _settings: None,
            memory=trust,
            test="check_connection",
        )
    )


@hookimpl
def register_actions(register: Callable[[Any], None]) -> None:
    register(send)
    register(check_connection)
