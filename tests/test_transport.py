"""Failures are provoked for real: loopback servers that refuse, cut, stall, drip and inflate."""

import asyncio
import gzip
import os
import socket
import ssl
import struct
import traceback
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest

from connector.answers import MAX_BODY
from connector.errors import NetworkError, SettingsError
from connector.exchanges import Exchange
from connector.transport import Engine, HttpOptions, Purpose, open_client, open_transport

SECRET = "cf_canary_key"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: session=1\r\n\r\n{}"

# A key that signs only the certificate below, which nobody trusts who is not told to.
UNTRUSTED = """-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAeoF8d2c4AeGbtZz
wtZBc33QRFWQdu7JLCXXIEK9EVKhRANCAASVPoSK0VyAM/L2dnr+ROdj3/kNmdLF
BPJaf0xo206whtNDQhf05MT3clkco5BB3OuqJAugNlxnK0ngMCFBtgnd
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBjzCCATagAwIBAgIUcN2qQSjMjte0tCBIoft0yiHQthQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjE0MjYxMloYDzIxMjYxMDI5
MTQyNjEyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASVPoSK0VyAM/L2dnr+ROdj3/kNmdLFBPJaf0xo206whtNDQhf05MT3
clkco5BB3OuqJAugNlxnK0ngMCFBtgndo2QwYjAdBgNVHQ4EFgQUQrBC37L2IiPz
sLOFRFgIJUQqBWgwHwYDVR0jBBgwFoAUQrBC37L2IiPzsLOFRFgIJUQqBWgwDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0cAMEQC
IEKePqmMmNDVMA0NkehOzgCak/ERkEFuFdnWMiqlm5EmAiBrsn2qmtlIXJDKyfV1
wIy/ZXXYHhomrLbuNF16yuguaQ==
-----END CERTIFICATE-----
"""


class ScriptedServer:
    """Treats the n-th request that it is sent, over all connections, by the n-th item of `script`.

    bytes are sent as the answer, and the connection is kept; `cut(…)` sends bytes and ends the connection;
    "unread" ends the connection without reading the request; "stall" answers nothing until the client leaves;
    "garble" writes plain text into an encrypted connection.
    """

    def __init__(self, *script: object) -> None:
        self.script = list(script)
        self.requests: list[bytes] = []
        self.connections = 0
        self.left = asyncio.Event()
        self.changed = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        fresh = True
        try:
            while await self.treat(reader, writer, fresh):
                fresh = False
        except (asyncio.IncompleteReadError, ConnectionError):
            self.left.set()
        finally:
            writer.close()

    async def wait_for_requests(self, number: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.requests) == number)

    async def treat(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fresh: bool) -> bool:
        if self.script[:1] == ["unread"]:
            if not fresh:  # on a reused connection the client must have begun to send
                await reader.readexactly(1)
            self.script.pop(0)
            return False
        self.requests.append(await read_request(reader))
        async with self.changed:
            self.changed.notify_all()
        item = self.script.pop(0)
        if item == "stall":
            await reader.readexactly(1)
        if item == "garble":
            os.write(writer.get_extra_info("socket").fileno(), b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            await reader.read(1)
            return False
        if isinstance(item, Cut):
            writer.write(item.sent)
            await writer.drain()
            if item.reset:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return False
        assert isinstance(item, bytes)
        writer.write(item)
        await writer.drain()
        return True


class Cut:
    def __init__(self, sent: bytes, reset: bool = False) -> None:
        self.sent, self.reset = sent, reset


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.split(b":")[1]))
    return head


