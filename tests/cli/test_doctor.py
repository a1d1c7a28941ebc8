"""`chatforge doctor` against a sandbox, and against what goes wrong on the way to it."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from plugins import mail_server, slack_double

from connector import registry, settings
from connector.cli.doctor.database import check_database
from connector.cli.doctor.installation import VARIABLES, check_variables
from connector.cli.doctor.machine import check_flows, check_port, check_public_url
from connector.cli.exits import code_of
from connector.diagnosis.connections import check_connections
from connector.diagnosis.findings import CheckError, Finding
from connector.diagnosis.reach import ask_without_key, check_address, check_tls, describe_answer
from connector.runs.store import Store
from connector.sandbox import Sandbox, SandboxSettings
from connector.sandbox.server import running
from connector.sqlite import exclusive, write_file

KEY = "cf_key_for_tests"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 20\r\n\r\n<html>welcome</html>"
MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 20\r\n\r\n<html>nothing</html>"
MOVED = b"HTTP/1.1 308 Moved\r\nLocation: https://elsewhere.example/x\r\nContent-Length: 0\r\n\r\n"
DOWN = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
TEXT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def answering(answer: bytes | None, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a server that answers each connection so, or never; over TLS with `context`."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        kept = []
        while True:
            try:
                peer, _ = listener.accept()
                kept.append(peer)
                if context is not None:
                    peer.settimeout(5)
                    kept[-1] = peer = context.wrap_socket(peer, server_side=True)
                if answer is not None:
                    peer.recv(65536)
                    peer.sendall(answer)
                    peer.close()
            except OSError:
                if listener.fileno() < 0:
                    break
        for peer in kept:
            peer.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running() as sandbox:
        yield sandbox


def settings_of(sandbox: Sandbox) -> dict[str, str]:
    return {
        "CHATFORGE_BASE_URL": sandbox.url,
        "CHATFORGE_API_KEY": sandbox.api_key,
        "CHATFORGE_WEBHOOK_SECRET": sandbox.webhook_secret,
        "CHATFORGE_PUBLIC_URL": "https://hooks.example",
    }


class Report(dict):
    """(connection or None, check) → finding; `code` is the exit code, `found` all findings in their order."""

    def __init__(self, found: list[dict[str, str | None]], code: int) -> None:
        super().__init__({(item["connection"], item["check"]): item for item in found})
        self.found, self.code = found, code
        assert all(item.keys() == {"check", "connection", "status", "detail", "next_step"} for item in found)


def report_of(found: list[Finding]) -> Report:
    code = next((code_of(finding.error) for finding in found if finding.status == "fail"), 0)
    return Report([finding.as_json() for finding in found], code)


@pytest.fixture
def examine(chatforge) -> Callable[..., Report]:
    """The whole command, in a process."""

    def run(*arguments: str, **environment: str) -> Report:
        result = chatforge("doctor", "--json", *(arguments or ("--port", "0")), **environment)
        assert result.error == ""
        return Report(json.loads(result.out), result.code)

    return run


@pytest.fixture
def load(tmp_path) -> Callable[..., settings.Settings]:
    return lambda **environment: settings.load(tmp_path, environ=environment)


@pytest.fixture
def connections(load) -> Callable[..., Report]:
    """The checks of the connections alone."""

    def run(**environment: str) -> Report:
        found = list(check_connections(registry.load(), load(**environment), datetime.now(UTC), lambda _text: None))
        assert (environment.get("CHATFORGE_API_KEY") or KEY) not in repr(found)
        return report_of(found)

    return run


@pytest.fixture
def database(tmp_path) -> Callable[..., Report]:
    """The checks of the database alone."""
    return lambda path="runs.sqlite": report_of(list(check_database(tmp_path / path)))


def chatforge_checks(report: Report) -> dict[str, str]:
    return {check: item["status"] for (name, check), item in report.items() if name == "chatforge/default"}


KEY_CHECKS = ("budget", "key", "rate limit", "plan")
OWN = ("values", "address", "name", "connection", "TLS", "answer", "clock", *KEY_CHECKS, "webhooks")
OF_THE_MACHINE = ("public URL", "database", "in use", "integrity", "disk", "port")


def test_sound_installation_is_looked_at_in_a_fixed_order_and_left_as_it_is(
    examine, sandbox, tmp_path, tmp_path_factory
):
    budget = tmp_path_factory.mktemp("elsewhere") / "budget.sqlite"
    Store(tmp_path / "runs.sqlite").close()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    report = examine(**settings_of(sandbox), CHATFORGE_BUDGET_FILE=str(budget))
    assert report.code == 0
    assert {item["status"] for item in report.values()} <= {"ok", "skip"}
    assert [key for key, item in report.items() if item["status"] == "skip"] == [("chatforge/default", "TLS")]
    assert report["chatforge/default", "plan"]["detail"] == "includes the API: 1 agent"
    assert report[None, "integrity"]["detail"] == "sound"
    checks = tuple(check for connection, check in report if connection != "contacts/default")
    assert checks == ("settings", "plugins", *OWN, *OF_THE_MACHINE)
    assert [path for path in tmp_path.iterdir() if not path.name.startswith(".")] == list(before)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_text_fits_80_columns_and_names_the_next_step(chatforge, sandbox):
    result = chatforge("doctor", "--port", "0", **settings_of(sandbox) | {"CHATFORGE_API_KEY": KEY})
    assert max(map(len, result.out.splitlines())) <= 80
    assert re.search(r"^fail  key         the API key is not accepted", result.out, re.MULTILINE)
    assert "→ set CHATFORGE_API_KEY to a key from the ChatForge Dashboard" in result.out
    assert result.out.endswith("1 failed, no warnings\n")
    assert "\x1b" not in result.out
    assert KEY not in result.out + result.error
    assert result.code == 3


@pytest.mark.parametrize(
    ("change", "code", "check", "detail", "skipped"),
    [
        pytest.param({"CHATFORGE_API_KEY": KEY}, 3, "key", "the API key is not accepted (401", "plan", id="wrong key"),
        pytest.param(
            {"CHATFORGE_API_KEY": "cf_sandbox_small_plan_key"},
            3,
            "plan",
            "the plan of this API key does not include the API (403",
            None,
            id="small plan",
        ),
        pytest.param({"CHATFORGE_API_KEY": ""}, 2, "values", "the ChatForge API key is missing", "key", id="no key"),
        pytest.param(
            {"CHATFORGE_BASE_URL": "http://chatforge.invalid/api"},
            4,
            "name",
            "chatforge.invalid cannot be resolved: ",
            "answer",
            id="no such name",
        ),
        pytest.param(
            {"CHATFORGE_BASE_URL": f"http://{'a' * 64}.invalid"}, 4, "name", "cannot be resolved", "key", id="no name"
        ),
    ],
)
def test_failure_is_named_where_it_is(connections, sandbox, change, code, check, detail, skipped):
    report = connections(**settings_of(sandbox) | change)
    failed = [item for item in report.values() if item["status"] == "fail"]
    assert [(item["connection"], item["check"]) for item in failed] == [("chatforge/default", check)]
    assert detail in failed[0]["detail"]
    assert failed[0]["next_step"]
    assert report.code == code
    if skipped:
        assert report["chatforge/default", skipped]["status"] == "skip"


def test_lacking_key_hides_no_fault_of_the_network(connections, sandbox):
    report = connections(**settings_of(sandbox) | {"CHATFORGE_API_KEY": ""})
    assert chatforge_checks(report)["answer"] == "ok"


def test_refused_connection_is_a_network_failure(connections):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    report = connections(CHATFORGE_BASE_URL=f"http://127.0.0.1:{port}", CHATFORGE_API_KEY=KEY)
    assert report["chatforge/default", "connection"]["detail"].endswith("127.0.0.1: connection refused")
    assert report.code == 4


@pytest.mark.parametrize(
    ("answer", "code", "detail"),
    [
        pytest.param(PAGE, 1, "200 with an HTML page, not with JSON", id="HTML page"),
        pytest.param(MISSING, 1, "404 with an HTML page, not with JSON", id="HTML page of an error"),
        pytest.param(TEXT, 1, "200 with plain text, not with JSON", id="text"),
        pytest.param(MOVED, 1, "308, a redirect to https://elsewhere.example/x", id="redirect"),
        pytest.param(DOWN, 1, "502: the service fails", id="bad gateway"),
        pytest.param(b"", 4, "closed or broke the connection", id="cut"),
    ],
)
def test_wrong_answer_is_told_from_the_api(connections, answer, code, detail):
    with answering(answer) as port:
        report = connections(CHATFORGE_BASE_URL=f"http://127.0.0.1:{port}", CHATFORGE_API_KEY=KEY)
    assert report["chatforge/default", "answer"]["status"] == "fail"
    assert detail in report["chatforge/default", "answer"]["detail"]
    assert report["chatforge/default", "key"]["detail"] == "nothing usable answers"
    assert report.code == code


def test_silence_is_waited_out_in_time():
    with answering(None) as port, pytest.raises(CheckError) as caught:
        asyncio.run(ask_without_key(f"http://127.0.0.1:{port}", seconds=0.1))
    assert "was silent for 0.1 s" in caught.value.finding.detail
    assert code_of(caught.value.finding.error) == 4


def test_page_at_the_root_of_another_api_is_no_fault():
    page = httpx.Response(404, text="<html>nothing</html>")
    assert describe_answer(page, strict=False).status == "ok"
    assert describe_answer(page, strict=True).status == "fail"


def test_key_with_a_space_is_not_taken_for_a_missing_one(connections, tmp_path):
    (tmp_path / "connections.yaml").write_text("acme: {connector: chatforge}")
    report = connections(CHATFORGE_API_KEY="cf key", CHATFORGE_BASE_URL="http://x.invalid")
    assert "has a space" in report["chatforge/default", "values"]["detail"]
    assert report.code == 2


def test_rate_limit_is_told_from_a_wrong_key(connections):
    with running(SandboxSettings(rate_limit=1)) as sandbox:
        httpx.get(sandbox.url, headers={"Authorization": f"Bearer {sandbox.api_key}"})
        report = connections(**settings_of(sandbox))
    checks = chatforge_checks(report)
    assert (checks["key"], checks["rate limit"], checks["plan"]) == ("ok", "fail", "skip")
    assert report.code == 1


@pytest.mark.parametrize(
    ("minutes", "status", "code", "words"),
    [(2, "warn", 0, "behind"), (10, "fail", 1, "behind"), (-10, "fail", 1, "ahead of")],
)
def test_clock_is_compared_with_the_answer(connections, minutes, status, code, words):
    with running(clock=lambda: datetime.now(UTC) + timedelta(minutes=minutes)) as sandbox:
        report = connections(**settings_of(sandbox))
    found = report["chatforge/default", "clock"]
    assert found["status"] == status
    assert re.fullmatch(rf"this machine's is \d+ s {words} the other side's", found["detail"])
    assert "starts nothing" in found["next_step"]
    assert report.code == code


def test_plain_http_to_another_host_is_warned_about():
    assert check_address(httpx.URL("http://10.0.0.1/api")).status == "warn"
    assert check_address(httpx.URL("http://localhost:8070/api")).status == "ok"


@pytest.fixture(scope="module")
def certify(tmp_path_factory) -> Callable[[int], ssl.SSLContext]:
    """Makes a server's context with a self-signed certificate for localhost that ends in so many days."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")

    def make(days: int) -> ssl.SSLContext:
        path = folder / f"{days}.pem"
        kind = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost"
        names = "-addext subjectAltName=DNS:localhost"
        command = ["openssl", *kind.split(), "-days", str(days), *names.split(), "-keyout", path, "-out", f"{path}.crt"]
        subprocess.run(command, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{path}.crt", path)
        context.certificate = f"{path}.crt"
        return context

    return make


def test_untrusted_certificate_is_a_network_failure_and_no_key_is_sent(connections, certify):
    with answering(TEXT, certify(60)) as port:
        report = connections(CHATFORGE_BASE_URL=f"https://localhost:{port}", CHATFORGE_API_KEY=KEY)
    found = report["chatforge/default", "TLS"]
    assert found["detail"] == "the certificate is not trusted: self-signed certificate"
    assert {report["chatforge/default", check]["status"] for check in ("answer", "clock", "key")} == {"skip"}
    assert report.code == 4


def test_https_to_a_server_without_tls_is_named(connections):
    with answering(TEXT) as port:
        report = connections(CHATFORGE_BASE_URL=f"https://127.0.0.1:{port}", CHATFORGE_API_KEY=KEY)
    assert report["chatforge/default", "TLS"]["detail"].startswith("the handshake failed: ")
    assert "http://" in report["chatforge/default", "TLS"]["next_step"]
    assert report.code == 4


@pytest.mark.parametrize(
    ("days", "status", "detail"),
    [
        pytest.param(60, "ok", "certificate for localhost, 59 days left", id="long"),
        pytest.param(5, "warn", "certificate for localhost, 4 days left", id="soon"),
    ],
)
def test_trusted_certificate_is_described(certify, days, status, detail):
    found = shake_hands(certify(days), "localhost")
    assert found.status == status
    assert found.detail.startswith(detail)


def test_certificate_of_another_name_is_not_trusted(certify):
    with pytest.raises(CheckError) as caught:
        shake_hands(certify(60), "127.0.0.1")
    assert caught.value.finding.detail.startswith("the certificate is not trusted: IP address mismatch")


def shake_hands(context: ssl.SSLContext, host: str) -> Finding:
    trusting = ssl.create_default_context(cafile=context.certificate)
    with answering(TEXT, context) as port, socket.create_connection(("127.0.0.1", port)) as connected:
        return check_tls(connected, httpx.URL(f"https://{host}:{port}"), trusting, datetime.now(UTC))


def test_wrong_setting_skips_what_needs_the_settings(examine):
    report = examine(CHATFORGE_BASE_URL="cf.example")
    assert report[None, "settings"]["detail"].startswith("CHATFORGE_BASE_URL is 'cf.example'")
    assert report[None, "settings"]["next_step"]
    assert {report[None, check]["status"] for check in ("connections", "public URL", "database")} == {"skip"}
    assert report[None, "plugins"]["status"] == "ok"
    assert report.code == 2


def test_variable_that_nothing_reads_is_warned_about(examine, sandbox, tmp_path):
    (tmp_path / ".env").write_text("CHATFORGE_WEBHOOK_SECERT=x\nCHATFORGE_ACME=y\nOTHER=z\n")
    (tmp_path / "connections.yaml").write_text("acme: {connector: chatforge, api_key: {env: CHATFORGE_ACME}}\n")
    report = examine(**settings_of(sandbox), CHATFORGE_BASEURL="https://cf.example")
    warned = [item["detail"] for item in report.found if item["check"] == "variables"]
    assert warned == [f"CHATFORGE_{name} is set, but nothing reads it" for name in ("BASEURL", "WEBHOOK_SECERT")]
    assert report[None, "settings"]["detail"] == "read from the environment, .env, connections.yaml"


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("CHATFORGE_WEBHOOK_SECERT", "did you mean CHATFORGE_WEBHOOK_SECRET?"),
        ("CHATFORGE_X", "known are CHATFORGE_API_KEY, CHATFORGE_BASE_URL, "),
    ],
)
def test_variable_that_was_probably_meant_is_named(name, step):
    (found,) = check_variables(frozenset({name, "CHATFORGE_API_KEY"}))
    assert found.status == "warn"
    assert found.next_step.startswith(step)


