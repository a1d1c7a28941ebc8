"""Steps of a poll for new leads, as Python hosts make them."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from connector.errors import StateError
from connector.hosts.polling import Found, find, pause


@pytest.fixture
def begin(make_adapter, sandbox):
    """begin(input, state) → what comes up to the end of a round."""

    def work(input: Mapping[str, Any], state: Mapping[str, Any] | None) -> Found:
        async def ask() -> Found:
            async with make_adapter(CHATFORGE_API_KEY=sandbox.api_key, CHATFORGE_BASE_URL=sandbox.url) as adapter:
                return await find(adapter, input, state)

        return asyncio.run(ask())

    return work


def test_leads_come_with_their_identity_once(begin, sandbox):
    httpx.post(f"{sandbox.control_url}/visitors", json={"visitor_name": "Ann", "webhook": False}).raise_for_status()
    found = begin({"start": "all"}, None)
    [ann] = found.leads
    assert (ann["lead"]["visitor_name"], ann["identity"]) == ("Ann", f"lead:{ann['lead']['lead_id']}")
    assert not begin({"start": "all"}, found.state).leads


def test_another_pause_goes_on_with_the_same_poll(begin, make_adapter):
    kept = begin({"every": "1m"}, None).state
    assert not begin({"every": "5m"}, kept).leads
    assert (pause(make_adapter(), {"every": "5m"}), pause(make_adapter(), {})) == (300.0, 60.0)


@pytest.mark.parametrize("other", [{"agent_id": "a"}, {"start": "all"}])
def test_another_input_says_how_to_begin_anew(begin, other):
    kept = begin({}, None).state
    with pytest.raises(StateError, match="begin anew under another name"):
        begin(other, kept)
