"""Records the cassettes over real HTTP.

    python tests/cassettes/record.py --out cassettes                against a fresh sandbox for each cassette
    python tests/cassettes/record.py --live --out cassettes-live    with a real key, reading only
    python tests/cassettes/record.py --live --writes --out …        also changing a throw-away agent, deleted at the end

Nothing is written to a file before it is scrubbed.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import hubspot
import vcr
import yaml
from accounts import KEY_THAT_IS_WRONG, LiveAccount, SandboxSite, UnavailableError
from cases import AGENT, CASES, NOW, Case, Real, perform
from scrub import SHORTEST_SECRET, Scrubber, find_secret, texts_in
from vcr.persisters.filesystem import CassetteNotFoundError

from connector import registry, settings
from connector.adapter import Adapter
from connector.errors import ActionError, ConnectorError
from connector.registry import Registry
from connector.sandbox import Sandbox
from connector.sandbox.server import running
from connector.sandbox.settings import SandboxSettings

SANDBOX_HEADER = (
    "# Recorded against the sandbox of this project, not against the vendor; made by `make cassettes`; see README.md\n"
)
LIVE_HEADER = "# Recorded with a real key and scrubbed; made by `make cassettes-live`\n"
UNRECORDED = "X-Unrecorded"
"""The header of requests that prepare a sandbox while the tape runs."""

Say = Callable[[str], object]


class RecordingError(Exception):
    """A cassette cannot be recorded; nothing of it was written."""


class _Nowhere:
    """Keeps vcrpy from writing a file: it would not be scrubbed yet."""

    @staticmethod
    def load_cassette(*_arguments: object, **_options: object) -> Any:
        raise CassetteNotFoundError

    @staticmethod
    def save_cassette(*_arguments: object, **_options: object) -> None:
        pass


@contextmanager
def taping() -> Iterator[Any]:
    """What is sent in the block, and what is answered."""
    recorder = vcr.VCR(
        record_mode="all",
        decode_compressed_response=True,
        before_record_request=lambda request: None if UNRECORDED in request.headers else request,
    )
    recorder.register_persister(_Nowhere)
    with recorder.use_cassette("unwritten") as tape:
        yield tape


def record_sandbox(out: Path, plugins: Registry, say: Say = print) -> bool:
    """Record every case into the folder; whether all succeeded."""
    with ThreadPoolExecutor() as stopping:
        return _record_all(CASES, out, say, partial(_record_in_sandbox, plugins, stopping))


def record_live(
    out: Path,
    plugins: Registry,
    key: str,
    base_url: str,
    cases: Sequence[Case],
    *,
    say: Say = print,
    pause: float = 30.0,
) -> bool:
    """Record with a real key; whether all succeeded and every agent that was made for it is gone again.

    `pause` is the number of seconds between attempts to delete such agents.
    """
    _require_own_folder(out)
    account = LiveAccount(lambda: _open_adapter(plugins, key, base_url), pause)
    try:
        done = _record_all(cases, out, say, partial(_record_from_account, plugins, account, key, base_url))
    finally:
        left = account.clean_up()
        for agent in left:
            say(f"could not delete the throw-away agent {agent}; delete it in the vendor's dashboard")
    return done and not left


def choose_live(*, writes: bool) -> list[Case]:
    """What can be recorded with a real key: what reads, then, with `writes`, what a throw-away agent can show."""
    cases = [case for case in CASES if case.live is not None and (writes or not case.writes)]
    return sorted(cases, key=lambda case: case.writes)


def _require_own_folder(out: Path) -> None:
    """A folder of a live set ignores itself, so that nothing is committed before somebody has looked at it."""
    marker = out / ".gitignore"
    if out.exists() and any(out.iterdir()) and not marker.exists():
        raise RecordingError(f"{str(out)!r} holds something else; name a folder that is new, or empty it")
    out.mkdir(parents=True, exist_ok=True)
    marker.write_text("*\n", "utf-8")


def _record_all(cases: Sequence[Case], out: Path, say: Say, record: Callable[[Case], str]) -> bool:
    failures = 0
    for case in cases:
        path = out / case.path
        path.unlink(missing_ok=True)
        try:
            text = record(case)
        except UnavailableError as reason:
            say(f"{case.path}: skipped, {reason}")
        except (RecordingError, ConnectorError) as error:
            failures += 1
            say(f"{case.path}: failed, {error}")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            say(f"{case.path}: {text.count('- request:')} requests")
    for stranger in sorted({path.relative_to(out).as_posix() for path in out.glob("*/*.yaml")} - _paths()):
        say(f"{stranger}: no case any more, delete it")
    return not failures


def _paths() -> set[str]:
    return {case.path for case in CASES} | hubspot.PATHS


@contextmanager
def _serving(settings: SandboxSettings, stopping: Executor) -> Iterator[Sandbox]:
    """A sandbox that is stopped in the background, as that takes a tenth of a second."""
    server = running(settings, clock=lambda: NOW)
    try:
        yield server.__enter__()
    finally:
        stopping.submit(server.__exit__, None, None, None)


def _record_in_sandbox(plugins: Registry, stopping: Executor, case: Case) -> str:
    with _serving(SandboxSettings(**case.settings), stopping) as sandbox:
        keys = {"good": sandbox.api_key, "small_plan": sandbox.small_plan_key, "wrong": KEY_THAT_IS_WRONG}
        with SandboxSite(sandbox, {UNRECORDED: "yes"}) as site:
            real = case.sandbox(site)
            adapter = _open_adapter(plugins, keys[case.key], sandbox.url)
            tape = _play(case, adapter, real, lambda: case.between(site, real))
        secrets = [*keys.values(), sandbox.other_api_key, sandbox.webhook_secret]
    return SANDBOX_HEADER + _write(case, tape, real, secrets, sandbox.url, invented=True)


def _record_from_account(plugins: Registry, account: LiveAccount, key: str, base_url: str, case: Case) -> str:
    assert case.live is not None  # only those are recorded here
    real = case.live(account)
    used = KEY_THAT_IS_WRONG if case.key == "wrong" else key
    tape = _play(case, _open_adapter(plugins, used, base_url), real)
    return LIVE_HEADER + _write(case, tape, real, [key, used], base_url, invented=False)


def _open_adapter(plugins: Registry, key: str, base_url: str) -> Adapter:
    environ = {"CHATFORGE_API_KEY": key, "CHATFORGE_BASE_URL": base_url}
    with tempfile.TemporaryDirectory() as empty:  # no .env and no connections.yaml of whoever records
        return Adapter(plugins, settings.load(Path(empty), environ=environ), lambda: NOW)


def _play(case: Case, adapter: Adapter, real: Real, between: Callable[[], object] = lambda: None) -> Any:
    async def play() -> None:
        async with adapter:
            await perform(case, adapter, real, between)

    with taping() as tape:
        try:
            asyncio.run(play())
        except ActionError as error:
            if error.kind != case.error:
                raise
        else:
            if case.error:
                raise RecordingError(f"it succeeded, but should have ended as {case.error!r}")
    return tape


def _write(case: Case, tape: Any, real: Real, secrets: list[str], base_url: str, *, invented: bool) -> str:
    """The cassette as text. Raises RecordingError where a secret would be in it."""
    known = {text: text for text in texts_in(case.input) if text not in real}
    known |= {sent: placeholder for placeholder, sent in real.items()}
    if invented:
        known.setdefault(AGENT, AGENT)
    scrubber = Scrubber(known, invented=invented)
    interactions = [
        {"request": _request(scrubber, request, base_url), "response": scrubber.response(response)}
        for request, response in zip(tape.requests, tape.responses, strict=True)
    ]
    text = yaml.safe_dump({"version": 1, "interactions": interactions}, sort_keys=False, width=10_000)
    if find_secret(text, [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]) is not None:
        raise RecordingError("the answer repeats the key, so it is not written")
    return text


def _request(scrubber: Scrubber, request: Any, base_url: str) -> Mapping[str, Any]:
    if request.uri.partition("?")[0] != base_url:
        raise RecordingError("a request went to another address than the base URL, so it is not written")
    return scrubber.request(request.method, request.uri, request.body, request.headers)


def main() -> int:
    parser = argparse.ArgumentParser(description="Record the cassettes.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--writes", action="store_true", help="with --live: also change a throw-away agent")
    options = parser.parse_args()
    plugins = registry.load()
    if not options.live:
        hubspot.record_all(options.out, plugins, taping)
        return 0 if record_sandbox(options.out, plugins) else 1
    found = settings.load(Path.cwd())
    if found.api_key is None:
        parser.error("CHATFORGE_API_KEY is not set; a real key is needed to record with --live")
    key = found.api_key.get_secret_value()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that throw-away agents are deleted then too
    try:
        done = record_live(options.out, plugins, key, found.base_url, choose_live(writes=options.writes))
    except RecordingError as error:
        parser.error(str(error))
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
