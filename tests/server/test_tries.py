"""What is kept of tries, and for how long."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from connector.errors import InputError
from connector.server.tries import LASTS, MOST, Asked, Tries, Try

NOW = datetime(2026, 3, 25, tzinfo=UTC)
ASKED = Asked("a.b", "default", {"x": 1}, {"x": "1"})


def made(at: datetime = NOW, output: object = None) -> Try:
    return Try("done", at, "a.b", "default", {}, output=output)


def test_result_is_found_for_its_operation_until_it_is_too_old():
    tries = Tries()
    key = tries.keep(made())
    assert tries.find(key, "a.b", NOW + LASTS) == made()
    assert tries.find(key, "a.c", NOW) is None
    assert tries.find(key, "a.b", NOW + LASTS + timedelta(seconds=1)) is None
    assert tries.find(key, "a.b", NOW) is None  # it is gone, not only hidden


def test_only_the_last_results_are_kept():
    tries = Tries()
    keys = [tries.keep(made()) for _ in range(MOST + 1)]
    assert [tries.find(key, "a.b", NOW) is None for key in keys] == [True] + [False] * MOST


def test_same_key_sends_once():
    async def walk() -> int:
        tries, sent, go = Tries(), [], asyncio.Event()

        async def send() -> Try:
            sent.append(1)
            await go.wait()
            return made(output=len(sent))

        both = [asyncio.create_task(tries.send_once("key", ASKED, send)) for _ in range(2)]
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(*both)
        await tries.send_once("key", Asked("a.b", "default", {"x": 1}, {"x": " 1"}), send)
        with pytest.raises(InputError, match="this form was sent before, with other values"):
            await tries.send_once("key", Asked("a.b", "acme", {"x": 1}, {}), send)
        found = tries.find("key", "a.b", NOW)
        assert found is not None
        assert found.output == 1
        return len(sent)

    assert asyncio.run(walk()) == 1


def test_nothing_of_a_form_is_kept_once_its_result_is_gone():
    async def walk() -> Tries:
        tries = Tries()

        async def send() -> Try:
            return made(output="ann@example.com")

        await tries.send_once("key", Asked("a.b", "default", {"x": "ann@example.com"}, {}), send)
        tries.find("key", "a.b", NOW + LASTS + timedelta(seconds=1))
        return tries

    assert "ann@example.com" not in repr(asyncio.run(walk()))
