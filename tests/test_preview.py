"""The request that an action would send, which is not sent."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from connector import settings
from connector.adapter import Adapter
from connector.declare import Action, ActionContext, ConnectionType
from connector.errors import InputError
from connector.preview import Preview
from connector.registry import Registry
from connector.transport import HttpOptions


class Note(BaseModel):
    text: str = ""


class Account(BaseModel):
    url: str
    key: SecretStr


@pytest.fixture
def service() -> Iterator[tuple[str, list[str]]]:
    """An address, and the paths of the requests that came there."""
    came: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", came
    server.shutdown()
    thread.join()
    server.server_close()


def preview(folder, run: Any, url: str, text: str = "hi", *, with_http: bool = True) -> Preview | None:
    http = (lambda account: HttpOptions(account.url)) if with_http else None
    values = {"url": url, "key": SecretStr("s3cret-key")}
    connection = ConnectionType(Account, "", "", lambda _settings: values, http=http)
    action = Action("test.send", "", "", "once", "action", Note, Note, {}, run)
    registry = Registry({"test.send": action}, {}, {"test": connection})

    async def ask() -> Preview | None:
        async with Adapter(registry, settings.load(folder, environ={})) as adapter:
            return await adapter.preview("test.send", {"text": text})

    return asyncio.run(ask())


async def send_twice(input: Note, context: ActionContext[Account]) -> Note:
    query = {"key": context.connection.key.get_secret_value()}
    for path in ("first", "second"):
        with suppress(Exception):  # as a careless plugin does
            await context.http.post(path, params=query, json={"t": input.text})
    return Note()


def test_first_request_is_told_and_none_is_sent(service, tmp_path):
    url, came = service
    seen = preview(tmp_path, send_twice, url)
    assert seen == Preview("POST", f"{url}/first?key=[secret]", '{"t":"hi"}')
    assert came == []


def test_body_hides_the_secrets(service, tmp_path):
    seen = preview(tmp_path, send_twice, service[0], "it is s3cret-key")
    assert seen
    assert seen.body == '{"t":"it is [secret]"}'


def test_action_that_sends_nothing_has_no_request(service, tmp_path):
    async def fail(input: Note, context: ActionContext[Account]) -> Note:
        raise ValueError("oops")

    assert preview(tmp_path, fail, service[0]) is None


def test_action_that_is_not_reached_by_http_is_not_run(service, tmp_path):
    ran = []

    async def write(input: Note, context: ActionContext[Account]) -> Note:
        ran.append(input.text)
        return Note()

    assert preview(tmp_path, write, service[0], with_http=False) is None
    assert ran == []


def test_input_that_does_not_fit_is_told(service, tmp_path):
    with pytest.raises(InputError, match=r"the input of test\.send does not fit: text"):
        preview(tmp_path, send_twice, service[0], 7)  # type: ignore[arg-type]
