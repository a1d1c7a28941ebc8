"""`chatforge sandbox`."""

import json
import os
from typing import Annotated

import typer

from connector.cli import output
from connector.cli.exits import UsageError
from connector.errors import SettingsError
from connector.sandbox import Sandbox, SandboxSettings
from connector.sandbox.server import serve


def sandbox(
    port: Annotated[int, typer.Option(help="0 takes any free port.", min=0, max=65535)] = 8070,
    webhook_url: Annotated[str | None, typer.Option(help="Where webhooks are sent.")] = None,
    rate_limit: Annotated[int, typer.Option(help="Requests a minute and key.", min=1)] = 100,
) -> None:
    """Run a ChatForge to develop against: the documented API and signed webhooks, on this machine only.

    Example: chatforge sandbox --webhook-url http://127.0.0.1:8080/webhooks/chatforge
    """
    if webhook_url is not None and not webhook_url.startswith(("http://", "https://")):
        raise UsageError(f"--webhook-url is {webhook_url!r}: expected an address that starts with http:// or https://")
    try:
        serve(SandboxSettings(webhook_url=webhook_url, rate_limit=rate_limit), port=port, started=_announce)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise SettingsError(f"cannot listen on 127.0.0.1:{port}: {reason}; choose another --port") from error


def _announce(sandbox: Sandbox) -> None:
    output.line("ChatForge sandbox; stop it with Ctrl-C. Its settings for the connector:")
    output.line(f"  CHATFORGE_BASE_URL={sandbox.url}")
    output.line(f"  CHATFORGE_API_KEY={sandbox.api_key}")
    output.line(f"  CHATFORGE_WEBHOOK_SECRET={sandbox.webhook_secret}")
    body = json.dumps({"visitor_email": "ann@example.com"})
    output.line("A signed sample of its agent, to a server with these settings:")
    output.line(f"  chatforge send-event lead.captured --set agent_id={sandbox.agent_id}")
    output.line(f"A visitor leaves an e-mail: curl -d '{body}' {sandbox.control_url}/visitors")