@asynccontextmanager
async def running(server: ScriptedServer, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    async with listener:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{listener.sockets[0].getsockname()[1]}"


class Slots:
    """A budget that grants at once and notes what becomes of each slot."""

    def __init__(self) -> None:
        self.taken: list[Purpose] = []
        self.ends: list[str] = []

    limit = 100

    async def aclose(self) -> None: ...

    async def take(self, purpose: Purpose) -> "RecordedSlot":
        self.taken.append(purpose)
        return RecordedSlot(self.ends)


class RecordedSlot:
    def __init__(self, ends: list[str], name: str = "") -> None:
        self._ends, self._name = ends, name

    def answered(self, response: httpx.Response | None) -> None:
        self._ends.append(self._name + (f"answered {response.status_code}" if response else "not seen"))

    def lost(self) -> None:
        self._ends.append(self._name + "lost")

    def unused(self) -> None:
        self._ends.append(self._name + "unused")


@asynccontextmanager
async def client_to(
    url: str,
    engine: Engine,
    slots: Slots | None = None,
    *,
    reads: bool = False,
    told: Callable[[Exchange], None] = lambda _exchange: None,
    **limits: Any,
) -> AsyncIterator[httpx.AsyncClient]:
    options = HttpOptions(url, {"Authorization": f"Bearer {SECRET}"}, base_url_setting="BASE_URL", **limits)
    transport = open_transport(options, engine)
    try:
        async with open_client(options, transport, slots, reads=reads, told=told) as client:
            yield client
    finally:
        await transport.aclose()


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 30))


Tls = tuple[ssl.SSLContext, ssl.SSLContext]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """For a server with the certificate above, and for a client that trusts it."""
    pem = tmp_path_factory.mktemp("tls") / "untrusted.pem"
    pem.write_text(UNTRUSTED)
    at_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    at_server.load_cert_chain(pem)
    return at_server, ssl.create_default_context(cafile=pem)


engines = pytest.mark.parametrize("engine", ["aiohttp", "httpx"])
PARTIAL_HEADERS = b"HTTP/1.1 200 OK\r\nContent-Le"
PARTIAL_BODY = b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"message":'
POINTS = {
    "before_reading": ("unread", 0),
    "after_reading": (Cut(b""), 1),
    "after_reading_reset": (Cut(b"", reset=True), 1),
    "in_headers": (Cut(PARTIAL_HEADERS), 1),
    "in_headers_reset": (Cut(PARTIAL_HEADERS, reset=True), 1),
    "in_body": (Cut(PARTIAL_BODY), 1),
    "in_body_reset": (Cut(PARTIAL_BODY, reset=True), 1),
}


@engines
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("reused", [False, True], ids=["fresh", "reused"])
@pytest.mark.parametrize("point", POINTS)
def test_connection_cut_is_unknown_and_sent_once(engine: Engine, method: str, reused: bool, point: str) -> None:
    async def scenario() -> None:
        cut, seen = POINTS[point]
        server, slots = ScriptedServer(*[OK] * reused, cut, OK), Slots()
        async with running(server) as url, client_to(url, engine, slots) as client:
            if reused:
                await client.request(method, "", content=b"first")
            with pytest.raises(NetworkError) as caught:
                await client.request(method, "", content=b"second")
            assert server.connections == 1
            assert len(server.requests) == reused + seen
            assert (caught.value.processed, caught.value.transient) == ("unknown", True)
            assert (await client.request(method, "", content=b"third")).status_code == 200
        assert [request[-5:] for request in server.requests].count(b"econd") == seen
        assert slots.ends == ["answered 200"] * reused + ["lost", "answered 200"]

    run(scenario)


ENCRYPTED_CUTS = {name: item for name, (item, seen) in POINTS.items() if seen} | {"garbled": "garble"}


@engines
@pytest.mark.parametrize("reused", [False, True], ids=["fresh", "reused"])
@pytest.mark.parametrize("cut", ENCRYPTED_CUTS.values(), ids=ENCRYPTED_CUTS)
def test_encrypted_connection_cut_is_unknown_and_sent_once(engine: Engine, reused: bool, cut: object, tls: Tls) -> None:
    async def scenario() -> None:
        server, (at_server, at_client) = ScriptedServer(*[OK] * reused, cut, OK), tls
        async with running(server, at_server) as url, client_to(url, engine, tls=at_client) as client:
            if reused:
                await client.post("", content=b"first")
            with pytest.raises(NetworkError) as caught:
                await client.post("", content=b"second")
            assert (caught.value.processed, caught.value.transient) == ("unknown", True)
            assert (await client.post("", content=b"third")).status_code == 200
        assert [request[-5:] for request in server.requests].count(b"econd") == 1

    run(scenario)


