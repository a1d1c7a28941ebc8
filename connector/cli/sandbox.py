"""`chatforge sandbox`."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from connector.cli import output
from connector.cli.exits import UsageError
from connector.errors import SettingsError
from connector.sandbox import InvalidSettingError, Sandbox, SandboxSettings, StorageError
from connector.sandbox.server import serve
from connector.sandbox.settings import ErrorStyle, ListOrder, RateWindow

DEFAULTS = SandboxSettings()
DELAYS = ",".join(f"{delay:g}" for delay in DEFAULTS.redelivery_delays)


def sandbox(
    port: Annotated[int, typer.Option(help="0 takes any free port.", min=0, max=65535)] = 8070,
    webhook_url: Annotated[str | None, typer.Option(help="Where webhooks are sent.")] = None,
    redelivery_delays: Annotated[
        str, typer.Option(metavar="SECONDS,…", help="The pauses before further attempts to send; empty for none.")
    ] = DELAYS,
    rate_limit: Annotated[int, typer.Option(help="Requests a minute and key.", min=1)] = DEFAULTS.rate_limit,
    rate_window: Annotated[RateWindow, typer.Option(help="How the minute is counted.")] = DEFAULTS.rate_window,
    clock_speed: Annotated[
        float, typer.Option(help="How many times faster than this machine's its clock runs.")
    ] = DEFAULTS.clock_speed,
    list_order: Annotated[ListOrder, typer.Option(help="The order of all lists.")] = DEFAULTS.list_order,
    list_lag: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long a new lead or conversation is not listed.")
    ] = DEFAULTS.list_lag,
    max_limit: Annotated[int, typer.Option(help="The most items on one page.")] = DEFAULTS.max_limit,
    error_style: Annotated[ErrorStyle, typer.Option(help="How errors are written.")] = DEFAULTS.error_style,
    db: Annotated[Path | None, typer.Option(metavar="FILE", help="Keep everything in this file.")] = None,
) -> None:
    """Run a ChatForge to develop against: the documented API and signed webhooks, on this machine only.

    Example: chatforge sandbox --webhook-url http://127.0.0.1:8080/webhooks/chatforge
    """
    if webhook_url is not None and not webhook_url.startswith(("http://", "https://")):
        raise UsageError(f"--webhook-url is {webhook_url!r}: expected an address that starts with http:// or https://")
    try:
        settings = SandboxSettings(
            webhook_url=webhook_url,
            redelivery_delays=_read_delays(redelivery_delays),
            rate_limit=rate_limit,
            rate_window=rate_window,
            clock_speed=clock_speed,
            list_order=list_order,
            list_lag=list_lag,
            max_limit=max_limit,
            error_style=error_style,
            db=db,
        )
    except InvalidSettingError as error:
        name = error.name.replace("_", "-")
        value = redelivery_delays if error.name == "redelivery_delays" else error.value
        raise UsageError(f"--{name} is {value!r}: expected {error.expected}") from error
    _serve(settings, port)


def _read_delays(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",")) if text.strip() else ()
    except ValueError as error:
        raise UsageError(
            f"--redelivery-delays is {text!r}: expected seconds with commas between them, such as 0.5,2,8"
        ) from error


def _serve(settings: SandboxSettings, port: int) -> None:
    try:
        serve(settings, port=port, started=_announce)
    except StorageError as error:
        raise SettingsError(f"{error}; choose another file for --db") from error
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise SettingsError(f"cannot listen on 127.0.0.1:{port}: {reason}; choose another --port") from error


def _announce(sandbox: Sandbox) -> None:
    output.line("ChatForge sandbox; stop it with Ctrl-C. Its settings for the connector:")
    output.line(f"  CHATFORGE_BASE_URL={sandbox.url}")
    output.line(f"  CHATFORGE_API_KEY={sandbox.api_key}")
    output.line(f"  CHATFORGE_WEBHOOK_SECRET={sandbox.webhook_secret}")
    body = json.dumps({"visitor_email": "ann@example.com"})
    output.line("A signed sample, to a server with these settings; its lead is in no list, so a flow starts in 2 min:")
    output.line(f"  chatforge send-event lead.captured --set agent_id={sandbox.agent_id}")
    output.line(f"A chat, in which you are the visitor: {sandbox.chat_url}")
    output.line(f"A visitor leaves an e-mail: curl -d '{body}' {sandbox.control_url}/visitors")
