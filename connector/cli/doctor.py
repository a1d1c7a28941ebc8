"""`chatforge doctor`: looks at everything a command needs, in a fixed order, and changes nothing."""

import asyncio
import fcntl
import importlib.metadata
import ipaddress
import json
import os
import queue
import shutil
import socket
import ssl
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import httpx
import typer
from pydantic import BaseModel

from connector import registry as registries
from connector import sqlite
from connector.adapter import DEFAULT, Adapter
from connector.cli import exits, output
from connector.cli.exits import UsageError
from connector.cli.flow_files import check_file, flow_paths, same_names
from connector.cli.loading import load_settings, require_connections
from connector.cli.probe import probe as run_probe
from connector.declare import ConnectionType, connector_of
from connector.errors import (
    AuthenticationError,
    ConnectorError,
    NetworkError,
    PlanError,
    PluginError,
    RateLimitError,
    SettingsError,
)
from connector.flows.flow import Flow
from connector.flows.problems import closest, did_you_mean
from connector.registry import Registry
from connector.server import service
from connector.settings import Environment, Settings
from connector.transport import HttpOptions, open_client, open_transport

VARIABLES = frozenset(
    f"CHATFORGE_{name}"
    for name in ("API_KEY", "BASE_URL", "DATABASE_URL", "PUBLIC_URL", "RATE_LIMIT", "SECRETS_DIR", "WEBHOOK_SECRET")
)
"""What `settings` reads."""

CHATFORGE = "chatforge"
"""The connector whose API has one address."""
STAGE_SECONDS = 5.0
"""How long a name, a connection or an answer is waited for."""
KEY_SECONDS = 10.0
LEAST_SPACE = 200_000_000  # bytes
SOON = 7  # days
_WARN_SKEW, _FAIL_SKEW = 60, 300  # seconds; an event more than 5 minutes in the future is held
_MOST_ADDRESSES = 3
_WIDTH = 80
_STYLES = {"ok": "green", "warn": "yellow", "fail": "red bold", "skip": "dim"}

Result = TypeVar("Result")
Say = Callable[[str], None]
"""Told what is waited for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `code` is the exit code that a failure stands for."""

    check: str
    status: Literal["ok", "warn", "fail", "skip"]
    detail: str
    next_step: str | None = None
    connection: str | None = None
    code: int = exits.FAILED

    def as_json(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "connection": self.connection,
            "status": self.status,
            "detail": self.detail,
            "next_step": self.next_step,
        }


Findings = Iterator[Finding]


def doctor(
    flows: Annotated[
        Path | None, typer.Option(help="A folder of flow files, or one file.", show_default="flows")
    ] = None,
    port: Annotated[int, typer.Option(help="The port that the server is to have.", min=0, max=65535)] = 8080,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    probe: Annotated[
        bool, typer.Option("--probe", help="Report what ChatForge does that it does not document.")
    ] = False,
    agent: Annotated[str | None, typer.Option(metavar="ID", help="The agent that --probe looks at.")] = None,
) -> int:
    """Check settings, plugins, connections, database, port and flows, and say what to do about what is wrong.

    Example: chatforge doctor --flows flows
    """
    if agent is not None and not probe:
        raise UsageError("--agent is for --probe; give both")
    flows = flows or (Path("flows") if Path("flows").is_dir() else None)
    if probe:
        settings = load_settings(flows)
        adapter = Adapter(registries.load(), settings)
        return run_probe(adapter, agent, as_json, _count_events(settings.database), _progress(as_json))
    found: list[Finding] = []
    with _progress(as_json) as say:
        for finding in examine(flows, port, datetime.now(UTC), say):
            if not as_json:
                _show(finding, found[-1] if found else None)
            found.append(finding)
    if as_json:
        output.write_json([finding.as_json() for finding in found])
    else:
        _show_summary(found)
    return next((finding.code for finding in found if finding.status == "fail"), exits.DONE)


@contextmanager
def _progress(as_json: bool) -> Iterator[Say]:
    console = output.console if output.console.is_terminal and not as_json else output.errors
    if not console.is_terminal:
        yield lambda _text: None
        return
    with console.status("") as shown:
        yield lambda text: shown.update(output.printable(text))


