"""What a line that an action logs says about its run and its step."""

import asyncio
import logging
from collections.abc import Iterator

import pytest

from connector import whereabouts

log = logging.getLogger("connector.test.say")


class Places(logging.Handler):
    """Where each line was written."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append((record.getMessage(), dict(whereabouts.find())))


@pytest.fixture
def places() -> Iterator[Places]:
    handler = Places()
    logger = logging.getLogger("connector")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def test_line_of_an_action_says_its_flow_run_and_step(bench, places):
    async def speak() -> None:
        log.warning("spoken")

    async def fail() -> None:
        raise ValueError("broken")

    bench.answers["say"] = [speak, speak, speak, fail]
    flow = bench.flow(
        """
        - {id: first, uses: test.say}
        - {id: items, for_each: "['a', 'b']", uses: test.say}
        - {id: last, uses: test.say}
        """
    )
    run, _ = bench.run(flow)
    own = {"flow": "example", "run": run.id}
    assert [place for text, place in places.found if text == "spoken"] == [
        {**own, "step": "first"},
        {**own, "step": "items[0]"},
        {**own, "step": "items[1]"},
    ]
    [(_, traced)] = [(text, place) for text, place in places.found if text.startswith("Traceback")]
    assert traced == {**own, "step": "last"}
    [(_, ended)] = [(text, place) for text, place in places.found if text.startswith("the run ")]
    assert ended == {**own, "step": "last"}


def test_line_about_a_held_event_says_which_one(bench, places):
    flow = bench.flow("- {id: first, uses: test.say}", trigger="{uses: test.ping, if: 1 / trigger.anything > 1}")

    async def take() -> str:
        async with bench.working(flow) as (_store, intake, _worker):
            return (await intake.accept(bench.delivery(anything=0))).event_id

    event = asyncio.run(take())
    assert [place for _, place in places.found] == [{"flow": "example", "event": event}]
