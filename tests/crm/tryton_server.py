"""The real Tryton on the loopback, from the environment that `make test-crm` installs.

python -m crm.tryton_server makes the database that all others are copies of.
"""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from connector.plugins.tryton.matching import encode

HOST = Path(__file__).parents[2] / ".hosts" / "tryton"
TEMPLATE = HOST / "template"
DATABASE = "crm"
PATIENCE = 60.0
_FILL = Path(__file__).with_name("fill_tryton.py")


@dataclass(slots=True)
class Tryton:
    """A server with one database, which a user `connector` with all rights for leads and a `clerk` with none use."""

    url: str
    key: str
    clerk_key: str
    employee: int
    folder: Path
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        command = [HOST / "bin" / "trytond", "--config", self.folder / "trytond.conf", "--database", DATABASE]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command], stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            with suppress(httpx.TransportError):
                self.read("company.company")
                return
            time.sleep(0.05)
        log_end = (self.folder / "server.log").read_text("utf-8", "replace")[-500:]
        raise RuntimeError(f"Tryton did not start: {log_end}")

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """What a client of Tryton's own would do; not by way of the plugin."""
        headers = {"Authorization": f"Bearer {self.key}", "X-Tryton-Context": encode({"company": 1})}
        url = f"{self.url}/{DATABASE}/rest/model/{path}"
        answer = httpx.request(method, url, json=body, params=query, headers=headers, timeout=PATIENCE)
        answer.raise_for_status()
        return answer.json()

    def read(self, model: str, *domain: Any, fields: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """The records that fit, oldest first."""
        found: list[dict[str, Any]] = self.ask(
            "GET", model, d=encode(list(domain)), o=encode([["id", "ASC"]]), f=["id", *fields]
        )
        return found

    def parties(self, email: str) -> list[dict[str, Any]]:
        """Those that have the e-mail, in just this case."""
        where = ["contact_mechanisms", "where", [["value", "=", email]]]
        return self.read(
            "party.party", where, fields=("name", "code", "contact_mechanisms.type", "contact_mechanisms.value")
        )


@contextmanager
def running(folder: Path) -> Iterator[Tryton]:
    """A server with a new database in the folder."""
    made = json.loads((TEMPLATE / "keys.json").read_text())
    with (
        closing(sqlite3.connect(TEMPLATE / f"{DATABASE}.sqlite")) as source,
        closing(sqlite3.connect(folder / f"{DATABASE}.sqlite")) as target,
    ):
        source.backup(target)  # a copy of the file alone would lack what is in its write-ahead log
    port = _free_port()
    _configure(folder, port)
    tryton = Tryton(f"http://127.0.0.1:{port}", made["key"], made["clerk_key"], made["employee"], folder)
    try:
        tryton.start()
        yield tryton
    finally:
        tryton.stop()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _configure(folder: Path, port: int = 0) -> Path:
    path = folder / "trytond.conf"
    path.write_text(f"[database]\nuri = sqlite://\npath = {folder}\n[web]\nlisten = 127.0.0.1:{port}\n")
    return path


def make_template() -> None:
    TEMPLATE.mkdir(exist_ok=True)
    configuration = _configure(TEMPLATE)
    (TEMPLATE / f"{DATABASE}.sqlite").write_bytes(b"")  # Tryton wants the file to be there
    (TEMPLATE / "password").write_text("admin\n")
    modules = ["party", "sale_opportunity", "--activate-dependencies"]
    admin = [
        HOST / "bin" / "trytond-admin",
        "-c",
        configuration,
        "-d",
        DATABASE,
        "--email",
        "admin@example.com",
        "-u",
        *modules,
    ]
    fill = [HOST / "bin" / "python", _FILL, configuration, DATABASE]
    environ = {**os.environ, "TRYTONPASSFILE": str(TEMPLATE / "password")}
    subprocess.run([str(part) for part in admin], env=environ, check=True)
    filled = subprocess.run([str(part) for part in fill], env=environ, check=True, stdout=subprocess.PIPE)
    (TEMPLATE / "keys.json").write_bytes(filled.stdout)


if __name__ == "__main__":
    print("making a database with the modules, which takes half a minute", flush=True)
    make_template()
    sys.exit(0)