def _show(finding: Finding, before: Finding | None) -> None:
    if before is not None and finding.connection != before.connection:
        output.line("")
        output.line(output.styled(finding.connection or "this machine", "bold"))
    texts = textwrap.wrap(output.printable(finding.detail), _WIDTH - 18)
    head = (output.styled(finding.status.ljust(4), _STYLES[finding.status]), "  ", finding.check.ljust(10), "  ")
    output.line(*head, texts[0] if texts else "")
    for text in texts[1:]:
        output.line(" " * 18, text)
    if finding.next_step and finding.status in ("warn", "fail"):
        steps = textwrap.wrap(output.printable(finding.next_step), _WIDTH - 21)
        for mark, text in zip(["→ ", *["  "] * len(steps)], steps, strict=False):
            output.line(" " * 18, output.styled(mark + text, _STYLES[finding.status].split()[0]))


def _show_summary(found: Sequence[Finding]) -> None:
    fails, warns = (sum(finding.status == status for finding in found) for status in ("fail", "warn"))
    warnings = {0: "no warnings", 1: "1 warning"}.get(warns, f"{warns} warnings")
    output.line("")
    output.line(f"{f'{fails} failed' if fails else 'nothing failed'}, {warnings}")


def examine(flows: Path | None, port: int, now: datetime, say: Say) -> Findings:
    """All checks in their order; one whose premise failed is `skip`."""
    settings = yield from _check_settings(flows)
    plugins = yield from _check_plugins()
    if settings is None:
        yield from (
            _skip(check, "the settings could not be read") for check in ("connections", "public URL", "database")
        )
    else:
        for connector, name in _connections(plugins, settings):
            findings = _check_connection(plugins, settings, connector, name, now, say)
            yield from _of_connection(f"{connector}/{name}", findings)
        yield _check_public_url(settings)
        yield from _check_database(settings.database)
    say(f"looking at port {port}")
    yield asyncio.run(_check_port(port))
    if flows is not None:
        yield _check_flows(flows, plugins, settings) if settings else _skip("flows", "the settings could not be read")


def _of_connection(name: str, findings: Findings) -> Findings:
    try:
        for found in findings:
            yield replace(found, connection=name)
    except Exception as error:  # whatever a stranger's plugin raises; its text may hold a secret
        detail = f"its plugin failed while it was looked at, {type(error).__name__}"
        yield Finding("values", "fail", detail, "report it to the plugin's author", name)


def _skip(check: str, reason: str) -> Finding:
    return Finding(check, "skip", reason)


def _fail(check: str, error: ConnectorError, step: str) -> Finding:
    """The sentence of an error is what is wrong, and after its last semicolon what to do."""
    detail, _, own = str(error).rpartition("; ")
    return Finding(check, "fail", detail or own, own if detail else step, code=exits.code_of(error))


def _check_settings(flows: Path | None) -> Generator[Finding, None, Settings | None]:
    try:
        settings = load_settings(flows)
        names = _variables(Path.cwd())
    except SettingsError as error:
        yield _fail("settings", error, "correct it where it is set: in the environment, in .env or in connections.yaml")
        return None
    files = [".env"] if Path(".env").is_file() else []
    files += ["connections.yaml"] if settings.connections else []
    yield Finding("settings", "ok", "read from the environment" + "".join(f", {name}" for name in files))
    referred = {name for entry in settings.connections.values() for name in _references(entry.raw)}
    for name in sorted(names - VARIABLES - referred):
        meant = closest(name, VARIABLES)
        step = f"did you mean {meant}?" if meant else f"known are {', '.join(sorted(VARIABLES))}"
        yield Finding("variables", "warn", f"{name} is set, but nothing reads it", step)
    return settings


def _variables(folder: Path) -> set[str]:
    """The names in `.env` that start with CHATFORGE_."""
    layers = Environment.of({}, folder).layers
    return {name for layer in layers for name in layer if name.startswith("CHATFORGE_")}


def _references(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("env"), str):
            yield value["env"]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _references(item)


