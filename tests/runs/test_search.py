import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from runs.conftest import START

from connector.errors import RejectedError
from connector.runs.effects import acts_once
from connector.runs.search import EventFilter, RunFilter, find_events, find_runs
from connector.runs.stories import tell
from connector.runs.waits import read_view

SAY = "- {id: say, uses: test.say, with: {text: hello}}"


@pytest.fixture
def names(bench):
    """The runs of three people, a minute apart, by name."""
    ids = {}
    for name in ("Ann O'Neil", "José 😀", "100%_!"):
        run, _ = bench.run(bench.flow(SAY, name=f"flow-{len(ids)}"), name=name)
        ids[run.id] = name
        bench.now += timedelta(minutes=1)
    return ids


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["100%_!", "José 😀", "Ann O'Neil"]),
        ({"text": "ann o'"}, ["Ann O'Neil"]),
        ({"text": " JOS"}, ["José 😀"]),
        ({"text": "é 😀"}, ["José 😀"]),
        ({"text": "%_!"}, ["100%_!"]),
        ({"text": "%"}, ["100%_!"]),
        ({"text": "_"}, ["100%_!"]),
        ({"text": "nobody"}, []),
        ({"flow": "flow-1"}, ["José 😀"]),
        ({"status": "failed"}, []),
        ({"status": "succeeded", "text": "NEIL"}, ["Ann O'Neil"]),
        ({"since": START + timedelta(seconds=30)}, ["100%_!", "José 😀"]),
        ({"until": START + timedelta(seconds=30)}, ["Ann O'Neil"]),
    ],
    ids=str,
)
def test_runs_are_found_by_what_they_are_about(bench, names, wanted, found):
    runs = bench.look(lambda connection: find_runs(connection, RunFilter(**wanted), 10))
    assert [names[run.id] for run in runs] == found


def test_pages_of_runs_follow_each_other(bench, names):
    first = bench.look(lambda connection: find_runs(connection, RunFilter(), 2))
    rest = bench.look(lambda connection: find_runs(connection, RunFilter(before=first[-1].id), 2))
    assert [run.id for run in [*first, *rest]] == list(reversed(names))
    assert bench.look(lambda connection: find_runs(connection, RunFilter(text=first[0].id), 9)) == first[:1]


@pytest.mark.parametrize("ascii_only", [True, False])
def test_events_are_found_however_their_json_is_written(bench, ascii_only):
    text = json.dumps({"name": "José 😀"}, ensure_ascii=ascii_only)
    delivery = replace(bench.delivery(), text=text)

    async def work():
        async with bench.working() as (_, intake, _worker):
            await intake.accept(delivery)

    asyncio.run(work())
    for wanted, number in (("josé 😀", 1), ("Jos", 1), ("josé x", 0), ("ping", 1)):
        found = bench.look(lambda connection, wanted=wanted: find_events(connection, EventFilter(text=wanted), 5))
        assert len(found) == number, wanted
    assert bench.look(lambda connection: find_events(connection, EventFilter(held=True), 5)) == []
    assert bench.look(lambda connection: find_events(connection, EventFilter(name="other"), 5)) == []


def test_story_of_a_run_that_failed_says_where_and_what_to_do(bench):
    bench.answers["say"] = [RejectedError("no such chat")]
    run, _ = bench.run(bench.flow(SAY))
    view = bench.look(lambda connection: read_view(connection, run.id))
    story = tell(view, acts_once(bench.adapter()))
    assert story.sentence == "The step say failed: no such chat"
    assert [(choice.change, choice.command) for choice in story.choices] == [
        ("retry", f"chatforge runs retry {run.id}")
    ]


def test_story_of_a_run_that_did_all_offers_nothing(bench):
    run, _ = bench.run(bench.flow(SAY))
    story = tell(bench.look(lambda connection: read_view(connection, run.id)), acts_once(bench.adapter()))
    assert story.sentence.startswith("It did all its steps in 0.")
    assert story.choices == []
