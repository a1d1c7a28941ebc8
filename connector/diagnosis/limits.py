"""Waits for what may take long, and no longer than it is told."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeVar

from connector.errors import NetworkError

Result = TypeVar("Result")


def start(work: Callable[[], Result]) -> Future[Result]:
    """What `work` will have returned or raised, on a thread of its own."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # it is raised where the result is awaited
            future.set_exception(error)

    # A thread of a pool would be waited for when the process ends.
    threading.Thread(target=run, daemon=True).start()
    return future


def call_within(seconds: float, work: Callable[[], Result]) -> Result:
    """What `work` returns or raises; TimeoutError, and no more waiting for it, after `seconds`."""
    try:
        return start(work).result(seconds)
    except TimeoutError:
        raise TimeoutError(f"nothing within {seconds:g} s") from None


async def within(seconds: float, asked: Awaitable[Result]) -> Result:
    """What is awaited; NetworkError where it takes longer."""
    try:
        async with asyncio.timeout(seconds):
            return await asked
    except TimeoutError:
        raise NetworkError(f"no answer within {seconds:g} s; see whether the service is up") from None