def _check_plugins() -> Generator[Finding, None, Registry]:
    """Each plugin alone, so that a broken one does not hide the others."""
    good: list[importlib.metadata.EntryPoint] = []
    for point in sorted(importlib.metadata.entry_points(group=registries.GROUP), key=lambda point: point.name):
        try:
            alone = registries.load([point])
            registries.load([*good, point])
        except PluginError as error:
            yield _fail("plugins", error, "correct or uninstall it: every command stops at it")
            continue
        good.append(point)
        counts = [sum(connector_of(name) == point.name for name in named) for named in (alone.actions, alone.triggers)]
        origin = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        words = " and ".join(_count(number, noun) for number, noun in zip(counts, ("action", "trigger"), strict=True))
        yield Finding("plugins", "ok", f"{point.name} ({origin}): {words}")
    return registries.load(good)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _connections(plugins: Registry, settings: Settings) -> list[tuple[str, str]]:
    named = [(entry.connector, name) for name, entry in settings.connections.items()]
    defaults = [(connector, DEFAULT) for connector in plugins.connections if (connector, DEFAULT) not in named]
    return sorted(defaults + named, key=lambda pair: (pair[0], pair[1] != DEFAULT, pair[1]))


def _check_connection(
    plugins: Registry, settings: Settings, connector: str, name: str, now: datetime, say: Say
) -> Findings:
    declared = plugins.connections.get(connector)
    if declared is None:
        step = did_you_mean(connector, plugins.connections) or "install the plugin that has it"
        yield Finding("values", "fail", f"there is no connector {connector!r}", step, code=exits.USAGE)
        return
    adapter = Adapter(plugins, settings)
    try:
        values = adapter.connection(connector, name)
    except ConnectorError as error:
        yield _fail("values", error, "correct it in connections.yaml or in the environment")
        return
    usable = _check_values(adapter, connector, name)
    others = [entry for entry in settings.connections.values() if entry.connector == connector]
    if name == DEFAULT and name not in settings.connections and others and not any(_own_values(declared, settings)):
        yield _skip("values", f"not set up; {_count(len(others), 'named connection')} can be used")
        return
    yield usable
    if declared.http is not None:
        reached = yield from _check_reach(declared, values, say, strict=connector == CHATFORGE)
        lacking = (
            "the values are not complete" if usable.status == "fail" else None if reached else "nothing usable answers"
        )
        yield from _check_key(adapter, connector, name, lacking, say)
    if declared.webhook is not None:
        yield _check_webhook(declared, values, now)


def _own_values(declared: ConnectionType, settings: Settings) -> Iterable[Any]:
    """What the environment gives the default connection."""
    return (declared.default(settings) or {}).values()


def _check_values(adapter: Adapter, connector: str, name: str) -> Finding:
    try:
        adapter.require_connection(connector, name)
    except ConnectorError as error:
        return _fail("values", error, "set what is missing")
    return Finding("values", "ok", "complete")


def _check_reach(
    declared: ConnectionType, values: BaseModel, say: Say, *, strict: bool
) -> Generator[Finding, None, bool]:
    """From the address to an answer; returns whether there was a usable one."""
    try:
        base_url = _base_url(declared, values)
        url = httpx.URL(HttpOptions(base_url, base_url_setting="the base URL").base_url)
    except ConnectorError as error:
        yield _fail("address", error, "correct the base URL")
        return False
    yield _check_address(url)
    port = url.port or (443 if url.scheme == "https" else 80)
    say(f"looking up {url.host}")
    addresses, found = find_addresses(url.host, port)
    yield found
    if not addresses:
        yield from (_skip(check, "no address to connect to") for check in ("connection", "TLS", "answer", "clock"))
        return False
    say(f"connecting to {url.host}:{port}")
    connected, found = connect(addresses, port)
    yield found
    if connected is None:
        yield from (_skip(check, "no connection") for check in ("TLS", "answer", "clock"))
        return False
    with closing(connected):
        secure = check_tls(connected, url, httpx.create_ssl_context(trust_env=False), datetime.now(UTC))
    yield secure
    if secure.status == "fail":
        yield from (_skip(check, "no trusted connection") for check in ("answer", "clock"))
        return False
    say(f"waiting for an answer of {url.host}")
    answer, clock = asyncio.run(_check_answer(base_url, strict=strict))
    yield answer
    yield clock
    return answer.status != "fail"


