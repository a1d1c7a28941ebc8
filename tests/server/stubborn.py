"""A plugin whose actions do not end, for a server that shall."""

import asyncio
import time
from typing import Any

from pydantic import BaseModel

from connector.declare import ActionContext, action
from connector.errors import NetworkError
from connector.hookspecs import hookimpl

LONG = 600.0


class Nothing(BaseModel):
    pass


@action(effect="once", title="Hang")
async def hang(input: Nothing, context: ActionContext[None]) -> Nothing:
    """The other side does not answer."""
    await asyncio.sleep(LONG)
    return input


@action(effect="once", title="Defy")
async def defy(input: Nothing, context: ActionContext[None]) -> Nothing:
    """Goes on whatever it is told."""
    while True:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            continue


@action(effect="once", title="Block")
async def block(input: Nothing, context: ActionContext[None]) -> Nothing:
    """Keeps the whole process from anything else."""
    time.sleep(LONG)  # noqa: ASYNC251 - that is the fault
    return input


@action(effect="read", title="Search")
async def search(input: Nothing, context: ActionContext[None]) -> Nothing:
    """A thread that cannot be stopped, as a query of a page is."""
    await asyncio.to_thread(time.sleep, LONG)
    return input


@action(effect="read", title="Refuse")
async def refuse(input: Nothing, context: ActionContext[None]) -> Nothing:
    """Is tried again, later."""
    raise NetworkError("not now", processed="no", transient=True)


@hookimpl
def register_actions(register: Any) -> None:
    for one in (hang, defy, block, search, refuse):
        register(one)
