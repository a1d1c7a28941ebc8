"""The test of a connection on its page: each stage of it, one test at a time, and within a time."""

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from server.conftest import FLOW, Server

from connector.diagnosis.findings import Finding, Findings, ok
from connector.sandbox.server import running
from connector.server.diagnoses import Diagnoses

WRONG_KEY = "cf_wrong_key_that_nobody_shows"
CONNECTIONS = """\
wrong: {{connector: chatforge, api_key: {{env: WRONG_KEY}}}}
closed: {{connector: chatforge, api_key: {{env: WRONG_KEY}}, base_url: "http://127.0.0.1:{port}"}}
untested: {{connector: http, address: "{url}", networks: [127.0.0.0/8]}}
"""
WAY = ("values", "address", "name", "connection", "TLS", "answer", "clock")
CHECKS = (*WAY, "budget", "key", "rate limit", "plan", "webhooks")
Read = Callable[[str], httpx.Response]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Read]:
    """Gets a page of one server; no page shows a key."""
    folder: Path = tmp_path_factory.mktemp("connections")
    (folder / "lead-to-crm.yaml").write_text(FLOW.read_text())
    with running() as sandbox, socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        taken.close()
        (folder / "connections.yaml").write_text(CONNECTIONS.format(port=port, url=sandbox.url))
        environment = {
            "PATH": os.environ["PATH"],
            "WRONG_KEY": WRONG_KEY,
            "CHATFORGE_BASE_URL": sandbox.url,
            "CHATFORGE_API_KEY": sandbox.api_key,
            "CHATFORGE_WEBHOOK_SECRET": sandbox.webhook_secret,
            "CHATFORGE_DATABASE_URL": "sqlite:///runs.sqlite",
        }
        server = Server(folder, environment, folder).start("--port", "0")
        secrets = (WRONG_KEY, sandbox.api_key, sandbox.webhook_secret)

        def get(path: str) -> httpx.Response:
            answer = httpx.get(server.address + path, timeout=60)
            assert [secret for secret in secrets if secret in answer.text] == []
            return answer

        yield get
        assert server.stop() == 0
        assert "Traceback" not in server.log()


def find_stages(read: Read, name: str) -> dict[str, dict[str, Any]]:
    rows = read(f"/api/connections?test={name}").json()["connections"]
    tested = {f"{row['connector']}/{row['name']}": row["tested"] for row in rows}
    assert [other for other, found in tested.items() if found] == [name]
    return {stage["check"]: stage for stage in tested[name]}


def test_good_connection_shows_each_stage(read: Read) -> None:
    found = find_stages(read, "chatforge/default")
    assert tuple(found) == CHECKS
    assert [check for check, stage in found.items() if stage["status"] != "ok"] == ["TLS"]
    assert found["plan"] == {
        "check": "plan",
        "status": "ok",
        "detail": "includes the API: 1 agent",
        "next_step": None,
    }


def test_wrong_key_fails_where_it_is_and_says_what_to_do(read: Read) -> None:
    found = find_stages(read, "chatforge/wrong")
    assert [check for check, stage in found.items() if stage["status"] == "fail"] == ["key"]
    assert found["key"]["detail"].startswith("the API key is not accepted (401")
    assert found["plan"]["status"] == "skip"
    shown = read("/connections?test=chatforge/wrong").text
    assert f"<p>→ {found['key']['next_step']}</p>" in shown
    assert "1 failed, 1 warning<" in shown


def test_refused_port_skips_what_comes_after_it(read: Read) -> None:
    found = find_stages(read, "chatforge/closed")
    assert tuple(found) == CHECKS
    assert found["connection"]["detail"].endswith("127.0.0.1: connection refused")
    assert {found[check]["status"] for check in ("TLS", "answer", "clock", "key", "plan")} == {"skip"}


def test_connection_without_a_test_of_its_own_shows_the_stages_that_there_are(read: Read) -> None:
    found = find_stages(read, "http/untested")
    assert found["answer"]["status"] == "ok"
    assert (found["key"]["status"], found["key"]["detail"]) == (
        "skip",
        "http has no action that tests a connection",
    )


def test_test_that_takes_too_long_shows_what_there_is_and_the_next_one_waits_for_its_end() -> None:
    go_on = threading.Event()

    def slowly() -> Findings:
        yield ok("values", "complete")
        go_on.wait(20)
        yield ok("key", "accepted")

    async def collect() -> list[list[str]]:
        diagnoses = Diagnoses(seconds=0.1)
        shown = [await diagnoses.collect(slowly()), await diagnoses.collect(slowly())]
        go_on.set()
        diagnoses.seconds = 20
        return [[found.check for found in stages] for stages in (*shown, await diagnoses.collect(slowly()))]

    assert asyncio.run(collect()) == [["values", "time"], ["time"], ["values", "key"]]


def test_fault_of_a_test_does_not_end_testing() -> None:
    def broken() -> Findings:
        raise RuntimeError("a fault")

    async def collect() -> list[Finding]:
        diagnoses = Diagnoses()
        with pytest.raises(RuntimeError, match="a fault"):
            await diagnoses.collect(broken())
        return await diagnoses.collect(iter([ok("values", "complete")]))

    assert len(asyncio.run(collect())) == 1
