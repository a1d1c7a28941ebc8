"""Replays a cassette through the adapter."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import vcr
from cases import Case, perform
from scrub import REQUEST_HEADERS, URL

from connector.adapter import Adapter
from connector.errors import ActionError

KEY = "the-key-of-the-replay"
ENVIRON = {"CHATFORGE_API_KEY": KEY, "CHATFORGE_BASE_URL": URL}
Sent = tuple[str, dict[str, str], Any]
"""Method, query, JSON body."""


def open_cassette(path: Path) -> Any:
    """The cassette as the one source of answers; a request that it does not hold fails."""
    player = vcr.VCR(record_mode="none", match_on=("method", "path", "query", "body", "headers"))
    player.register_matcher("body", _match_body)
    player.register_matcher("headers", _match_headers)
    return player.use_cassette(str(path))


def _match_body(sent: Any, recorded: Any) -> None:
    assert read_json(sent.body) == read_json(recorded.body)


def _match_headers(sent: Any, recorded: Any) -> None:
    """The key was sent, but not recorded; what else the client chooses is as it was."""
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert "cookie" not in sent.headers
    assert ("content-type" in sent.headers) == bool(sent.body)
    for name in REQUEST_HEADERS:
        assert sent.headers.get(name) == recorded.headers.get(name), name


@dataclass(frozen=True)
class Replay:
    """What came of a case, and the tape that was played."""

    case: Case
    adapter: Adapter
    tape: Any
    outputs: list[Any]
    error: ActionError | None

    @property
    def answers(self) -> list[Any]:
        """The JSON of each recorded answer, in order."""
        return [read_json(response["body"]["string"]) for response in self.tape.responses]

    @property
    def sent(self) -> list[Sent]:
        return [
            (request.method, dict(parse_qsl(urlsplit(request.uri).query)), read_json(request.body))
            for request in self.tape.requests
        ]


def replay(case: Case, folder: Path, adapter: Adapter) -> Replay:
    """Perform the case with the answers of its cassette."""

    async def play() -> list[Any]:
        async with adapter:
            return await perform(case, adapter, {})

    with open_cassette(folder / case.path) as tape:
        try:
            return Replay(case, adapter, tape, asyncio.run(play()), None)
        except ActionError as error:
            return Replay(case, adapter, tape, [], error)


def read_json(body: bytes | str | None) -> Any:
    """The JSON of a body, None for none; another body as it is."""
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body
