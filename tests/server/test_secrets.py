"""No secret gets out of a server, whatever the other sides say back, and whatever somebody sends to it.

What it has stored is plain text and JSON.

Each secret has a core of letters and digits, which no escaping of URLs, JSON, HTML, Python or a shell changes, between
characters that all of them do change: what hides only the plain text of a secret leaves the core of another form.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import loopback
import pytest
from cli.forked import Forks
from loopback import Reply, Request
from plugins import mail_server
from server.conftest import Server, environment_of, serving
from server.many_kinds import STATUSES, VISITORS, write_flows

from connector.chatforge.webhooks import SIGNATURE_HEADER, sign
from connector.runs.upkeep.tables import all_tables
from connector.sandbox import Sandbox, SandboxSettings
from connector.sandbox.server import running
from connector.server.web import PAGES

NAMES = ("API_KEY", "WEBHOOK_SECRET", "OLD_SECRET", "PASSWORD", "TOKEN", "BASIC", "HUBSPOT", "SLACK", "ALERTS", "MAIL")
CORES = {name: hashlib.sha256(name.encode()).hexdigest()[:20] for name in NAMES}
SECRETS = {name: f"""cf/{core}+"&'x""" for name, core in CORES.items()}
SECRETS["OLD_SECRET"] += "-" * 150  # so long that what is cut off is more than what hiding takes
CONNECTIONS = """\
crm: {connector: http, address: "ECHO", networks: [127.0.0.0/8], auth: {type: bearer, token: {env: TOKEN}}}
basic: {connector: http, address: "ECHO", networks: [127.0.0.0/8], auth: {type: basic, user: u, password: {env: BASIC}}}
hubspot: {connector: hubspot, address: "ECHO/denied", token: {env: HUBSPOT}}
slack: {connector: slack, address: "ECHO/broken", token: {file: slack_token}}
alerts: {connector: slack, webhook_url: {env: ALERTS}}
mail: {connector: email, host: 127.0.0.1, port: PORT, security: none, user: u, password: {env: MAIL}, from: a@b.com}
default: {connector: chatforge, api_key: {env: API_KEY}, webhook_secrets: [{env: WEBHOOK_SECRET}, {env: OLD_SECRET}]}
"""
CALLS = {
    **{f"{name}_{how}": f"uses: http.request, connection: {name}, with: {{url: /{how}}}"
       for name in ("crm", "basic") for how in ("done", "denied", "broken")},
    "hubspot": 'uses: hubspot.find_contact, connection: hubspot, with: {email: "a@example.com"}',
    "slack": 'uses: slack.post_message, connection: slack, with: {channel: "#a", text: a}',
    "alerts": "uses: slack.post_message, connection: alerts, with: {text: a}",
    "mail": 'uses: email.send, connection: mail, with: {to: ["b@example.com"], subject: a, text: a}',
    "chats": 'uses: chatforge.list_conversations, with: {agent_id: "${{ trigger.agent_id }}"}',
}  # fmt: skip
FLOW = """\
flow: leak
trigger: {uses: chatforge.lead_captured, if: trigger.visitor_name == 'Leak'}
steps:
"""
ON_ERROR = "continue_on_error: true, on_ambiguous: skip, retry: {max_attempts: 1}"
FAULTS = (
    {"status": 401, "body": {"error": f"the key {SECRETS['API_KEY']} is wrong"}},
    {"status": 500, "body": f"<html>{html.escape(SECRETS['API_KEY'])}</html>", "style": "html"},
)


def told(request: Request) -> str:
    """All that was sent, in each form in which somebody may say it back."""
    texts = [request.target, *request.headers.values(), request.body.decode()]
    forms = [json.dumps, quote, html.escape, repr, lambda text: base64.b64encode(text.encode()).decode(), str]
    return "\n".join(form(text) for text in texts for form in forms)


def echo(request: Request) -> Reply:
    if "/broken" in request.path:
        page = f"<html><title>{told(request)}</title><body>{told(request)}</body></html>"
        return Reply(page.encode(), 500, {"Content-Type": "text/html"})
    return Reply({"error": told(request), "message": told(request)}, 401 if "/denied" in request.path else 200)


@dataclass
class World:
    server: Server
    sandbox: Sandbox
    forks: Forks
    client: httpx.Client

    def ask(self, path: str, **more: Any) -> httpx.Response:
        return self.client.get(path, headers={"Authorization": f"Bearer {SECRETS['PASSWORD']}"}, **more)

    def run(self, *arguments: str) -> str:
        result = self.forks.run(arguments, self.server.environment, self.server.folder, 60)
        assert "Traceback" not in result.out + result.error, result.error
        return result.out + result.error