def _base_url(declared: ConnectionType, values: BaseModel) -> str:
    """The address that the plugin makes of the values, or the value itself where the plugin lacks another one."""
    try:
        return declared.http(values).base_url if declared.http else ""
    except Exception as error:
        if isinstance(given := getattr(values, "base_url", None), str):
            return given
        # whatever a stranger's function raises; its text may hold a secret
        raise SettingsError(f"the plugin makes no address of the values, {type(error).__name__}") from None


def _check_address(url: httpx.URL) -> Finding:
    if url.scheme == "http" and not _is_loopback(url.host):
        step = "write https:// in the base URL, unless everything up to that host is yours"
        return Finding("address", "warn", f"{url}: the key is sent in the clear", step)
    return Finding("address", "ok", str(url))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _within(seconds: float, work: Callable[[], Result]) -> Result:
    """What `work` returns or raises; TimeoutError, and no more waiting for it, after `seconds`."""
    ended: queue.SimpleQueue[tuple[list[Result], BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            ended.put(([work()], None))
        except BaseException as error:  # it is raised where the result is awaited
            ended.put(([], error))

    threading.Thread(target=run, daemon=True).start()
    try:
        results, error = ended.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"nothing within {seconds:g} s") from None
    if error is not None:
        raise error
    return results[0]


def find_addresses(host: str, port: int) -> tuple[list[str], Finding]:
    """The addresses of a host, in the order of the resolver, and what to say of them."""
    try:
        found = _within(STAGE_SECONDS, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        step = "check the base URL, and that this machine resolves names"
        return [], Finding("name", "fail", f"{host} cannot be resolved: {reason}", step, code=exits.NETWORK)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if addresses == [host]:
        return addresses, Finding("name", "ok", f"{host} needs no look-up")
    more = f" and {len(addresses) - _MOST_ADDRESSES} more" if len(addresses) > _MOST_ADDRESSES else ""
    return addresses, Finding("name", "ok", f"{host} is {', '.join(addresses[:_MOST_ADDRESSES])}{more}")


def connect(addresses: Sequence[str], port: int) -> tuple[socket.socket | None, Finding]:
    """A connection to the first address that takes one; the whole takes at most `STAGE_SECONDS`."""
    end, reasons = time.monotonic() + STAGE_SECONDS, []
    for address in addresses[:_MOST_ADDRESSES]:
        left = end - time.monotonic()
        if left <= 0:
            break
        try:
            connected = socket.create_connection((address, port), timeout=left)
        except OSError as error:
            reason = "no connection in time" if isinstance(error, TimeoutError) else (error.strerror or str(error))
            reasons.append(f"{address}: {reason[:1].lower()}{reason[1:]}")
        else:
            return connected, Finding("connection", "ok", f"port {port} of {address} is open")
    detail = f"port {port} cannot be reached, {'; '.join(reasons)}"
    step = "check the base URL, and that no firewall stands between; see whether the service is up"
    return None, Finding("connection", "fail", detail, step, code=exits.NETWORK)


def check_tls(connected: socket.socket, url: httpx.URL, context: ssl.SSLContext, now: datetime) -> Finding:
    """Shake hands over an open connection, which is left unusable."""
    if url.scheme != "https":
        return _skip("TLS", "the address is http://")
    try:
        connected.settimeout(STAGE_SECONDS)
        with context.wrap_socket(connected, server_hostname=url.host) as secure:
            certificate = secure.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        step = "check the base URL and the clock of this machine; otherwise the certificate there must be replaced"
        reason = f"the certificate is not trusted: {error.verify_message.rstrip('.')}"
        return Finding("TLS", "fail", reason, step, code=exits.NETWORK)
    except OSError as error:  # ssl.SSLError is one
        reason = getattr(error, "reason", None) or error.strerror or str(error)
        step = "check whether the address begins with http:// instead, and what stands between"
        return Finding("TLS", "fail", f"the handshake failed: {reason}", step, code=exits.NETWORK)
    return _describe_certificate(certificate, now)


def _describe_certificate(certificate: Mapping[str, Any], now: datetime) -> Finding:
    names = [name for kind, name in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    end = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate.get("notAfter"))), UTC)
    days = (end - now).days
    shown = ", ".join(names[:2]) + (", …" if len(names) > 2 else "")
    detail = f"certificate for {shown}, {_count(days, 'day')} left"
    if days < SOON:
        return Finding("TLS", "warn", detail, "see that it is renewed in time: without it nothing connects")
    return Finding("TLS", "ok", detail)


