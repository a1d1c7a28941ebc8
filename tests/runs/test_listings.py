"""A list that is read whole, from an account that does not answer everything."""

import asyncio
from typing import Any

import pytest
from simulator.host import make_adapter, make_flow
from simulator.world import START, FlowPlan

from connector.declare import PolledList, PollRequest
from connector.errors import ActionError, AuthenticationError, NotFoundError, ServerError
from connector.runs.polling.listings import Listing
from connector.runs.polling.watches import find_watches


class Account:
    """An empty agent and one with a lead, which cannot be counted."""

    def __init__(self, error: ActionError) -> None:
        self.error = error

    async def ask(self, _polled: PolledList, request: PollRequest, *_connection: str) -> dict[str, Any]:
        if request.action == "list_agents":
            return {"ids": ["empty", "full"]}
        if request.action == "get_analytics":
            raise self.error
        is_there = request.input["agent_id"] == "full" and request.input["offset"] == 0
        return {"items": [{"id": "lead-1", "created_at": START.isoformat()}] if is_there else []}


async def read(error: ActionError) -> tuple[list[str], Listing]:
    adapter = make_adapter()
    flow = make_flow(FlowPlan("main", "new_lead", 0.0, "all", "1m"))
    [watch] = find_watches(adapter, [flow], lambda *_: None)
    listing = Listing(Account(error), watch, lambda: START)  # type: ignore[arg-type]
    return [entry.item.id async for entry in listing.entries()], listing


@pytest.mark.parametrize(
    "error", [ServerError("it failed", transient=True), NotFoundError("not found")], ids=["failed", "not found"]
)
def test_list_is_read_though_its_count_cannot_be_had(error: ActionError) -> None:
    found, listing = asyncio.run(read(error))
    assert found == ["lead-1"]
    assert (listing.total, listing.ended, listing.gone, listing.unsteady) == (None, True, [], [])
    assert listing.uncounted == ["empty"]


def test_count_that_is_refused_ends_the_reading() -> None:
    with pytest.raises(AuthenticationError):
        asyncio.run(read(AuthenticationError("the key is not accepted")))