def write_flow() -> str:
    steps = (f"  - {{id: {name}, {call}, {ON_ERROR}}}\n" for name, call in CALLS.items())
    return FLOW + "".join(steps)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("server")
    with ExitStack() as stack:
        sandbox = stack.enter_context(
            running(SandboxSettings(api_key=SECRETS["API_KEY"], webhook_secret=SECRETS["WEBHOOK_SECRET"]))
        )
        other = stack.enter_context(loopback.serving(echo))
        mail = stack.enter_context(mail_server.answering({"AUTH": f"535 5.7.8 {SECRETS['MAIL']} is wrong"}))
        (folder / "flows").mkdir()
        (folder / "flows" / "leak.yaml").write_text(write_flow())
        write_flows(folder / "flows")
        connections = CONNECTIONS.replace("ECHO", other.url).replace("PORT", str(mail.port))
        (folder / "flows" / "connections.yaml").write_text(connections)
        (folder / "flows" / "slack_token").write_text(SECRETS["SLACK"])
        secrets = {name: value for name, value in SECRETS.items() if name not in ("SLACK", "PASSWORD")}
        secrets["ALERTS"] = f"{other.url}/denied/{CORES['ALERTS']}"
        settings = {
            **secrets,
            "PATH": environment_of(sandbox)["PATH"],
            "HOME": str(folder),
            "CHATFORGE_BASE_URL": sandbox.url,
            "CHATFORGE_DATABASE_URL": "sqlite:///runs.sqlite",
            "CHATFORGE_BUDGET_FILE": str(folder / "budget.sqlite"),
            "CHATFORGE_PASSWORD": SECRETS["PASSWORD"],
        }
        server = stack.enter_context(serving(Server(folder, settings, flows=folder / "flows")))
        client = stack.enter_context(httpx.Client(base_url=server.address, timeout=20))
        made = World(server, sandbox, stack.enter_context(Forks()), client)
        provoke(made)
        yield made


def provoke(world: World) -> None:
    """Runs that succeed and fail, deliveries and logins that are refused, tests of connections."""
    world.sandbox.webhook_url = f"{world.server.address}/webhooks/chatforge"
    for number, fault in enumerate(FAULTS):
        ordered = {"action": "v1-conversations", "times": 1, **fault}
        httpx.post(f"{world.sandbox.control_url}/faults", json=ordered).raise_for_status()
        visit(world, f"ann{number}@example.com", "Leak")
    for email, name in VISITORS.items():
        visit(world, email, name)
    known = json.dumps({"event": "other", "data": {}}).encode()
    for name in ("WEBHOOK_SECRET", "OLD_SECRET"):
        signed = {
            SIGNATURE_HEADER: sign(known, SECRETS[name]),
            "X-Secret": SECRETS[name],
            "X-Cut": "x" * 185 + SECRETS[name],
        }
        assert world.client.post("/webhooks/chatforge", headers=signed, content=known).status_code in (200, 202)
    for path, headers, body in deliveries():
        assert world.client.post(path, headers=headers, content=body).status_code == 401
    for given in (SECRETS["PASSWORD"][:-1], SECRETS["PASSWORD"] + "x"):
        assert world.client.post("/login", data={"password": given}).status_code == 401
        assert world.client.post("/api/runs/x/retry", headers={"Authorization": f"Bearer {given}"}).status_code == 401
    for name in ("chatforge/default", "hubspot/hubspot", "slack/slack", "email/mail"):
        assert world.ask("/connections", params={"test": name}).status_code == 200

    world.server.wait_for(lambda: statuses(world) == STATUSES | {"leak": ["succeeded", "succeeded"]})


def visit(world: World, email: str, name: str) -> None:
    visitor = {"visitor_email": email, "visitor_name": name, "messages": ["Hello"]}
    httpx.post(f"{world.sandbox.control_url}/visitors", json=visitor).raise_for_status()


def statuses(world: World) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for run in world.server.runs():
        found.setdefault(run.flow, []).append(run.status)
    return {flow: sorted(them) for flow, them in found.items()}


def deliveries() -> Iterator[tuple[str, Mapping[str, str], str]]:
    """What a sender sends that is set up wrongly."""
    for name in ("WEBHOOK_SECRET", "OLD_SECRET"):
        secret = SECRETS[name]
        for header in ("X-ChatForge-Signature", "Authorization", "X-Secret", "Cookie"):
            yield "/webhooks/chatforge", {header: secret}, "{}"
        for text in (json.dumps({"secret": secret}), quote(secret), secret * 500, "x" * 1_990 + secret):
            yield "/webhooks/chatforge", {}, text


