"""The budget file, with real files and processes: what is shared, what a death leaves, what a broken file costs."""

import asyncio
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from chatforge.simulation import OK, take_all
from pydantic import SecretStr

from connector.chatforge.budget import Clock, RateBudget, SharedFile, read_state
from connector.chatforge.budget.rule import DEADLINE, DOUBT, WINDOW
from connector.chatforge.connection import CONNECTION, ChatForgeConnection
from connector.sqlite import connect

SOON = 0.9
"""Seconds, of the test, after which whoever still waits will wait for long."""
LOCKED = (
    "the budget file {} cannot be used: database is locked, so requests of other processes are not counted; "
    "correct its permissions or make room, or set CHATFORGE_BUDGET_FILE to another file"
)
TAKE_AND_WAIT = """
import asyncio, json, sys
from pathlib import Path
from connector.chatforge.budget import RateBudget, SharedFile, machine_clock

async def run():
    budget = RateBudget(100, SharedFile(Path(sys.argv[1])), "account", machine_clock())
    for _ in range(int(sys.argv[2])):
        await budget.take("takeover")
    print(json.dumps("taken"), flush=True)
    await asyncio.sleep(60)

asyncio.run(run())
"""


@dataclass
class HandClock:
    """Stands still until it is moved."""

    now: float = 1_000.0
    boot: str = "first"

    def read(self) -> float:
        return self.now

    @property
    def clock(self) -> Clock:
        return Clock(self.read, self.read, self.boot)


@asynccontextmanager
async def opened(path: Path, clock: Clock, account: str = "account", again: float = 10.0) -> AsyncIterator[RateBudget]:
    budget = RateBudget(100, SharedFile(path, again), account, clock)
    yield budget
    await budget.aclose()


async def has_room(budget: RateBudget) -> bool:
    """Whether a takeover could start now; gives the slot back."""
    try:
        (await asyncio.wait_for(budget.take("takeover"), SOON)).unused()
    except TimeoutError:
        return False
    return True


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 30))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "budget.sqlite"


def test_processes_share_an_account_and_not_another_one(path: Path) -> None:
    async def scenario() -> None:
        clock = HandClock().clock
        async with opened(path, clock) as here, opened(path, clock) as there, opened(path, clock, "other") as other:
            await take_all(here, 60)
            await take_all(there, 40)
            assert (await has_room(here), await has_room(there), await has_room(other)) == (False, False, True)

    run(scenario)


def test_what_was_used_outlasts_the_process(path: Path) -> None:
    async def scenario() -> None:
        hand = HandClock()
        async with opened(path, hand.clock) as before:
            for slot in await take_all(before):
                slot.answered(OK)
        hand.now += WINDOW - 1
        async with opened(path, hand.clock) as after:
            assert not await has_room(after)
            hand.now += 1
            assert await has_room(after)

    run(scenario)


