"""Webhooks at a listener of their own, and every route of both: what is answered to whom has not logged in.

The routes are those of the app itself, so that a new one is asked too.
"""

import re
import socket
from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest
from server.conftest import Server, environment_of, serving
from starlette.routing import Route

from connector.chatforge.webhooks import SIGNATURE_HEADER, sign
from connector.sandbox.server import running
from connector.server.access import Access
from connector.server.app import Apart, create_app
from connector.server.web import Web

PASSWORD = "open sesame"
NOTHING = cast("Any", None)
OPEN = {"/login", "/static/{name}", "/healthz", "/readyz"}
"""What needs no login; /logout does, though with another answer."""
APP = cast("Apart", create_app(NOTHING, NOTHING, Web(NOTHING, Access(PASSWORD), NOTHING).routes(), webhooks_port=1))


def routes_of(app: Any) -> list[Any]:
    """Each path with each of its methods, as a test that asks for it; HEAD is answered as GET."""
    return [
        pytest.param(method, route.path, id=f"{method} {route.path}")
        for route in app.routes
        if isinstance(route, Route)
        for method in sorted((route.methods or {"GET"}) - {"HEAD"})
    ]


def fill(path: str) -> str:
    return re.sub(r"\{\w+\}", "app.css" if path.startswith("/static") else "chatforge", path)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running() as sandbox:
        environment = environment_of(sandbox) | {"CHATFORGE_PASSWORD": PASSWORD}
        made = Server(tmp_path_factory.mktemp("server"), environment)
        with serving(made, "--webhooks-port", "0") as started:
            yield started


@pytest.fixture(scope="module")
def webhooks(server: Server) -> str:
    assert server.process
    assert server.process.stdout
    found = re.search(r"also on +(\S+), for webhooks alone", server.process.stdout.readline())
    assert found
    return found[1]


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=20) as client:
        yield client


@pytest.mark.parametrize(("method", "path"), [one for one in routes_of(APP.others) if one.id != "POST /login"])
def test_route_needs_a_login(server, client, method, path):
    answer = client.request(method, server.address + fill(path))
    if path in OPEN:
        assert answer.status_code == 200
    elif path.startswith("/api/") or path in ("/metrics", "/changes"):
        assert (answer.status_code, answer.json()) == (401, {"error": "log in to see this page"})
    else:
        shown = fill(path) if method == "GET" else fill(path).rpartition("/")[0] or "/"  # a change has no page
        assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={shown}")


@pytest.mark.parametrize(("method", "path"), routes_of(APP.others))
def test_route_is_not_answered_under_another_name(server, client, method, path):
    known = {"Authorization": f"Bearer {PASSWORD}", "Host": "evil.example.com"}
    answer = client.request(method, server.address + fill(path), headers=known)
    assert answer.status_code == (200 if path in OPEN - {"/login"} else 421)


@pytest.mark.parametrize(("method", "path"), [one for one in routes_of(APP.others) if one.values[0] == "POST"])
def test_change_that_another_site_asks_for_is_refused_though_somebody_is_logged_in(server, client, method, path):
    login = client.post(f"{server.address}/login", data={"password": PASSWORD})
    session = {"Cookie": login.headers["set-cookie"].partition(";")[0]}
    token = client.get(f"{server.address}/api/token", headers=session).json()["token"]
    headers = {**session, "X-ChatForge-Token": token, "Origin": "http://evil.example.com"}
    if path.startswith("/api/"):
        answer = client.request(method, server.address + fill(path), headers=headers, json={})
    else:
        form = {"token": token, "password": PASSWORD}
        answer = client.request(method, server.address + fill(path), headers=headers, data=form)
    assert answer.status_code == 403
    assert "this change was asked for by another site" in answer.text


@pytest.mark.parametrize(("method", "path"), [one for one in routes_of(APP.others) if one.values[1] != "/healthz"])
def test_webhooks_listener_has_nothing_else(webhooks, client, method, path):
    known = {"Authorization": f"Bearer {PASSWORD}", "Host": "localhost"}
    assert client.request(method, webhooks + fill(path), headers=known).status_code == 404


@pytest.mark.parametrize(("method", "path"), [one for one in routes_of(APP.webhooks) if one.values[1] != "/healthz"])
def test_other_listener_has_no_webhooks(server, client, method, path):
    assert client.request(method, server.address + fill(path)).status_code == 404


def test_webhook_comes_in_at_its_own_listener_whatever_host_it_names(server, webhooks, client):
    body = b'{"event": "lead.captured", "data": {"visitor_phone": "1"}}'
    secret = server.environment["CHATFORGE_WEBHOOK_SECRET"]
    own = server.address.removeprefix("http://")
    headers = {SIGNATURE_HEADER: sign(body, secret), "Host": own}
    answer = client.post(f"{webhooks}/webhooks/chatforge", content=body, headers=headers)
    assert answer.status_code == 202
    for address in (server.address, webhooks):
        assert client.get(f"{address}/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--webhooks-host", "0.0.0.0"], "--webhooks-host 0.0.0.0 is the address of --webhooks-port; give that too"),
        (["--webhooks-port", "TAKEN"], "choose another address with --webhooks-host and --webhooks-port"),
        (["--port", "FREE", "--webhooks-port", "FREE", "--webhooks-host", "127.0.0.2"], "is the port of the pages too"),
        (["--webhooks-port", "1", "--webhooks-host", "192.0.2.1"], "cannot listen on 192.0.2.1:1"),
    ],
    ids=["no port", "taken", "that of the pages", "no address of this machine"],
)
def test_listener_that_cannot_be_had_is_refused(server, tmp_path, options, said):
    with socket.create_server(("127.0.0.1", 0)) as free:
        numbers = {"TAKEN": server.address.rpartition(":")[2], "FREE": str(free.getsockname()[1])}
    other = Server(tmp_path, server.environment)
    other.launch("--port", "0", *[numbers.get(option, option) for option in options])
    assert other.process
    other.process.communicate(timeout=20)
    assert other.process.returncode == 2
    assert said in " ".join(other.log().split())