BEFORE_THE_ANSWER = ["before_reading", "after_reading", "after_reading_reset"]


@engines
@pytest.mark.parametrize("point", BEFORE_THE_ANSWER)
def test_read_that_met_a_closing_connection_is_sent_again_in_a_slot_of_its_own(engine: Engine, point: str) -> None:
    async def scenario() -> None:
        server, slots = ScriptedServer(OK, POINTS[point][0], OK), Slots()
        async with running(server) as url, client_to(url, engine, slots, reads=True) as client:
            await client.get("")
            assert (await client.get("")).status_code == 200
        assert server.connections == 2
        assert slots.ends == ["answered 200", "lost", "answered 200"]

    run(scenario)


@engines
@pytest.mark.parametrize(
    ("method", "script", "slots_of_the_last"),
    [
        pytest.param("GET", [Cut(b"")], ["lost"], id="fresh"),
        pytest.param("GET", [OK, Cut(PARTIAL_BODY)], ["lost"], id="in the answer"),
        pytest.param("POST", [OK, Cut(b"")], ["lost"], id="not safe"),
        pytest.param("GET", [OK, Cut(b""), Cut(b"")], ["lost", "lost"], id="again"),
    ],
)
def test_read_is_not_sent_again_otherwise(
    engine: Engine, method: str, script: list[object], slots_of_the_last: list[str]
) -> None:
    async def scenario() -> None:
        server, slots = ScriptedServer(*script, OK), Slots()
        async with running(server) as url, client_to(url, engine, slots, reads=True) as client:
            if script[0] == OK:
                await client.request(method, "")
            with pytest.raises(NetworkError):
                await client.request(method, "")
        assert slots.ends[-len(slots_of_the_last) :] == slots_of_the_last
        assert len(slots.ends) == (script[0] == OK) + len(slots_of_the_last)

    run(scenario)


@engines
@pytest.mark.parametrize(("method", "hint"), [("GET", False), ("POST", True)])
def test_cut_names_place_and_doubt_but_no_secret(engine: Engine, method: str, hint: bool) -> None:
    async def scenario() -> None:
        async with running(ScriptedServer(Cut(b""))) as url, client_to(url, engine) as client:
            with pytest.raises(NetworkError) as caught:
                await client.request(method, "")
        text = str(caught.value)
        assert text.startswith(f"{url.removeprefix('http://')} closed or broke the connection before its answer")
        assert ("may have carried out the request" in text) is hint
        assert SECRET not in text

    run(scenario)


@engines
def test_answer_that_is_not_http_is_unknown_and_shows_no_secret(engine: Engine) -> None:
    async def scenario() -> None:
        async with running(ScriptedServer(b"SSH-2.0-banana\r\n\r\n", OK)) as url, client_to(url, engine) as client:
            with pytest.raises(NetworkError, match="closed or broke the connection") as caught:
                await client.post("", content=b"x")
            assert (await client.post("", content=b"x")).status_code == 200
        assert caught.value.processed == "unknown"
        assert SECRET not in "".join(traceback.format_exception(caught.value))

    run(scenario)


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@engines
@pytest.mark.parametrize(
    ("place", "reason"),
    [
        pytest.param("127.0.0.1", "connection refused; check BASE_URL and your network", id="refused"),
        pytest.param("localhost", "connection refused; check BASE_URL and your network", id="refused-any-address"),
        pytest.param("name.invalid", "", id="no-such-name"),
    ],
)
def test_no_connection_is_not_processed(engine: Engine, place: str, reason: str) -> None:
    async def scenario() -> None:
        slots, port = Slots(), closed_port()
        async with client_to(f"http://{place}:{port}/api", engine, slots) as client:
            with pytest.raises(NetworkError) as caught:
                await client.post("", content=b"x")
        assert str(caught.value).startswith(f"cannot reach {place}:{port}: {reason}")
        assert (caught.value.processed, caught.value.transient) == ("no", True)
        assert slots.ends == ["not seen"]

    run(scenario)