async def _check_answer(base_url: str, *, strict: bool) -> tuple[Finding, Finding]:
    """One request without the key: whether JSON comes, and which time it is there."""
    options = HttpOptions(
        base_url, connect_timeout=STAGE_SECONDS, read_timeout=STAGE_SECONDS, total_timeout=KEY_SECONDS
    )
    transport = open_transport(options)
    try:
        async with open_client(options, transport) as client:
            response = await client.get(base_url.rstrip("/"))
    except NetworkError as error:
        return _fail("answer", error, "see whether the service is up"), _skip("clock", "no answer")
    finally:
        await transport.aclose()
    return describe_answer(response, strict=strict), check_clock(response.headers.get("date"), datetime.now(UTC))


def describe_answer(response: httpx.Response, *, strict: bool) -> Finding:
    """Whether the API may have answered a request without a key, or something else at its address.

    Only of an API with one address (`strict`) is it known that an answer there is JSON.
    """
    status = response.status_code
    step = "the base URL is probably wrong: compare it with the address in ChatForge's API reference"
    if strict and 300 <= status < 400:
        place = response.headers.get("location", "nowhere")[:200]
        return Finding("answer", "fail", f"{status}, a redirect to {place}", "set the base URL to the final address")
    if status >= 500:
        return Finding("answer", "fail", f"{status}: the service fails", "wait, and see whether it is down for others")
    kind = _kind(response)
    if strict and kind != "JSON" and (status < 300 or (status == 404 and kind == "an HTML page")):
        return Finding("answer", "fail", f"{status} with {kind}, not with JSON", step)
    return Finding("answer", "ok", f"{status} with {kind}, to a request without a key")


def _kind(response: httpx.Response) -> str:
    if not response.content.strip():
        return "no body"
    if response.content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "an HTML page"
    try:
        json.loads(response.content)
    except (ValueError, RecursionError):
        return "plain text"
    return "JSON"


def check_clock(date: str | None, now: datetime) -> Finding:
    """This machine's clock beside the `Date` of an answer that came just now."""
    try:
        there = parsedate_to_datetime(date or "")
    except (ValueError, OverflowError):
        return _skip("clock", "the answer has no readable Date")
    skew = (now - (there if there.tzinfo else there.replace(tzinfo=UTC))).total_seconds()
    if abs(skew) <= _WARN_SKEW:
        return Finding("clock", "ok", "agrees with the other side's to a minute" if abs(skew) > 2 else "agrees")
    detail = f"this machine's is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the other side's"
    step = "set it by NTP: an event that seems older than 7 days, or more than 5 minutes ahead, starts nothing"
    return Finding("clock", "fail" if abs(skew) > _FAIL_SKEW else "warn", detail, step)


def _check_key(adapter: Adapter, connector: str, name: str, lacking: str | None, say: Say) -> Findings:
    checks = ("key", "rate limit", "plan")  # in the order in which the other side looks
    test = adapter.registry.connections[connector].test
    if lacking is not None or test is None:
        yield from (_skip(check, lacking or f"{connector} has no action that tests a connection") for check in checks)
        return
    say(f"asking {connector}.{test}")
    try:
        result = asyncio.run(_test(adapter, connector, name))
    except ConnectorError as error:
        failed = (
            "rate limit" if isinstance(error, RateLimitError) else "plan" if isinstance(error, PlanError) else "key"
        )
        for check in checks[: checks.index(failed)]:
            yield Finding(check, "ok", "accepted" if check == "key" else "not reached")
        yield _fail(failed, error, f"see: chatforge call {connector}.{test}")
        reason = "the key is not accepted" if isinstance(error, AuthenticationError) else "the test failed"
        yield from (_skip(check, reason) for check in checks[checks.index(failed) + 1 :])
        return
    lists = [_count(len(value), field.removesuffix("s")) for field, value in result.items() if isinstance(value, list)]
    for check, detail in zip(
        checks, ("accepted", "not reached", f"includes the API: {', '.join(lists) or 'it answers'}"), strict=True
    ):
        yield Finding(check, "ok", detail)


