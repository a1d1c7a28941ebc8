"""Requests reach declared hosts at public addresses, however an address is written or a name resolved."""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from loopback import Reply, Served, serving

from connector.errors import NetworkError, SettingsError
from connector.reach import Reach, RefusedAddressError
from connector.transport import Engine, HttpOptions, open_client, open_transport

FORMS = """
127.0.0.1 127.1 127.0.1 2130706433 0x7f000001 0x7f.0.0.1 0x7f.1 017700000001 0177.0.0.1 0177.1 127.0.0.1.
127.255.255.254 localhost LOCALHOST localhost. 0.0.0.0 0 00.0.0.0 １２７.０.０.１ ⑫７.0.0.1 %31%32%37.0.0.1
10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 0xa9fea9fe 100.64.0.1 192.0.0.1 192.0.2.1 192.88.99.1 198.18.0.1
198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
[::1] [0:0:0:0:0:0:0:1] [::] [::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:ffff:127.0.0.1] [::ffff:10.0.0.1]
[::ffff:0:127.0.0.1] [::127.0.0.1] [64:ff9b::127.0.0.1] [64:ff9b::a00:1] [64:ff9b:1::7f00:1] [2002:7f00:1::]
[2002:a00:1::1] [2002:a9fe:a9fe::] [2001::1] [2001:0:7f00:1::] [2001:10::1] [2001:db8::1] [3fff::1] [100::1] [5f00::1]
[fc00::1] [fd12:3456:789a::1] [fe80::1] [fec0::1] [ff02::1] [ff0e::1] [2a00:1450:4001::5efe:7f00:1]
[2a00:1450:4001::200:5efe:a00:1]
""".split()
PUBLIC = "93.184.216.34 2606:2800:220:1::1 64:ff9b::93.184.216.34 ::ffff:93.184.216.34 2002:5db8:d822::1".split()
ENGINES: list[Engine] = ["aiohttp", "httpx"]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(lambda _request: Reply(), "0.0.0.0") as running:
        yield running


def ask(url: str, engine: Engine, reach: Reach, loop: type[asyncio.SelectorEventLoop] | None = None) -> int:
    async def work() -> int:
        options = HttpOptions(url, connect_timeout=2, reach=reach)
        transport = open_transport(options, engine)
        try:
            async with open_client(options, transport) as client:
                return (await client.get("x")).status_code
        finally:
            await transport.aclose()

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(work())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("form", FORMS)
def test_address_that_is_not_public_is_not_reached(served, form, engine):
    port = httpx.URL(served.url).port
    with pytest.raises((NetworkError, SettingsError)) as caught:
        ask(f"http://{form}:{port}", engine, Reach())
    assert getattr(caught.value, "processed", "no") == "no"
    assert re.search(
        "not on the public internet|cannot be resolved|neither a name nor an address|expected|write http",
        str(caught.value),
    )
    assert not served.requests


@pytest.mark.parametrize("engine", ENGINES)
def test_refused_address_is_named_and_not_tried_again(served, engine):
    with pytest.raises(
        NetworkError,
        match=r"127\.0\.0\.1 is not on the public internet; where it is yours, write in the connection: networks",
    ) as caught:
        ask(served.url.replace("0.0.0.0", "127.0.0.1"), engine, Reach())
    assert not caught.value.transient


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_network_that_the_connection_names_is_reached(engine, host):
    networks = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1")]
    with serving(lambda _request: Reply()) as served:
        assert ask(served.url.replace("127.0.0.1", host), engine, Reach(networks)) == 200
        assert served.last.headers["host"].startswith(f"{host}:")


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_may_be_reached(address):
    Reach().require(address)


@pytest.mark.parametrize("address", ["::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "10.1.2.3"])
def test_network_holds_for_each_way_to_it(address):
    Reach([ipaddress.ip_network("10.0.0.0/8")]).require(address)
    with pytest.raises(RefusedAddressError):
        Reach([ipaddress.ip_network("10.2.0.0/16")]).require(address)


class Rebinding(asyncio.SelectorEventLoop):
    """Its names have another address each time, and at last the server's own."""

    asked = 0

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        Rebinding.asked += 1
        addresses = ["93.184.216.34", "127.0.0.1"] if Rebinding.asked > 1 else ["127.0.0.1"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]


@pytest.mark.parametrize("engine", ENGINES)
def test_name_with_one_address_that_is_not_public_is_not_reached(served, engine):
    for _ in range(3):
        with pytest.raises(NetworkError, match=r"127\.0\.0\.1 is not on the public internet"):
            ask(f"http://rebinding.example:{httpx.URL(served.url).port}", engine, Reach(), Rebinding)
    assert not served.requests


class OnceLoopback(asyncio.SelectorEventLoop):
    """A name that is asked for a second time leads elsewhere."""

    asked: list[str] = []  # noqa: RUF012 - of the one test

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        OnceLoopback.asked.append(host)
        address = "127.0.0.1" if OnceLoopback.asked.count("once.example") == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host if host[0].isdigit() else address, port))]


@pytest.mark.parametrize("engine", ENGINES)
def test_address_that_was_looked_at_is_the_one_that_is_connected_to(engine):
    OnceLoopback.asked.clear()
    with serving(lambda _request: Reply()) as served:
        url = served.url.replace("127.0.0.1", "once.example")
        assert ask(url, engine, Reach([ipaddress.ip_network("127.0.0.1")]), OnceLoopback) == 200
    assert OnceLoopback.asked.count("once.example") == 1