@engines
def test_server_without_tls_is_not_processed(engine: Engine) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(OK)
        writer.close()

    async def scenario() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as listener:
            port = listener.sockets[0].getsockname()[1]
            async with client_to(f"https://127.0.0.1:{port}", engine) as client:
                with pytest.raises(NetworkError, match="the TLS handshake failed") as caught:
                    await client.post("", content=b"x")
        assert (caught.value.processed, caught.value.transient) == ("no", True)

    run(scenario)


@engines
def test_handshake_cut_is_not_processed(engine: Engine) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.transport.abort()

    async def scenario() -> None:
        async with await asyncio.start_server(cut, "127.0.0.1", 0) as listener:
            port = listener.sockets[0].getsockname()[1]
            async with client_to(f"https://127.0.0.1:{port}", engine) as client:
                with pytest.raises(NetworkError, match="cannot reach") as caught:
                    await client.post("", content=b"x")
        assert (caught.value.processed, caught.value.transient) == ("no", True)

    run(scenario)


@engines
def test_untrusted_certificate_is_not_processed_and_not_worth_a_retry(engine: Engine, tls: Tls) -> None:
    async def scenario() -> None:
        server = ScriptedServer(OK)
        async with running(server, tls[0]) as url, client_to(url, engine) as client:
            with pytest.raises(NetworkError, match="its TLS certificate is not trusted") as caught:
                await client.post("", content=b"x")
        assert (caught.value.processed, caught.value.transient) == ("no", False)
        assert server.requests == []

    run(scenario)


@engines
def test_full_pool_is_not_processed(engine: Engine) -> None:
    async def scenario() -> None:
        server, slots = ScriptedServer(*["stall"] * 100), Slots()
        async with running(server) as url:
            options = HttpOptions(url)
            transport = open_transport(options, engine)
            patient = open_client(options, transport)
            hanging = [asyncio.create_task(patient.post("", content=b"x")) for _ in range(100)]
            await server.wait_for_requests(100)
            hasty = open_client(HttpOptions(url, connect_timeout=0.05), transport, slots)
            with pytest.raises(NetworkError, match="no connection in time") as caught:
                await hasty.post("", content=b"one too many")
            assert (caught.value.processed, caught.value.transient) == ("no", True)
            assert slots.ends == ["not seen"]
            for task in hanging:
                task.cancel()
            await asyncio.gather(*hanging, return_exceptions=True)
            await transport.aclose()

    run(scenario)


@engines
def test_connection_that_is_never_made_is_not_processed(engine: Engine) -> None:
    async def scenario() -> None:
        slots = Slots()
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as waiting:
            for _ in range(3):  # as many as the machine keeps for whoever listens; it answers nobody else
                caller = waiting.enter_context(socket.socket())
                caller.setblocking(False)
                caller.connect_ex(full.getsockname())
            url = f"http://127.0.0.1:{full.getsockname()[1]}"
            async with client_to(url, engine, slots, connect_timeout=0.2) as client:
                with pytest.raises(NetworkError, match="no connection in time") as caught:
                    await client.post("", content=b"x")
        assert (caught.value.processed, caught.value.transient) == ("no", True)
        assert slots.ends == ["not seen"]

    run(scenario)


@engines
@pytest.mark.parametrize(
    ("item", "limits", "sentence"),
    [
        pytest.param("stall", {"read_timeout": 0.1}, "was silent for 0.1 s", id="no-answer"),
        pytest.param("stall", {"total_timeout": 0.3}, "did not finish its answer within 0.3 s", id="total"),
        pytest.param(PARTIAL_BODY, {"read_timeout": 0.1}, "was silent for 0.1 s", id="half-a-body"),
        pytest.param(PARTIAL_BODY, {"total_timeout": 0.3}, "did not finish its answer", id="drip"),
    ],
)
def test_late_answer_is_unknown(engine: Engine, item: object, limits: dict[str, float], sentence: str) -> None:
    async def scenario() -> None:
        server, slots = ScriptedServer(item), Slots()
        async with running(server) as url, client_to(url, engine, slots, **limits) as client:
            with pytest.raises(NetworkError, match=sentence) as caught:
                await client.post("", content=b"x")
            await server.left.wait()
        assert (caught.value.processed, caught.value.transient) == ("unknown", True)
        assert slots.ends == ["lost"]
        assert len(server.requests) == 1

    run(scenario)


