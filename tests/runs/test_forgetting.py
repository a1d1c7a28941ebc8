"""What the journal keeps of a person goes, and what it recognises a lead by stays."""

import asyncio
import json
from datetime import timedelta

import pytest
from runs.leads import Leads, flow, lead

from connector import engines
from connector.errors import RejectedError
from connector.mentions import read_address
from connector.runs.alerts import Alerts
from connector.runs.forgetting import erasing
from connector.runs.polling.sealing import seal, unseal
from connector.runs.upkeep.tables import all_tables
from connector.sqlite import transaction

ADDRESS = read_address("1@example.com")
SAY = """
- {id: say, uses: test.say, with: {text: "${{ trigger.name ?? 'x' }}"}}
- {id: put, uses: test.put, with: {text: "${{ trigger.anything }}"}}
"""
TELL = """
    flow: tell
    inputs: {error: {type: str}}
    steps: [{id: told, uses: test.put, with: {text: "${{ inputs.error }}"}}]
"""
REST = "dedupe: {key: trigger.name ?? '', for: 1d}"


def texts(connection) -> str:
    found = []
    for table in all_tables():
        rows = connection.execute(f"SELECT * FROM {table.name}").fetchall()  # noqa: S608 - names of ours
        found += [str(row[column]) for row in rows for column in table.texts]
    return "\n".join(found)


def erase(leads: Leads) -> erasing.Found:
    with transaction(leads.connection):
        return erasing.erase(leads.connection, ADDRESS, "salt", leads.now, end_waits=True)


@pytest.fixture
def leads() -> Leads:
    """One flow that has seen an empty list."""
    leads = Leads()
    leads.serve(flow())
    leads.look()
    leads.pass_time(minutes=1)
    return leads


def test_person_goes_from_every_table_and_another_one_stays(bench):
    flow = bench.flow(SAY, REST)
    bench.run(flow, name="1@example.com", anything="Visitor 1")
    bench.run(flow, name="21@example.com", anything="Visitor 2")
    before = bench.look(texts)

    async def work() -> erasing.Found:
        async with bench.working(flow) as (store, _, _):
            return await store.write(erasing.erase, ADDRESS, "salt", bench.now, end_waits=False)

    found = asyncio.run(work())
    assert engines.expunge(bench.database)
    assert found.counts == {"events": 1, "runs": 1, "steps": 2, "dedupe keys": 1}
    assert found.done == {"test.put": 1, "test.say": 1}
    after = bench.look(texts)
    assert "Visitor 1" in before
    assert not ADDRESS.is_in(after)
    assert "Visitor 1" not in after
    assert before.count("21@example.com") == after.count("21@example.com") > 0
    assert bench.look(lambda opened: erasing.find(opened, ADDRESS)).counts == {}


def test_what_was_told_of_a_failed_run_goes_with_it(bench):
    flow = bench.flow(SAY, "on_failure: tell", beside=[TELL])
    bench.answers["say"] = [RejectedError("Visitor 1 is not known", processed="no")]
    bench.run(flow, name="1@example.com")

    async def work() -> erasing.Found:
        async with bench.working(flow) as (store, intake, worker):
            await Alerts(intake.adapter, store, lambda: [flow], worker.wake, bench.clock).look()
            [told] = [one for one in store.read(lambda journal: journal.runs(9)) if one.flow == "tell"]
            await bench.finish(store, worker, told.id)
            return await store.write(erasing.erase, ADDRESS, "salt", bench.now, end_waits=False)

    assert asyncio.run(work()).counts["runs"] == 2
    assert "Visitor 1" not in bench.look(texts)


def test_lead_that_is_listed_after_its_webhook_was_erased_starts_nothing(leads):
    leads.arrive(1)
    leads.pass_time(minutes=3)
    assert leads.fall_back() == ["main webhook of 1"]
    finish(leads)
    erase(leads)
    assert not ADDRESS.is_in(texts(leads.connection))
    leads.lists["a"] = [lead(1), lead(2)]
    assert leads.look() == ["main 2"]
    assert leads.bound() == [("a", "lead-1")]


def test_webhook_that_comes_after_its_lead_was_erased_starts_nothing(leads):
    leads.lists["a"] = [lead(1)]
    assert leads.look() == ["main 1"]
    finish(leads)
    erase(leads)
    assert "Visitor 1" not in texts(leads.connection)
    leads.arrive(1)
    leads.pass_time(minutes=3)
    assert leads.fall_back() == []
    assert leads.bound() == [("a", "lead-1")]


def test_webhook_that_waits_for_its_lead_starts_nothing_once_it_is_erased(leads):
    leads.arrive(1)
    assert erase(leads).open.waiting
    leads.pass_time(minutes=3)
    assert leads.fall_back() == []
    leads.lists["a"] = [lead(1)]
    assert leads.look() == []


def test_entry_that_no_webhook_can_mean_any_more_keeps_nothing(leads):
    leads.lists["a"] = [lead(1)]
    leads.look()
    finish(leads)
    leads.pass_time(days=8)
    erase(leads)
    [row] = leads.connection.execute("SELECT facts FROM observed").fetchall()
    assert row["facts"] is None


def test_run_that_goes_on_keeps_all(leads):
    leads.lists["a"] = [lead(1)]
    leads.look()
    before = texts(leads.connection)
    assert [*erase(leads).open.runs.values()] == ["queued"]
    assert texts(leads.connection) == before


def test_who_decided_about_the_run_of_another_person_is_nobody_then(bench):
    flow = bench.flow(SAY)
    run, _ = bench.run(flow, name="2@example.com")
    by = (run.id, json.dumps("1@example.com"))
    bench.change("INSERT INTO answers VALUES (?, 'say', 1, ?, '2026-03-25T00:00:00Z', '{}')", by)

    async def work() -> erasing.Found:
        async with bench.working(flow) as (store, _, _):
            return await store.write(erasing.erase, ADDRESS, "salt", bench.now, end_waits=False)

    assert asyncio.run(work()).counts == {"deciders": 1}
    assert "somebody whose data was erased" in bench.look(texts)
    assert "2@example.com" in bench.look(texts)


def test_sealed_facts_match_who_brings_the_same_and_tell_nothing():
    facts = {"at": "2026-03-25T10:00:00+00:00", "email": "1@example.com", "phone": "20260325", "name": "", "n": 7}
    sealed = seal(facts, "salt")
    assert (sealed["at"], sealed["name"], sealed["n"]) == (facts["at"], "", 7)
    assert not {"1@example.com", "20260325"} & {*sealed.values()}
    assert unseal(sealed, facts) == facts
    assert unseal(sealed, {**facts, "email": "2@example.com"})["email"] == sealed["email"]
    assert seal(sealed, "other") == sealed


def finish(leads: Leads) -> None:
    at = (leads.now + timedelta(seconds=1)).isoformat()
    with transaction(leads.connection):
        leads.connection.execute("UPDATE runs SET status = 'succeeded', finished_at = ?", (at,))
