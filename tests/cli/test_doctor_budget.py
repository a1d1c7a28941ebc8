"""What `chatforge doctor` says of the rate budget, and that other commands are counted there."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from connector.chatforge.budget import BudgetState
from connector.chatforge.connection import CONNECTION, ChatForgeConnection
from connector.diagnosis.budget import describe_budget
from connector.sandbox import Sandbox
from connector.sandbox.server import running

NOW = datetime(2026, 3, 25, 10, 30, tzinfo=UTC)
WHO_ELSE = "see what else uses this key; the limit rises by one every 10 minutes without a 429"


def state(**changes: object) -> BudgetState:
    values = {
        "configured": 100,
        "limit": 100,
        "used": {"takeover": 2, "background": 10},
        "waiting": 0,
        "refused_ago": None,
        "paused_for": 0.0,
        "asked": False,
    }
    return BudgetState(**values | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "status", "detail", "step"),
    [
        pytest.param(state(used={}), "ok", "0 of 100 requests a minute are in use", None, id="nothing"),
        pytest.param(
            state(), "ok", "12 of 100 requests a minute are in use: 10 background, 2 takeover", None, id="by-purpose"
        ),
        pytest.param(
            state(used={}, waiting=1), "ok", "0 of 100 requests a minute are in use; 1 process waits", None, id="waits"
        ),
        pytest.param(
            state(used={}, waiting=2), "ok", "0 of 100 requests a minute are in use; 2 processes wait", None, id="wait"
        ),
        pytest.param(
            state(used={}, limit=95, refused_ago=200.0),
            "warn",
            "0 of 95 requests a minute are in use; lowered from 100 after the last 429, 3 min ago",
            WHO_ELSE,
            id="lowered",
        ),
        pytest.param(
            state(used={}, limit=95, refused_ago=5.0, paused_for=90.0, asked=True),
            "warn",
            "0 of 95 requests a minute are in use; nothing is sent until 10:31:30 UTC, as ChatForge asked with a 429; "
            "lowered from 100 after the last 429, 5 s ago",
            "wait until then, and see what else uses this key",
            id="asked-for-a-pause",
        ),
        pytest.param(
            state(used={}, paused_for=4.0),
            "warn",
            "0 of 100 requests a minute are in use; nothing is sent until 10:30:04 UTC, after a 429 of ChatForge",
            "wait until then, and see what else uses this key",
            id="own-pause",
        ),
        pytest.param(
            state(fault="the budget file x cannot be used: y; do z"),
            "warn",
            "the budget file x cannot be used: y",
            "do z",
            id="file-cannot-be-used",
        ),
    ],
)
def test_state_is_said_in_a_sentence_with_what_to_do(
    found: BudgetState, status: str, detail: str, step: str | None
) -> None:
    finding = describe_budget(found, NOW)
    assert (finding.check, finding.status, finding.detail, finding.next_step) == ("budget", status, detail, step)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running() as sandbox:
        yield sandbox


def settings_of(sandbox: Sandbox) -> dict[str, str]:
    return {"CHATFORGE_BASE_URL": sandbox.url, "CHATFORGE_API_KEY": sandbox.api_key}


def test_requests_of_other_commands_are_counted(chatforge, sandbox, tmp_path):
    for _ in range(2):
        assert chatforge("call", "chatforge.list_agents", **settings_of(sandbox)).code == 0
    for own in range(2):  # the key is tried by an action
        found = chatforge("doctor", "--json", "--port", "0", **settings_of(sandbox)).out
        [budget] = [item for item in json.loads(found) if item["check"] == "budget"]
        counted = "2 interactive" if own == 0 else "1 action, 2 interactive"
        assert budget["detail"] == f"{2 + own} of 100 requests a minute are in use: {counted}"
        assert budget["connection"] == "chatforge/default"
    assert sandbox.api_key.encode() not in (tmp_path / "budget.sqlite").read_bytes()


def test_key_is_not_tried_while_the_account_pauses(chatforge, sandbox, tmp_path):
    refuse(sandbox, tmp_path / "elsewhere.sqlite", "600")
    result = chatforge(
        "doctor", "--port", "0", CHATFORGE_BUDGET_FILE=str(tmp_path / "elsewhere.sqlite"), **settings_of(sandbox)
    )
    shown = " ".join(result.out.split())
    assert "1 of 95 requests a minute are in use: 1 action; nothing is sent until" in shown
    assert "→ wait until then, and see what else uses this key" in shown
    assert "skip key nothing is sent until the pause ends" in shown
    assert result.code == 0


def test_budget_file_that_cannot_be_used_is_a_warning(chatforge, sandbox, tmp_path):
    (tmp_path / "broken.sqlite").mkdir()
    found = chatforge(
        "doctor", "--json", "--port", "0", CHATFORGE_BUDGET_FILE="broken.sqlite", **settings_of(sandbox)
    ).out
    [budget] = [item for item in json.loads(found) if item["check"] == "budget"]
    assert (budget["status"], budget["next_step"][:28]) == ("warn", "correct its permissions or m")
    assert [item["status"] for item in json.loads(found) if item["check"] == "key"] == ["ok"]


def refuse(sandbox: Sandbox, path: Path, retry_after: str) -> None:
    """Have the account's budget see a 429."""

    async def see() -> None:
        assert CONNECTION.budget
        key = SecretStr(sandbox.api_key)
        budget = CONNECTION.budget(ChatForgeConnection(base_url=sandbox.url, api_key=key, budget_file=path))
        slot = await budget.take("action")
        slot.answered(httpx.Response(429, headers={"Retry-After": retry_after}))
        await budget.aclose()

    asyncio.run(see())