@engines
@pytest.mark.parametrize("item", ["stall", PARTIAL_BODY], ids=["before-answer", "in-body"])
def test_cancelled_request_is_told_and_frees_slot_and_connection(engine: Engine, item: object) -> None:
    async def scenario() -> None:
        server, slots, made = ScriptedServer(item), Slots(), list[Exchange]()
        async with running(server) as url, client_to(url, engine, slots, told=made.append) as client:
            call = asyncio.create_task(client.post("", content=b"x"))
            await server.wait_for_requests(1)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await server.left.wait()
        assert slots.ends == ["lost"]
        assert [(one.response, (one.error or "")[:13]) for one in made] == [(None, "no answer had")]

    run(scenario)


def answer_with(body: bytes, headers: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


EMPTY_BLOCKS = zlib.compress(b"")[:2] + b"\x00\x00\x00\xff\xff" * (MAX_BODY // 5) + zlib.compress(b"")[2:]


@engines
@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        pytest.param(answer_with(b" " * (MAX_BODY + 1)), "more than 5 MB", id="plain"),
        pytest.param(
            answer_with(gzip.compress(bytes(50_000_000)), "Content-Encoding: gzip\r\n"),
            "packed more than 100 to one",
            id="bomb",
        ),
        pytest.param(answer_with(b"{}", "Content-Encoding: gzip\r\n"), "cannot be decompressed", id="no-gzip"),
        pytest.param(
            answer_with(gzip.compress(b"{}")[:-1], "Content-Encoding: gzip\r\n"), "without its end", id="half-gzip"
        ),
        pytest.param(answer_with(b"{}", "Content-Encoding: br\r\n"), "encoding 'br'", id="not-asked-for"),
        pytest.param(
            answer_with(gzip.compress(b"{}") + b"x", "Content-Encoding: gzip\r\n"), "sent more after", id="after-gzip"
        ),
        pytest.param(
            answer_with(gzip.compress(b"{}") + gzip.compress(b"{}"), "Content-Encoding: gzip\r\n"),
            "sent more after",
            id="second-gzip",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (gzip.compress(b"{}"), b"x" * 70_000))
            + b"0\r\n\r\n",
            "sent more after",
            id="chunk-after-gzip",
        ),
        pytest.param(
            answer_with(EMPTY_BLOCKS, "Content-Encoding: deflate\r\n"), "more than 5 MB", id="much-for-little"
        ),
    ],
)
def test_unreadable_answer_is_unknown_and_final(engine: Engine, answer: bytes, sentence: str) -> None:
    async def scenario() -> None:
        async with running(ScriptedServer(answer, OK)) as url, client_to(url, engine) as client:
            with pytest.raises(NetworkError, match=sentence) as caught:
                await client.get("")
            assert (await client.get("")).content == b"{}"
        assert (caught.value.processed, caught.value.transient) == ("unknown", False)

    run(scenario)


@engines
@pytest.mark.parametrize(
    ("answer", "body"),
    [
        pytest.param(answer_with(b"x" * MAX_BODY), b"x" * MAX_BODY, id="longest"),
        pytest.param(answer_with(gzip.compress(b"[1]"), "Content-Encoding: GZip\r\n"), b"[1]", id="gzip"),
        pytest.param(answer_with(zlib.compress(b"[1]"), "Content-Encoding: deflate\r\n"), b"[1]", id="deflate"),
        pytest.param(answer_with(b"", "Content-Encoding: gzip\r\n"), b"", id="empty"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n0\r\n\r\n", b"[1]", id="chunked"
        ),
    ],
)
def test_readable_answer_arrives_whole(engine: Engine, answer: bytes, body: bytes) -> None:
    async def scenario() -> None:
        async with running(ScriptedServer(answer)) as url, client_to(url, engine) as client:
            assert (await client.get("")).content == body

    run(scenario)


@engines
def test_body_of_a_success_is_not_kept_with_its_request(engine: Engine) -> None:
    async def scenario() -> None:
        server, made = ScriptedServer(OK), list[Exchange]()
        async with running(server) as url, client_to(url, engine, told=made.append) as client:
            assert (await client.get("")).content == b"{}"
        assert [one.response and (one.response.status_code, one.response.content) for one in made] == [(200, b"")]

    run(scenario)