async def _test(adapter: Adapter, connector: str, name: str) -> dict[str, Any]:
    async with adapter:
        try:
            async with asyncio.timeout(KEY_SECONDS):
                return await adapter.check_connection(connector, name)
        except TimeoutError:
            raise NetworkError(f"no answer within {KEY_SECONDS:g} s; see whether the service is up") from None


def _check_webhook(declared: ConnectionType, values: BaseModel, now: datetime) -> Finding:
    live = _live_secrets(declared, values, now)
    if not live:
        step = "set the webhook secret (CHATFORGE_WEBHOOK_SECRET or webhook_secrets), unless only polling is used"
        return Finding("webhooks", "warn", "no live secret, so every webhook is refused", step)
    detail = f"{_count(live, 'live secret')}"
    for days in range(1, SOON + 1):
        lasting = _live_secrets(declared, values, now + timedelta(days=days))
        if lasting < live:
            step = (
                "give the one that replaces it as well"
                if not lasting
                else "see that the sender uses another one by then"
            )
            return Finding(
                "webhooks", "warn", f"{detail}, {live - lasting} of them ends within {_count(days, 'day')}", step
            )
    return Finding("webhooks", "ok", detail)


def _live_secrets(declared: ConnectionType, values: BaseModel, at: datetime) -> int:
    try:
        return len(declared.webhook.secrets(values, at)) if declared.webhook else 0
    except ConnectorError:
        return 0


def _check_public_url(settings: Settings) -> Finding:
    if settings.public_url is None:
        step = "set CHATFORGE_PUBLIC_URL to the address under which webhooks reach this server"
        return Finding("public URL", "warn", "not set, so the webhook address to paste is not known", step)
    if _is_loopback(httpx.URL(settings.public_url).host) and not _is_loopback(httpx.URL(settings.base_url).host):
        step = "set CHATFORGE_PUBLIC_URL to an address that ChatForge can reach"
        return Finding("public URL", "warn", f"{settings.public_url} is only reached from this machine", step)
    return Finding("public URL", "ok", settings.public_url)


def _check_database(path: Path) -> Findings:
    folder = next(folder for folder in path.absolute().parents if os.path.exists(folder))
    fault = _find_fault(path, folder)
    if fault is not None:
        step = "set CHATFORGE_DATABASE_URL to another file, or correct the permissions"
        yield Finding("database", "fail", fault, step)
        yield from (_skip(check, "the database cannot be used") for check in ("in use", "integrity", "disk"))
        return
    size = f", {path.stat().st_size / 1e6:.1f} MB" if os.path.exists(path) else " does not exist yet and can be made"
    yield Finding("database", "ok", f"{path}{size}")
    if os.path.exists(path):
        yield Finding("in use", "ok", "by another chatforge process, which is fine" if _is_locked(path) else "no")
        yield _check_integrity(path)
    else:
        yield from (_skip(check, "there is no database yet") for check in ("in use", "integrity"))
    free = shutil.disk_usage(folder).free
    step = "make room on this disk, or set CHATFORGE_DATABASE_URL to a file on another one"
    yield Finding("disk", "ok" if free >= LEAST_SPACE else "warn", f"{free / 1e9:.1f} GB free", step)


def _find_fault(path: Path, folder: Path) -> str | None:
    """Why the database could not be opened or made; `folder` is the nearest one above it that exists."""
    if not os.path.isdir(folder):
        return f"{path} cannot be made: {folder} is not a folder"
    if shutil.disk_usage(folder).total == 0:
        return f"{path} cannot be made: the folder {folder} keeps no files"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{path} cannot be written: the folder {folder} is read-only for this user"
    if os.path.exists(path) and not os.path.isfile(path):
        return f"{path} is not a file"
    if os.path.exists(path) and not os.access(path, os.R_OK | os.W_OK):
        return f"{path} is read-only for this user"
    return None


