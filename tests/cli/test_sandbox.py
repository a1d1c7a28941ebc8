"""The options of `chatforge sandbox`."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest

VISITOR = {"visitor_email": "ann@example.com", "created_at": "2026-03-25T10:00:00Z"}


@contextmanager
def serving(*arguments: str) -> Iterator[httpx.Client]:
    """A client for a sandbox that runs as a process of its own; it must end cleanly."""
    command = [sys.executable, "-m", "connector", "sandbox", "--port", "0", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=os.environ | {"COLUMNS": "200"}) as process:
        process.stdout.readline()
        settings = dict(process.stdout.readline().strip().split("=", 1) for _ in range(3))
        headers = {"Authorization": f"Bearer {settings['CHATFORGE_API_KEY']}"}
        with httpx.Client(base_url=settings["CHATFORGE_BASE_URL"], headers=headers, trust_env=False) as client:
            yield client
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20)[1] == ""
        assert process.returncode == 0


@pytest.fixture
def start() -> Iterator[Callable[..., httpx.Client]]:
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(serving(*arguments))


def control(client: httpx.Client, method: str, path: str, **options: Any) -> dict[str, Any]:
    response = client.request(method, client.base_url.join(f"/sandbox/{path}"), **options)
    assert response.is_success, response.text
    return dict(response.json())


def test_every_option_reaches_its_setting(start, tmp_path):
    options = {
        "webhook_url": "http://127.0.0.1:9/hook",
        "redelivery_delays": "0.5,2",
        "rate_limit": "7",
        "rate_window": "weighted",
        "clock_speed": "10",
        "list_order": "shuffled",
        "list_lag": "1.5",
        "max_limit": "20",
        "error_style": "text",
        "db": str(tmp_path / "sandbox.db"),
    }
    client = start(*(word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)))
    shown = control(client, "GET", "settings")
    assert {name: shown[name] for name in options} == options | {
        "redelivery_delays": [0.5, 2.0],
        "rate_limit": 7,
        "clock_speed": 10.0,
        "list_lag": 1.5,
        "max_limit": 20,
    }


def test_a_sandbox_without_options_has_the_defaults_of_its_settings(start):
    shown = control(start(), "GET", "settings")
    assert (shown["redelivery_delays"], shown["rate_limit"], shown["db"]) == ([0.5, 1.0, 2.0, 4.0, 8.0], 100, None)


def test_a_sandbox_with_a_file_goes_on_where_it_stopped(tmp_path):
    file = str(tmp_path / "sandbox.db")
    with serving("--db", file) as client:
        story = control(client, "POST", "visitors", json=VISITOR)
    with serving("--db", file, "--redelivery-delays", "") as client:
        assert control(client, "GET", f"conversations/{story['conversation_id']}")["visitor_email"] == "ann@example.com"
        assert control(client, "GET", "settings")["redelivery_delays"] == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--list-order backwards", "'backwards' is not one of 'newest_first'"),
        ("--rate-window round", "'round' is not one of 'sliding'"),
        ("--error-style xml", "'xml' is not one of 'json'"),
        ("--max-limit 0", "--max-limit is 0: expected 1 or more"),
        ("--list-lag -1", "--list-lag is -1.0: expected a number of seconds, 0 or more"),
        ("--clock-speed nan", "--clock-speed is nan: expected a number above 0"),
        ("--redelivery-delays 1;2", "--redelivery-delays is '1;2': expected seconds with commas"),
        ("--redelivery-delays 1,-2", "--redelivery-delays is '1,-2': expected seconds, each 0 or more"),
        ("--db leads.yaml", "'leads.yaml' cannot be used as the sandbox's database: it is no database"),
        ("--db .", "'.' cannot be used as the sandbox's database: unable to open database file"),
    ],
)
def test_a_wrong_option_gets_one_sentence(chatforge, flow, arguments, sentence):
    result = chatforge("sandbox", "--port", "0", *arguments.split())
    assert (result.code, result.out) == (2, "")
    assert sentence in result.error
    assert result.error.count("\n") == 1
