"""What differs in answers is kept, on each kind of database."""

import asyncio
import logging

import pytest
from runs.conftest import ON_A_FILE, START, later

from connector.drift import OTHERS, Drift, Drifts
from connector.errors import StoreError
from connector.runs.drifts import MOST_ROWS, Keeper, keep_drifts, read_drifts

UNKNOWN, MISSING, RETYPED = Drift("unknown", "b"), Drift("missing", "a"), Drift("retyped", "z")


def rows(bench):
    return [(one.operation, one.kind, one.path, one.times) for one in bench.look(read_drifts)]


def test_counts_add_up_and_new_places_are_logged_once(bench, caplog):
    drifts = Drifts()

    async def work():
        async with bench.working() as (store, _, _):
            drifts.count("crm.find", UNKNOWN, 2)
            drifts.count("crm.find", MISSING)
            await keep_drifts(store, drifts, START)
            drifts.count("crm.find", UNKNOWN)
            drifts.count("crm.find", RETYPED)
            await keep_drifts(store, drifts, later(hours=1))
            await keep_drifts(store, drifts, later(hours=2))

    with caplog.at_level(logging.WARNING, "connector.runs.drifts"):
        asyncio.run(work())
    assert rows(bench) == [
        ("crm.find", "retyped", "z", 1),
        ("crm.find", "unknown", "b", 3),
        ("crm.find", "missing", "a", 1),
    ]
    unknown = bench.look(read_drifts)[1]
    assert (unknown.first_at, unknown.last_at) == (START, later(hours=1))
    assert [record.getMessage() for record in caplog.records] == [
        "crm.find: a field of the answer is unknown for the first time: b",
        "crm.find: a field of the answer is missing for the first time: a",
        "crm.find: a field of the answer is retyped for the first time: z",
    ]


def test_places_of_an_operation_are_bounded_over_all_starts(bench):
    async def work():
        async with bench.working() as (store, _, _):
            for start in range(2):
                drifts = Drifts()
                for number in range(MOST_ROWS):
                    drifts.count("crm.find", Drift("unknown", f"{start}.{number}"))
                await keep_drifts(store, drifts, START)

    asyncio.run(work())
    assert len(rows(bench)) == MOST_ROWS + 1
    assert ("crm.find", "unknown", OTHERS, MOST_ROWS) in rows(bench)


@ON_A_FILE
def test_what_the_database_did_not_take_is_kept_later(bench):
    drifts = Drifts()
    drifts.count("crm.find", UNKNOWN)

    async def work():
        async with bench.working() as (store, _, _):
            bench.change("ALTER TABLE drift RENAME TO away")
            with pytest.raises(StoreError):
                await keep_drifts(store, drifts, START)
            bench.change("ALTER TABLE away RENAME TO drift")
            async with asyncio.TaskGroup() as group:
                keeper = Keeper(store, drifts, bench.clock)
                group.create_task(keeper.work())
                await asyncio.sleep(0)
                drifts.count("crm.find", UNKNOWN)
                keeper.stop()

    asyncio.run(work())
    assert rows(bench) == [("crm.find", "unknown", "b", 2)]