def test_known_variables_are_those_that_the_settings_read():
    source = Path(settings.__file__).read_text("utf-8")
    assert set(re.findall(r"CHATFORGE_[A-Z_]+", source)) == VARIABLES


STRANGE = """
from pydantic import BaseModel
from connector.declare import ConnectionType
from connector.hookspecs import hookimpl

class Values(BaseModel):
    pass

def fail(values):
    raise ValueError("a canary")

@hookimpl
def register_connections(register):
    register(ConnectionType(Values, "Strange", "help", lambda settings: None, require=fail))
"""


def install(folder: Path, name: str, module: str) -> None:
    """As far as Python looks for plugins."""
    (folder / f"{name}-1.0.dist-info").mkdir()
    (folder / f"{name}-1.0.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (folder / f"{name}-1.0.dist-info" / "entry_points.txt").write_text(f"[connector.plugins]\n{name} = {module}\n")


def test_faulty_plugins_are_named_beside_the_others_and_show_nothing(examine, sandbox, tmp_path):
    install(tmp_path, "broken", "nowhere_at_all")
    install(tmp_path, "strange", "strange")
    (tmp_path / "strange.py").write_text(STRANGE)
    report = examine(**settings_of(sandbox))
    plugins = [
        (item["status"], re.split(r": Mod| \(", item["detail"])[0])
        for item in report.found
        if item["check"] == "plugins"
    ]
    broken = "plugin 'broken' cannot be loaded: importing 'nowhere_at_all' failed"
    assert plugins[:3] == [("fail", broken), ("ok", "chatforge"), ("ok", "contacts")]
    assert ("ok", "strange") in plugins
    assert report["strange/default", "values"]["status"] == "fail"
    assert report["strange/default", "values"]["detail"].endswith("ValueError")
    assert "canary" not in str(report.found)
    assert chatforge_checks(report)["key"] == "ok"
    assert report[None, "database"]["status"] == "ok"
    assert report.code == 1


NOTES = """
from pydantic import BaseModel
from connector.declare import ConnectionType
from connector.hookspecs import hookimpl

class Account(BaseModel):
    address: str

@hookimpl
def register_connections(register):
    register(ConnectionType(Account, "Notes", "the address is in the service", default=lambda settings: None))
"""


def test_default_connection_that_its_plugin_does_not_have_is_left_out(examine, sandbox, tmp_path):
    install(tmp_path, "notes", "notes")
    (tmp_path / "notes.py").write_text(NOTES)
    (tmp_path / "connections.yaml").write_text("mine: {connector: notes, address: here}\n")
    report = examine(**settings_of(sandbox))
    assert ("notes/default", "values") not in report
    assert report["notes/mine", "values"]["status"] == "ok"


CONNECTIONS = """
acme: {{connector: chatforge, api_key: {{env: ACME_KEY}}, base_url: "{url}",
        webhook_secrets: [{{env: ACME_HOOK}}, {{env: ACME_OLD, until: {until}}}]}}
other: {{connector: chatforge, api_key: {{env: NOT_SET}}}}
third: {{connector: chatfogre}}
plain: {{connector: chatforge, api_key: {{env: ACME_KEY}}, base_url: "ftp://x"}}
"""


def test_each_named_connection_is_checked(connections, sandbox, tmp_path):
    until = (datetime.now(UTC) + timedelta(days=3)).date()
    (tmp_path / "connections.yaml").write_text(CONNECTIONS.format(url=sandbox.url, until=until))
    report = connections(ACME_KEY=sandbox.api_key, ACME_HOOK="one", ACME_OLD="two")
    assert report["chatforge/default", "values"]["status"] == "skip"
    assert report["chatforge/acme", "key"]["status"] == "ok"
    assert report["chatforge/acme", "webhooks"]["status"] == "warn"
    assert report["chatforge/acme", "webhooks"]["detail"] == "2 live secrets, 1 of them ends within 4 days"
    assert report["chatforge/other", "values"]["detail"].endswith("the variable NOT_SET is not set")
    assert report["chatfogre/third", "values"]["next_step"] == "did you mean 'chatforge'?"
    assert "plain: base_url: it is 'ftp://x'" in report["chatforge/plain", "values"]["detail"]
    assert report.code == 2


def test_connection_without_http_is_tried_by_its_own_action(connections, tmp_path):
    with mail_server.running() as box:
        here = {"host": "127.0.0.1", "port": box.port, "networks": ["127.0.0.0/8"], "from": "cal@example.com"}
        mail = {"connector": "email", "security": "none", **here}
        login = {"user": "cal", "password": {"env": "SMTP_PASSWORD"}}
        (tmp_path / "connections.yaml").write_text(json.dumps({"good": mail, "refused": mail | login}))
        report = connections(SMTP_PASSWORD="for_tests")
    assert report["email/good", "key"]["status"] == "ok"
    assert report["email/refused", "key"]["status"] == "fail"


def test_address_that_requests_would_not_reach_is_told(connections, sandbox, tmp_path):
    (tmp_path / "connections.yaml").write_text(f"here: {{connector: http, address: '{sandbox.url}'}}\n")
    found = connections()["http/here", "connection"]
    assert (found["status"], found["next_step"]) == (
        "fail",
        "where it is yours, write in the connection: networks: [127.0.0.1]",
    )


def test_webhook_is_not_tried_since_that_would_post(connections, tmp_path):
    with slack_double.running("unused") as (served, slack):
        (tmp_path / "connections.yaml").write_text("hook: {connector: slack, webhook_url: {env: SLACK_WEBHOOK}}\n")
        report = connections(SLACK_WEBHOOK=f"{served.url}{slack_double.HOOK}")
    found = report["slack/hook", "key"]
    assert found["status"] == "skip"
    assert found["detail"].startswith("a webhook can only be tried by posting a message")
    assert slack.messages == []
    assert slack_double.HOOK not in repr(report.found)


@pytest.mark.parametrize(
    ("url", "base_url", "status"),
    [
        pytest.param("", "http://127.0.0.1", "warn", id="none"),
        pytest.param("http://127.0.0.1:8080", "http://localhost", "ok", id="both local"),
        pytest.param("http://localhost:8080", "http://chatforge.invalid", "warn", id="local for a distant account"),
        pytest.param("https://hooks.example", "http://127.0.0.1", "ok", id="public"),
    ],
)
def test_public_url_is_asked_for(load, url, base_url, status):
    assert check_public_url(load(CHATFORGE_PUBLIC_URL=url, CHATFORGE_BASE_URL=base_url)).status == status


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        pytest.param("taken/in/runs.sqlite", "cannot be made: {folder}/taken is not a folder", id="in a file"),
        pytest.param("/proc/x/runs.sqlite", "cannot be made: the folder /proc keeps no files", id="in no real folder"),
        pytest.param("folder", "is not a file", id="a folder"),
    ],
)
def test_database_that_cannot_be_made_fails(database, tmp_path, path, fault):
    (tmp_path / "taken").touch()
    (tmp_path / "folder").mkdir()
    report = database(path)
    assert report[None, "database"]["detail"].endswith(fault.format(folder=tmp_path))
    assert [report[None, check]["status"] for check in ("in use", "integrity", "disk")] == ["skip"] * 3
    assert report.code == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_database_in_a_read_only_folder_fails(database, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    detail = database("closed/runs.sqlite")[None, "database"]["detail"]
    assert detail.endswith("closed is read-only for this user")


def test_missing_database_is_no_fault(database, tmp_path):
    statuses = {check: item["status"] for (_, check), item in database().items()}
    assert statuses == {"database": "ok", "in use": "skip", "integrity": "skip", "disk": "ok"}
    assert not [*tmp_path.iterdir()]


def test_database_that_is_another_file_is_not_sound(database, tmp_path):
    (tmp_path / "runs.sqlite").write_bytes(b"not a database" * 100)
    report = database()
    assert report[None, "integrity"]["status"] == "fail"
    assert report[None, "integrity"]["detail"] == "file is not a database"
    assert report.code == 1


def test_database_of_a_later_version_is_not_sound(database, tmp_path):
    path = tmp_path / "runs.sqlite"
    Store(path).close()
    write_file(path, lambda opened: opened.execute("UPDATE schema_version SET version = version + 1"))
    assert "made by a later chatforge" in database()[None, "integrity"]["detail"]


def test_database_of_another_program_is_not_sound(database, tmp_path):
    write_file(tmp_path / "runs.sqlite", lambda opened: opened.execute("CREATE TABLE customers (name TEXT)"))
    assert "is another program's" in database()[None, "integrity"]["detail"]


def test_damaged_database_is_not_sound(database, tmp_path):
    path = tmp_path / "runs.sqlite"
    Store(path).close()
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    path.write_bytes(content)
    assert database()[None, "integrity"]["status"] == "fail"


def test_database_in_use_is_looked_at_beside_its_process(database, tmp_path):
    path = tmp_path / "runs.sqlite"
    with exclusive(path):
        store = Store(path)
        report = database()
        asyncio.run(store.ping())
        store.close()
    assert report[None, "in use"]["detail"] == "by another chatforge process, which is fine"
    assert report[None, "in use"]["status"] == "ok"
    assert report[None, "integrity"]["detail"] == "sound"


def test_log_without_its_index_is_left_alone(database, tmp_path):
    Store(tmp_path / "runs.sqlite").close()
    (tmp_path / "runs.sqlite-wal").touch()
    assert database()[None, "integrity"]["status"] == "skip"
    assert not (tmp_path / "runs.sqlite-shm").exists()


def test_port_of_another_program_is_taken():
    with answering(PAGE) as port:
        found = asyncio.run(check_port(port))
    assert found.status == "fail"
    assert f"127.0.0.1:{port}" in found.detail
    assert code_of(found.error) == 2


def test_port_of_a_chatforge_server_is_recognised(database, flow, sandbox, tmp_path):
    command = [sys.executable, "-m", "connector", "serve", "--flows", flow, "--port", "0"]
    environment = settings_of(sandbox) | {"PATH": os.environ["PATH"], "CHATFORGE_DATABASE_URL": "sqlite:///runs.sqlite"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True) as process:
        port = int(re.search(r":(\d+);", process.stdout.readline())[1])
        found, in_use = asyncio.run(check_port(port)), database()[None, "in use"]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert (found.status, found.detail) == ("ok", f"{port} is taken by a chatforge server, which is ready")
    assert in_use["detail"].startswith("by another chatforge process")


@pytest.fixture
def flows(flow, load, sandbox, tmp_path) -> Callable[..., Finding]:
    """What is found of the flows at a path."""
    return lambda path=flow, **change: check_flows(
        tmp_path / path, registry.load(), load(**settings_of(sandbox) | change)
    )


def test_flows_are_checked_with_the_connections_that_they_use(flows, flow, tmp_path):
    assert flows().detail == f"1 flow in {tmp_path / flow}, with chatforge/default, contacts/default"


def test_flows_with_problems_fail(flows, flow, tmp_path):
    (tmp_path / flow).rename(tmp_path / "good.yaml")
    (tmp_path / "bad.yaml").write_text("name: x\n")
    found = flows(".")
    assert (found.status, found.detail, code_of(found.error)) == ("fail", f"1 of 2 flows in {tmp_path} has problems", 1)


@pytest.mark.parametrize(
    ("path", "change", "detail"),
    [
        pytest.param("leads.yaml", {"CHATFORGE_WEBHOOK_SECRET": ""}, "the ChatForge webhook secret is", id="no secret"),
        pytest.param("nowhere", {}, "there is no file '{folder}/nowhere'", id="no file"),
    ],
)
def test_flows_that_the_server_would_refuse_fail(flows, tmp_path, path, change, detail):
    found = flows(path, **change)
    assert (found.status, code_of(found.error)) == ("fail", 2)
    assert found.detail.startswith(detail.format(folder=tmp_path))


def test_first_failure_decides_the_exit_code(examine, sandbox):
    environment = settings_of(sandbox) | {"CHATFORGE_API_KEY": KEY}
    assert examine("--port", "0", "--flows", "nowhere", **environment).code == 3


def test_agent_without_probe_is_wrong_use(chatforge):
    result = chatforge("doctor", "--agent", "x")
    assert result.error == "error: --agent is for --probe; give both\n"
    assert result.code == 2
