"""A double of the card service: `GET /cards?limit=&offset=` and `POST /cards`, on this machine."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = 2
"""The most cards that one answer holds, whatever was asked for."""


class CardService(ThreadingHTTPServer):
    """Has some cards, and takes requests with the right key only."""

    def __init__(self, key: str, cards: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.key = key
        self.cards: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"
        for number in range(cards):
            self.send(f"reader {number}", "Good morning!")

    def send(self, to: str, text: str) -> dict[str, Any]:
        card = {"id": f"card-{len(self.cards) + 1}", "to": to, "text": text, "sent_at": "2026-03-25T10:30:00Z"}
        self.cards.append(card)
        return card


@contextmanager
def running(key: str, cards: int = 0) -> Iterator[CardService]:
    """The service, until the block ends."""
    with CardService(key, cards) as service:
        thread = threading.Thread(target=service.serve_forever, args=[0.01])
        thread.start()
        try:
            yield service
        finally:
            service.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: CardService
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        offset = int(query["offset"][0])
        end = offset + min(int(query["limit"][0]), PAGE)
        more = end < len(self.server.cards)
        self._answer(200, {"cards": self.server.cards[offset:end], "next_offset": end if more else None})

    def do_POST(self) -> None:
        card = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = self.headers["Authorization"] == f"Bearer {self.server.key}"
        self._answer(201, self.server.send(card["to"], card["text"]) if known else {})

    def _answer(self, status: int, body: Any) -> None:
        if self.headers["Authorization"] != f"Bearer {self.server.key}":
            status, body = 401, {"error": "unknown key"}
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_arguments: object) -> None:
        """Nothing: the tests look at what the plugin prints."""