def _is_locked(path: Path) -> bool:
    """Whether somebody has `sqlite.exclusive`. The shared lock that is tried is let go at once."""
    try:
        with Path(os.path.realpath(path) + ".lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _check_integrity(path: Path) -> Finding:
    step = "restore it from a backup, or set CHATFORGE_DATABASE_URL to another file"
    try:
        problems = look_at(path, lambda run: [row[0] for row in run("PRAGMA db.quick_check(3)")])
    except ConnectorError as error:
        return Finding("integrity", "fail", str(error.__cause__ or error), step)
    if problems is None:
        return _skip("integrity", "its last writes are not merged yet; start the server once")
    sound = problems == ["ok"]
    return Finding("integrity", "ok" if sound else "fail", "sound" if sound else "; ".join(problems), step)


def look_at(path: Path, work: Callable[[Callable[[str], Any]], Result]) -> Result | None:
    """Read a database, attached as `db`, without leaving a file beside it; None where that is not possible.

    An ordinary reader would leave a `-wal` and a `-shm` where nobody has the database open. Raises StoreError.
    """
    has_log, has_index = (Path(f"{os.path.realpath(path)}{end}").exists() for end in ("-wal", "-shm"))
    if has_log and not has_index:
        return None
    uri = f"{path.absolute().as_uri()}?mode=ro{'' if has_log else '&immutable=1'}"
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / "empty"
        sqlite.connect(scratch).close()

        def attach(connection: Any) -> Result:
            connection.execute("ATTACH ? AS db", (uri,))
            return work(lambda statement: connection.execute(statement).fetchall())

        return sqlite.read_file(scratch, attach)


def _count_events(path: Path) -> int | None:
    """The webhook events of the journal; None where it cannot be read."""
    try:
        found = look_at(path, lambda run: run("SELECT count(*) FROM db.events")) if path.is_file() else None
    except ConnectorError:
        return None
    return found[0][0] if found else None


async def _check_port(port: int) -> Finding:
    try:
        service.listen("127.0.0.1", port).close()
    except SettingsError as error:
        return await _describe_taken(port, error)
    return Finding("port", "ok", f"{port} is free" if port else "0 stands for any free one")


async def _describe_taken(port: int, error: SettingsError) -> Finding:
    options = HttpOptions(f"http://127.0.0.1:{port}", connect_timeout=2, read_timeout=2, total_timeout=4)
    transport = open_transport(options)
    try:
        async with open_client(options, transport) as client:
            health = (await client.get("/healthz")).json()
            ready = (await client.get("/readyz")).json()
    except (NetworkError, ValueError):
        health = ready = None
    finally:
        await transport.aclose()
    if health != {"status": "ok"} or not isinstance(ready, dict) or not isinstance(ready.get("status"), str):
        return _fail("port", error, "choose another --port")
    if ready["status"] == "ready":
        return Finding("port", "ok", f"{port} is taken by a chatforge server, which is ready")
    step = "read its log"
    return Finding("port", "warn", f"{port} is taken by a chatforge server, not ready: {ready['status'][:200]}", step)


def _check_flows(path: Path, plugins: Registry, settings: Settings) -> Finding:
    adapter = Adapter(plugins, settings)
    try:
        checked = [(file, check_file(file, adapter.catalogue)) for file in flow_paths([path])]
        problems = [problem for _, result in checked for problem in result.problems] + same_names(checked)
        flows = [result.flow for _, result in checked if result.flow]
        if problems:
            wrong = len({problem.path for problem in problems})
            detail = f"{wrong} of {_count(len(checked), 'flow')} in {path} has problems"
            return Finding("flows", "fail", detail, f"see: chatforge check {path}")
        require_connections(adapter, flows)
    except ConnectorError as error:
        return _fail("flows", error, f"see: chatforge check {path}")
    return Finding("flows", "ok", f"{_count(len(checked), 'flow')} in {path}, with {', '.join(_used(adapter, flows))}")


def _used(adapter: Adapter, flows: Sequence[Flow]) -> list[str]:
    """The connections that the flows use."""
    uses = {(flow.trigger.uses, flow.trigger.connection) for flow in flows}
    uses |= {(step.uses, step.connection) for flow in flows for step in (*flow.steps, *flow.on_error)}
    used = {(connector_of(name), connection) for name, connection in uses}
    return sorted(f"{plugin}/{name}" for plugin, name in used if plugin in adapter.registry.connections) or [
        "no connection"
    ]
