"""`chatforge listen`."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.text import Text

from connector.adapter import Adapter
from connector.cli import output
from connector.cli.exits import UsageError
from connector.cli.loading import load_adapter
from connector.errors import SettingsError
from connector.server import service
from connector.server.access import LOOPBACK_NAMES
from connector.server.listening import Heard, Listening
from connector.transport import HttpOptions

_HOST = "127.0.0.1"
_LONGEST = 200
"""Characters of an answer."""
_WORDS = {
    "good": ("signature good", "green"),
    "refused": ("signature refused", "red"),
    "unchecked": ("signature not checked", "yellow"),
}


def listen(
    forward_to: Annotated[
        str | None, typer.Option(metavar="URL", help="Hand each delivery on to this address, as it came.")
    ] = None,
    port: Annotated[int, typer.Option(help="0 takes any free port.", min=0, max=65535)] = 8090,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
) -> None:
    """Print every webhook that comes in, on this machine, and keep none.

    Says of each whether its signature fits. With --forward-to another server gets the same bytes and headers, and its
    answer is given to the sender.

    Example: chatforge listen --forward-to http://127.0.0.1:8080/webhooks/chatforge
    """
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("connector.adapter").setLevel(logging.CRITICAL)  # what it says is in the line of the delivery
    adapter = load_adapter()
    if forward_to is not None:
        HttpOptions(forward_to, base_url_setting="--forward-to")
    with service.listen(_HOST, port) as listener:
        own = listener.getsockname()[1]
        if forward_to is not None and _is_here(forward_to, own):
            raise UsageError(f"--forward-to is {forward_to!r}, which is this command itself; name another server")
        address = f"http://{_HOST}:{own}/webhooks/chatforge"
        if as_json:
            print(f"listening on {address}", file=sys.stderr, flush=True)
        else:
            _announce(adapter, address, forward_to)
        hear = _write_json if as_json else _show
        Listening(adapter, forward_to, lambda heard: hear(heard, forward_to), lambda: datetime.now(UTC)).serve(listener)
    if not as_json:
        output.line("stopped")


def _announce(adapter: Adapter, address: str, forward_to: str | None) -> None:
    output.line(f"listening on {address}; stop with Ctrl-C")
    if forward_to is not None:
        output.line(f"forwarding to {forward_to}")
    try:
        adapter.require_webhook("chatforge")
    except SettingsError as error:
        output.line(output.styled("signatures are not checked: ", "yellow"), str(error))
    sys.stdout.flush()


def _is_here(url: str, port: int) -> bool:
    parts = urlsplit(url)
    return parts.hostname in (*LOOPBACK_NAMES, "::1") and (parts.port or 80) == port


def _show(heard: Heard, forward_to: str | None) -> None:
    word, style = _WORDS[heard.verdict]
    parts: list[str | Text] = [f"{heard.at.astimezone():%H:%M:%S}  "]
    parts += [output.styled(heard.event or "no event", "bold"), f"  {heard.about or '-'}  ", output.styled(word, style)]
    if heard.reason:
        parts.append(f" ({heard.reason})")
    parts.append(f"  answered {heard.status}")
    if forward_to is not None and (answer := " ".join(heard.answer.split())):
        parts.append(f": {answer}" if len(answer) <= _LONGEST else f": {answer[:_LONGEST]}…")
    output.line(*parts)
    sys.stdout.flush()


def _write_json(heard: Heard, forward_to: str | None) -> None:
    shown = {
        "at": output.iso(heard.at),
        "connection": heard.place,
        "event": heard.event,
        "about": heard.about,
        "signature": heard.verdict,
        "reason": heard.reason,
        "forwarded_to": forward_to,
        "status": heard.status,
        "answer": heard.answer,
    }
    sys.stdout.write(json.dumps(shown) + "\n")
    sys.stdout.flush()