def test_slots_of_a_killed_process_free_themselves(path: Path) -> None:
    command = [sys.executable, "-c", TAKE_AND_WAIT, str(path), "100"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert json.loads(process.stdout.readline()) == "taken"
        process.send_signal(signal.SIGKILL)
    real = Clock(boot=Path("/proc/sys/kernel/random/boot_id").read_text().strip())

    def later(seconds: float) -> Clock:
        return Clock(lambda: real.seconds() + seconds, real.utc, real.boot)

    async def scenario() -> None:
        for seconds, free in ((0.0, False), (DEADLINE + DOUBT - 20, False), (DEADLINE + DOUBT, True)):
            async with opened(path, later(seconds)) as budget:
                assert await has_room(budget) == free

    run(scenario)


@pytest.mark.parametrize(
    ("now", "boot"), [(5.0, "second"), (5.0, ""), (2_000.0, "second")], ids=["told", "clock-began-anew", "later"]
)
def test_after_a_reboot_old_slots_count_as_answered_now(path: Path, now: float, boot: str) -> None:
    async def scenario() -> None:
        async with opened(path, HandClock(boot="first" if boot else "").clock) as before:
            await take_all(before)
        hand = HandClock(now, boot)
        async with opened(path, hand.clock) as after:
            assert not await has_room(after)
            hand.now += WINDOW - 1
            assert not await has_room(after)
            hand.now += 1
            assert await has_room(after)

    run(scenario)


def test_file_holds_no_key(path: Path) -> None:
    async def scenario() -> None:
        key = SecretStr("cf_canary_key")
        values = ChatForgeConnection(base_url="https://canary.example/", api_key=key, budget_file=path)
        assert CONNECTION.budget
        budget = CONNECTION.budget(values)
        (await budget.take("takeover")).answered(httpx.Response(429))
        await budget.aclose()

    run(scenario)
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert content
    assert b"canary" not in content


def spoil_with_garbage(path: Path) -> None:
    path.write_bytes(b"this is not a database" * 100)


def spoil_the_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    path.write_bytes(content)


def spoil_a_row(path: Path) -> None:
    with closing(connect(path)) as connection:
        connection.execute("UPDATE slots SET free_at = 'soon'")
        connection.execute("UPDATE accounts SET lowered = 'many', due = x'00'")


@pytest.mark.parametrize("spoil", [spoil_with_garbage, spoil_the_middle, spoil_a_row])
def test_broken_file_is_moved_aside_and_begun_anew(
    path: Path, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        clock = HandClock().clock
        async with opened(path, clock) as before:
            await take_all(before, 5)
        spoil(path)
        async with opened(path, clock) as here, opened(path, clock) as there:
            await take_all(here, 60)
            await take_all(there, 40)
            assert not await has_room(here)
        assert path.with_name("budget.sqlite.broken").exists()

    with caplog.at_level(logging.WARNING):
        run(scenario)
    assert [record.getMessage().split(" (")[0] for record in caplog.records] == [f"the budget file {path} is broken"]


@pytest.mark.parametrize("end", [Path.unlink, lambda path: path.rename(path.with_name("moved"))], ids=["del", "moved"])
def test_file_that_vanishes_is_begun_anew_with_what_is_known(path: Path, end: Callable[[Path], object]) -> None:
    async def scenario() -> None:
        clock = HandClock().clock
        async with opened(path, clock) as here, opened(path, clock) as there:
            await take_all(there, 40)
            slots = await take_all(here, 60)
            end(path)
            assert not await has_room(here)
            assert not await has_room(there)
            slots[0].unused()
            assert await has_room(there)

    run(scenario)


def test_file_that_cannot_be_made_leaves_each_process_its_own_budget(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    path = tmp_path / "file" / "budget.sqlite"

    async def scenario() -> None:
        clock = HandClock().clock
        async with opened(path, clock) as here, opened(path, clock) as there:
            await take_all(here)
            assert (await has_room(here), await has_room(there)) == (False, True)

    with caplog.at_level(logging.WARNING):
        run(scenario)
    fault = f"the budget file {path} cannot be used: File exists, so requests of other processes are not counted; "
    assert [record.getMessage().startswith(fault) for record in caplog.records] == [True, True]


def test_locked_file_is_waited_for_without_stopping_the_loop_then_done_without_then_shared_again(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another process holds the file for longer than anybody waits."""

    async def scenario() -> None:
        clock = HandClock().clock
        async with opened(path, clock, again=0.5) as here, opened(path, clock) as there:
            await take_all(here, 60)
            await take_all(there, 30)
            assert await has_room(here)
            await asyncio.sleep(0.1)  # until it is written down that the slot was not used
            with closing(connect(path)) as other:
                other.execute("BEGIN EXCLUSIVE")
                longest = asyncio.create_task(find_longest_stop())
                await take_all(here, 10)
                assert not await has_room(here)  # what it knew of the other process still counts
                longest.cancel()
                assert await longest < 1.0
                other.execute("ROLLBACK")
            await asyncio.sleep(0.6)
            assert not await has_room(here)
            assert not await has_room(there)
            assert read_state(path, "account", 100, clock).used == {"takeover": 100}

    with caplog.at_level(logging.WARNING):
        run(scenario)
    assert [record.getMessage() for record in caplog.records] == [
        LOCKED.format(path),
        f"the request budget is shared with other processes again, by {path}",
    ]


async def find_longest_stop() -> float:
    """Until it is cancelled, how long the event loop did nothing, in seconds."""
    longest, before = 0.0, time.monotonic()
    try:
        while True:
            await asyncio.sleep(0.01)
            longest, before = max(longest, time.monotonic() - before - 0.01), time.monotonic()
    except asyncio.CancelledError:
        return longest


def test_full_disk_leaves_the_process_its_own_budget(path: Path) -> None:
    async def scenario() -> None:
        clock = HandClock().clock
        async with opened(path, clock) as budget:
            await take_all(budget, 10)
            with closing(connect(path)) as connection:
                pages = connection.execute("PRAGMA page_count").fetchone()[0]
                connection.execute(f"PRAGMA max_page_count={pages}")
            await take_all(budget, 90)
            assert not await has_room(budget)

    run(scenario)


def test_cancelled_look_at_the_file_leaves_no_slot(path: Path) -> None:
    async def scenario() -> None:
        clock = HandClock().clock
        async with opened(path, clock) as budget:
            for number in range(30):
                task = asyncio.create_task(budget.take("takeover"))
                await asyncio.sleep(0.0005 * (number % 7))
                if not task.done():
                    task.cancel()
                for done in await asyncio.gather(task, return_exceptions=True):
                    if not isinstance(done, BaseException):
                        done.unused()
        assert read_state(path, "account", 100, clock).used == {}
        assert read_state(path, "account", 100, clock).waiting == 0

    run(scenario)


def test_state_counts_by_purpose_and_tells_who_waits(path: Path) -> None:
    async def scenario() -> None:
        hand = HandClock()
        async with opened(path, hand.clock) as here, opened(path, hand.clock) as there:
            await take_all(here, 40)
            await there.take("action")
            refused = await here.take("background")
            hand.now += 5
            refused.answered(httpx.Response(429, headers={"Retry-After": "30"}))
            await asyncio.sleep(0.2)  # until it is written down
            waiting = asyncio.create_task(there.take("action"))
            await asyncio.sleep(SOON)
            state = read_state(path, "account", 100, hand.clock)
            assert state.used == {"takeover": 40, "action": 1, "background": 1}
            assert (state.configured, state.limit, state.waiting) == (100, 95, 1)
            assert (state.refused_ago, state.paused_for, state.asked, state.fault) == (0.0, 30.0, True, None)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    run(scenario)


def test_state_of_a_file_that_cannot_be_read_says_why(path: Path) -> None:
    path.parent.mkdir()
    spoil_with_garbage(path)
    state = read_state(path, "account", 100, HandClock().clock)
    assert state.fault
    assert state.fault.startswith(f"the budget file {path} cannot be used: file is not a database")
    assert os.listdir(path.parent) == [path.name]


def test_sqlite_error_of_any_kind_is_no_end(path: Path) -> None:
    """A later version of this program has other tables."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE slots (other TEXT)")

    async def scenario() -> None:
        async with opened(path, HandClock().clock) as budget:
            assert await has_room(budget)

    run(scenario)