@engines
def test_redirects_and_cookies_are_not_followed(engine: Engine) -> None:
    async def scenario() -> None:
        moved = b"HTTP/1.1 302 Found\r\nLocation: /\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
        server = ScriptedServer(moved, OK)
        async with running(server) as url:
            options = HttpOptions(url.replace("127.0.0.1", "localhost"))  # aiohttp keeps no cookies of addresses
            transport = open_transport(options, engine)
            async with open_client(options, transport) as client:
                assert (await client.get("")).headers["location"] == "/"
            async with open_client(options, transport) as client:  # closing the first left the transport open
                await client.get("")
            await transport.aclose()
        assert len(server.requests) == 2
        assert server.connections == 1
        assert b"cookie" not in server.requests[1].lower()

    run(scenario)


@engines
@pytest.mark.parametrize("location", [b"/a\x7fb", b"http://[::1"], ids=["control-character", "host"])
def test_redirect_to_an_unusable_address_is_an_answer_like_others(engine: Engine, location: bytes) -> None:
    async def scenario() -> None:
        moved = b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % location
        async with running(ScriptedServer(moved)) as url, client_to(url, engine) as client:
            response = await client.get("")
        assert (response.status_code, response.headers["location"]) == (302, location.decode())

    run(scenario)


@engines
def test_proxy_of_the_environment_is_ignored(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")

    async def scenario() -> None:
        async with running(ScriptedServer(OK)) as url, client_to(url, engine) as client:
            assert (await client.get("")).status_code == 200

    run(scenario)


def test_half_a_character_in_json_is_replaced() -> None:
    async def scenario() -> None:
        server = ScriptedServer(OK)
        async with running(server) as url:
            transport = open_transport(options := HttpOptions(url))
            async with open_client(options, transport) as client:
                await client.post("", json={"a\ud83d": ["b\udc00", "\ud83d\ude00"]})
            await transport.aclose()
        assert server.requests[0].endswith('{"a\ufffd":["b\ufffd","😀"]}'.encode())

    run(scenario)


def test_handed_in_slot_serves_the_first_request_only() -> None:
    async def scenario() -> None:
        slots = Slots()
        async with running(ScriptedServer(OK, OK)) as url:
            options = HttpOptions(url)
            transport = open_transport(options)
            handed = RecordedSlot(slots.ends, "handed-in ")
            async with open_client(options, transport, slots, "takeover", handed) as client:
                await client.get("")
                await client.get("")
            await transport.aclose()
        assert slots.ends == ["handed-in answered 200", "answered 200"]
        assert slots.taken == ["takeover"]

    run(scenario)


def test_handed_in_slot_is_given_back_when_nothing_is_sent() -> None:
    async def scenario() -> None:
        slots, options = Slots(), HttpOptions("http://127.0.0.1:1")
        transport = open_transport(options)
        async with open_client(options, transport, slots, slot=RecordedSlot(slots.ends)):
            pass
        await transport.aclose()
        assert slots.ends == ["unused"]

    run(scenario)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "chatforge.example/api",
        "ftp://h/x",
        "https://",
        "http://h/a?b=c",
        "http://h/a#b",
        "http://[::1",
        "http://h:x/",
    ],
)
def test_unusable_base_url_names_its_setting(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        HttpOptions(url, base_url_setting="CHATFORGE_BASE_URL")
    assert str(caught.value).startswith(f"CHATFORGE_BASE_URL is {url!r}; write http://host/path")


def test_base_url_with_password_is_refused_without_showing_it() -> None:
    with pytest.raises(SettingsError) as caught:
        HttpOptions("https://ann:hunter2@h.example/")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", ["a\nb", "“a”", " a", "a ", ""])
def test_unsendable_header_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(SettingsError, match="'Authorization'") as caught:
        HttpOptions("https://h.example/", {"Authorization": f"{value}{SECRET}{value}" if value else ""})
    assert SECRET not in str(caught.value)


def test_options_repr_hides_headers() -> None:
    assert SECRET not in repr(HttpOptions("https://h.example/", {"Authorization": SECRET}))
