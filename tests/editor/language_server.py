"""A client of yaml-language-server, as an editor is one.

The messages are those of the Language Server Protocol 3.17:
https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/
"""

import json
import queue
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

_SETTINGS = {"yaml": {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}}
_SECONDS = 30  # for an answer


class LanguageServer:
    """One server in a process, with one file open at a time. Lines and characters count from 0."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin
        assert process.stdout
        self._to: IO[bytes] = process.stdin
        self._received: queue.Queue[dict[str, Any]] = queue.Queue()
        self.reader = threading.Thread(target=self._receive, args=(process.stdout,), daemon=True)
        self.reader.start()
        self._number = 0
        self._path = Path()
        self.ask("initialize", processId=None, rootUri=None, capabilities={})
        self._tell("initialized")
        self._tell("workspace/didChangeConfiguration", settings=_SETTINGS)

    def open(self, path: Path) -> list[dict[str, Any]]:
        """Open the file; its diagnostics, those of the editor's own reading of YAML too."""
        self._path = path
        document = {"uri": path.as_uri(), "languageId": "yaml", "version": 1, "text": path.read_text("utf-8")}
        self._tell("textDocument/didOpen", textDocument=document)
        while True:
            message = self._received.get(timeout=_SECONDS)
            if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] == path.as_uri():
                found: list[dict[str, Any]] = message["params"]["diagnostics"]
                return found

    def completions(self, line: int, character: int) -> dict[str, str]:
        """What the editor offers there, with what it says of each."""
        found = self._ask_at("textDocument/completion", line, character) or {"items": []}
        return {item["label"]: _text(item.get("documentation")) for item in found["items"]}

    def hover(self, line: int, character: int) -> str:
        found = self._ask_at("textDocument/hover", line, character)
        return _text(found["contents"]) if found else ""

    def _ask_at(self, method: str, line: int, character: int) -> Any:
        place = {"line": line, "character": character}
        return self.ask(method, textDocument={"uri": self._path.as_uri()}, position=place)

    def ask(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": parameters})
        while True:
            message = self._received.get(timeout=_SECONDS)
            if message.get("id") == self._number and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def _tell(self, method: str, **parameters: Any) -> None:
        self._send({"method": method, "params": parameters})

    def _send(self, message: Mapping[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._to.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._to.flush()

    def _receive(self, source: IO[bytes]) -> None:
        while header := source.readline():
            length = int(header.removeprefix(b"Content-Length:"))
            while source.readline().strip():
                pass
            message = json.loads(source.read(length))
            if "method" in message and "id" in message:  # the server asks for what this editor does not have
                self._send({"id": message["id"], "result": None})
            self._received.put(message)


def _text(value: Any) -> str:
    return value["value"] if isinstance(value, dict) else value or ""


@contextmanager
def running(modules: Path) -> Iterator[LanguageServer]:
    """A server from that folder of npm packages."""
    script = modules / "yaml-language-server" / "bin" / "yaml-language-server"
    command = ["node", script, "--stdio"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        server = LanguageServer(process)
        try:
            yield server
        finally:
            process.kill()
            server.reader.join()