def printed(world: World) -> Iterator[tuple[str, str]]:
    """What people and programs are shown."""
    runs, events = (world.ask(f"/api/{kind}").json()[kind] for kind in ("runs", "events"))
    ids = {
        "/runs/{id}": [run["id"] for run in runs],
        "/events/{id}": [event["id"] for event in events],
        "/flows/{id}": ["leak"],
    }
    for page in PAGES:
        for one in ids.get(page.path, [""])[:2]:
            path = page.path.replace("{id}", one)
            for asked in (path, f"/api{path}" if path != "/" else "/api/home"):
                yield asked, world.ask(asked).text
    for path in ("/metrics", "/login", "/api/openapi.json", "/readyz", "/nothing"):
        yield path, world.ask(path).text
    run, event = next(run["id"] for run in runs if run["flow"] == "leak"), events[-1]["id"]
    for command in (
        f"runs show {run}",
        f"runs show {run} --json",
        f"runs export {run} --as-test",
        f"events show {event}",
        "doctor --flows flows",
    ):
        yield command, world.run(*command.split())


def called(world: World) -> Iterator[tuple[str, str]]:
    """`chatforge --debug call` of each."""
    given = [
        ("http.request", "crm", '{"url": "/denied"}'),
        ("http.request", "basic", '{"url": "/broken"}'),
        ("http.request", "crm", '{"url": "/done"}'),
        ("hubspot.list_contacts", "hubspot", "{}"),
        ("slack.check_connection", "slack", "{}"),
        ("email.check_connection", "mail", "{}"),
    ]
    for action, name, text in given:
        command = ["--debug", "call", action, "--connection", name, "--input", text]
        yield " ".join(command), "".join(run_debug(world, command))


def run_debug(world: World, command: list[str]) -> tuple[str, str]:
    """In the folder of the flows, where their connections are."""
    result = world.forks.run(command, world.server.environment, world.server.folder / "flows", 60)
    return result.out, result.error


def stored(world: World) -> Iterator[tuple[str, str]]:
    """The files, but for that in which an operator keeps a secret."""
    for path in world.server.folder.rglob("*"):
        if path.is_file() and path.name != "slack_token":
            yield str(path.relative_to(world.server.folder)), path.read_bytes().decode("latin-1")


def forms(core: str) -> set[str]:
    """As it may stand in a text: also in base64, wherever it begins in what was encoded, and in hexadecimal digits."""
    found = {core[:16], core[4:], core.encode().hex()}
    for before in range(3):
        text = base64.b64encode(b"\0" * before + core.encode()).decode().rstrip("=")
        found.add(text[4:-4])
    return found


FORMS = {name: forms(core) for name, core in CORES.items()}


def found_in(text: str) -> list[str]:
    lower = text.lower()
    return [name for name, them in FORMS.items() if any(one in text or one.lower() in lower for one in them)]


def test_forms_are_found():
    for name, secret in SECRETS.items():
        for text in (secret, quote(secret), json.dumps(secret), base64.b64encode(f"u:{secret}".encode()).decode()):
            assert found_in(f"… {text} …") == [name]


@pytest.mark.parametrize("told", [printed, called, stored], ids=lambda told: told.__name__)
def test_no_secret_gets_out(world, told):
    leaks = [(place, names, excerpt(text, names)) for place, text in told(world) if (names := found_in(text))]
    assert leaks == []


def excerpt(text: str, names: list[str]) -> list[str]:
    """Where it is, for whoever reads the failure."""
    lower = text.lower()
    at = [lower.find(one.lower()) for name in names for one in FORMS[name] if one.lower() in lower]
    return [text[max(place - 60, 0) : place + 60] for place in at[:3]]


def test_what_was_provoked_has_happened(world):
    """The other sides did say the secrets back, and that is told without them."""
    log = world.server.log()
    assert "audit: a wrong password was given" in log
    assert log.count("refused a delivery to") == len(list(deliveries()))
    run = next(run for run in world.server.runs() if run.flow == "leak")
    steps = world.server.read(lambda journal: journal.steps(run.id))
    assert set(CALLS) <= set(steps)
    for name in ("crm_denied", "basic_denied", "hubspot", "alerts", "mail"):
        assert steps[name].error, name
    assert "[secret]" in json.dumps(steps["crm_done"].output)
    assert "[secret]" in json.dumps(steps["basic_done"].output)


WORD = re.compile(r"[\w.:@/+\[\] -]*")
"""An id, a name, a time, the path of a step or a person."""
OF_PYTHON = re.compile(r"\bconnector\.(?!yaml)\w+|<class |<function |<\w+ object|py/object|!!python|__\w+__|datetime\.")


def test_stored_state_is_plain_json(world):
    """In each column of each table: nothing that only this program, or only this version of it, could read."""
    seen = set()
    for table in all_tables():
        for row in world.server.query(f"SELECT * FROM {table.name}"):  # noqa: S608 - a name of ours
            for column in table.columns:
                value, place = row[column], f"{table.name}.{column}"
                seen.add(table.name)
                assert isinstance(value, str | int | float | None), place
                if isinstance(value, str):
                    assert not OF_PYTHON.search(value), (place, value)
                    assert WORD.fullmatch(value) or json.loads(value) is not None or value == "null", (place, value)
    assert {"events", "revisions", "runs", "starts", "steps", "awaited", "polls", "observed", "schedules"} <= seen
