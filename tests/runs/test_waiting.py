"""Steps that wait for a time, for an event, for a person: what holds no task, and survives the end of the process."""

import asyncio
import json
from datetime import timedelta

import pytest
from runs.driving import CountedStore, at_work, queue, until, until_status

from connector.adapter import Delivery
from connector.declare import Event
from connector.runs.decisions import answers, approvals
from connector.runs.decisions.answers import Answer
from connector.runs.intake import Intake
from connector.runs.pausing import NEVER
from connector.runs.worker import Worker

WAIT = """
- {id: before, uses: test.say, with: {text: before}}
- {id: pause, wait: 10m}
- {id: after, uses: test.say, with: {text: after}}
"""
REPLY = """
- {id: before, uses: test.say, with: {text: before}}
- {id: reply, wait_for: {uses: test.ping, match: event.name == trigger.name, timeout: 1h}}
- id: after
  uses: test.say
  with: {text: "${{ steps.reply?.name ?? 'nobody' }} at ${{ steps.reply?.at ?? 'no time' }}"}
"""
ASK = """
- id: ask
  approve:
    title: Greet ${{ trigger.name ?? 'x' }}?
    form:
      tone: {type: "'formal' | 'casual'", default: casual}
      note: {type: str}
    notify:
      - {id: tell, uses: test.say, with: {text: "${{ approve.title }}"}}
    timeout: 1h
- id: after
  if: steps.ask.approved
  uses: test.say
  with: {text: "${{ steps.ask.tone }}: ${{ steps.ask.note ?? '-' }}"}
"""


def event(bench, /, **payload) -> Delivery:
    """One that a poll has found: its text is all that there is of it."""
    bench.received += 1
    told = Event("ping", f"told-{bench.received}", None, {"at": bench.now.isoformat(), **payload}, "poll")
    return Delivery("test", "default", told, json.dumps(told.payload), bench.now)


def said(bench) -> list[str]:
    return [text for _, text, _ in bench.calls]


def test_wait_ends_at_its_time_and_in_the_next_process_too(bench):
    flow = bench.flow(WAIT)

    async def begin() -> str:
        async with bench.working(flow) as (store, intake, worker):
            run_id = await queue(bench, intake)
            async with at_work(worker):
                run = await until_status(store, run_id, "waiting")
            assert run.wake_at == bench.now + timedelta(minutes=10)
            return run_id

    async def go_on(run_id: str) -> None:
        async with bench.working(flow) as (store, _, worker), at_work(worker):
            await until_status(store, run_id, "succeeded")

    run_id = asyncio.run(begin())
    assert said(bench) == ["before"]
    bench.now += timedelta(minutes=10)
    asyncio.run(go_on(run_id))
    assert said(bench) == ["before", "after"]


def test_wait_until_a_time_that_is_over_does_not_wait(bench):
    flow = bench.flow("- {id: pause, wait: {until: trigger.at}}\n- {id: after, uses: test.say, with: {text: after}}")
    run, steps = bench.run(flow, at="2026-03-25T10:00:00Z")
    assert run.status == "succeeded"
    assert steps["pause"].status == "succeeded"
    assert bench.now == run.created_at


def test_wait_until_a_time_ends_then(bench):
    flow = bench.flow("- {id: pause, wait: {until: \"add_duration(trigger.at, '30m')\"}}")
    run, steps = bench.run(flow)
    assert steps["pause"].finished_at == run.created_at + timedelta(minutes=30)


def wait_for(bench, *deliveries, name="Ann", flow_text=REPLY):
    """What the run says after these events, of which each comes a minute after the one before."""
    flow = bench.flow(flow_text)

    async def work():
        async with bench.working(flow) as (store, intake, worker):
            stored = await intake.accept(bench.delivery(name=name))
            run_id = stored.starts[0].run_id
            listening = Intake(intake.adapter, store, [], worker.wake)
            async with at_work(worker):
                await until_status(store, run_id, "waiting")
                for payload in deliveries:
                    bench.now += timedelta(minutes=1)
                    await listening.accept(event(bench, **payload))
                    worker.wake()
                    await asyncio.sleep(0.05)
                bench.now += timedelta(hours=1) if not deliveries else timedelta()
                worker.wake()
                run = await until_status(store, run_id, "succeeded")
            return run, store.read(lambda journal: journal.steps(run_id))

    return asyncio.run(work())


def test_event_that_matches_ends_the_wait_and_is_its_output(bench):
    _, steps = wait_for(bench, {"name": "Bob"}, {"name": "Ann"})
    assert steps["reply"].output["at"] == "2026-03-25T10:32:00Z"
    assert said(bench) == ["before", "Ann at 2026-03-25T10:32:00Z"]


def test_wait_for_an_event_ends_with_null_when_its_time_is_over(bench):
    _, steps = wait_for(bench)
    assert (steps["reply"].status, steps["reply"].output) == ("succeeded", None)
    assert steps["reply"].reason == "no such event came in time"
    assert said(bench) == ["before", "nobody at no time"]


def test_event_that_cannot_be_compared_is_passed_over(bench):
    text = REPLY.replace("event.name == trigger.name", "event.anything.x > 5 && event.name == trigger.name")
    wait_for(bench, {"name": "Ann", "anything": {"x": "much"}}, {"name": "Ann", "anything": {"x": 7}}, flow_text=text)
    assert said(bench)[1] == "Ann at 2026-03-25T10:32:00Z"


def test_event_that_came_before_the_step_counts_from_the_start_of_the_run_on(bench):
    """It comes while the step before is at work, and one that came before the run is none."""
    flow = bench.flow(REPLY)

    async def work():
        async with bench.working(flow) as (store, intake, worker):
            listening = Intake(intake.adapter, store, [], worker.wake)
            await listening.accept(event(bench, name="Ann"))
            bench.now += timedelta(minutes=1)

            async def meanwhile() -> None:
                bench.now += timedelta(minutes=1)
                await listening.accept(event(bench, name="Ann"))

            bench.answers["say"] = [meanwhile]
            stored = await intake.accept(bench.delivery(name="Ann"))
            async with at_work(worker):
                await until_status(store, stored.starts[0].run_id, "succeeded")

    asyncio.run(work())
    assert said(bench) == ["before", "Ann at 2026-03-25T10:32:00Z"]


def statuses(store, run_ids):
    return sorted(store.read(lambda journal: [journal.run(run_id).status for run_id in run_ids]))


def test_event_serves_one_step_of_one_run(bench):
    flow = bench.flow(REPLY)

    async def work():
        async with bench.working(flow) as (store, intake, worker):
            listening = Intake(intake.adapter, store, [], worker.wake)
            runs = []
            for _ in range(3):
                runs.append((await intake.accept(event(bench, name="Ann"))).starts[0].run_id)
                bench.now += timedelta(seconds=1)
            async with at_work(worker):
                for run_id in runs:
                    await until_status(store, run_id, "waiting")
                await listening.accept(event(bench, name="Ann"))
                worker.wake()
                await until(lambda: statuses(store, runs) == ["succeeded", "waiting", "waiting"])
                bench.now += timedelta(hours=1)
                worker.wake()
                for run_id in runs:
                    await until_status(store, run_id, "succeeded")

    asyncio.run(work())
    assert sorted(said(bench)[3:]) == ["Ann at 2026-03-25T10:30:03Z", "nobody at no time", "nobody at no time"]


def answer(bench, *, given=None, approved=True, hours=0, text=ASK):
    """The run after the answer, or after so many hours without one."""
    flow = bench.flow(text)

    async def work():
        async with bench.working(flow) as (store, intake, worker):
            stored = await intake.accept(bench.delivery(name="Ann"))
            run_id = stored.starts[0].run_id
            async with at_work(worker):
                await until_status(store, run_id, "waiting")
                if given is not None:
                    now = bench.now + timedelta(minutes=5)
                    bench.now = now
                    first, second = Answer(approved, "Cal", now, given), Answer(not approved, "Dan", now, {})
                    assert await store.write(answers.give, run_id, "ask", first) == first
                    assert await store.write(answers.give, run_id, "ask", second) == first
                bench.now += timedelta(hours=hours)
                worker.wake()
                run = await until_status(store, run_id, "succeeded", "failed")
            return run, store.read(lambda journal: journal.steps(run_id))

    return asyncio.run(work())


def test_first_answer_ends_an_approval_and_is_its_output(bench):
    _, steps = answer(bench, given={"note": "be kind"})
    assert steps["ask"].output == {
        "approved": True, "by": "Cal", "at": "2026-03-25T10:35:00Z", "tone": "casual", "note": "be kind",
    }  # fmt: skip
    assert said(bench) == ["Greet Ann?", "casual: be kind"]


def test_rejected_approval_is_an_output_like_another(bench):
    _, steps = answer(bench, given={"tone": "formal", "note": "no"}, approved=False)
    assert steps["ask"].output["approved"] is False
    assert (steps["after"].status, said(bench)) == ("skipped", ["Greet Ann?"])


@pytest.mark.parametrize(
    ("on_timeout", "status", "words"),
    [
        ("reject", "succeeded", ["Greet Ann?"]),
        ("approve", "succeeded", ["Greet Ann?", "casual: -"]),
        ("fail", "failed", ["Greet Ann?"]),
    ],
)
def test_approval_without_an_answer_ends_as_the_flow_says(bench, on_timeout, status, words):
    run, _ = answer(bench, hours=1, text=ASK.replace("timeout: 1h", f"timeout: 1h\n    on_timeout: {on_timeout}"))
    assert (run.status, said(bench)) == (status, words)


def test_person_is_asked_once_also_when_the_process_ends_meanwhile(bench):
    flow = bench.flow(ASK)

    async def work(run_id: str | None) -> str:
        async with bench.working(flow) as (store, intake, worker):
            run_id = run_id or await queue(bench, intake)
            async with at_work(worker):
                await until_status(store, run_id, "waiting")
                bench.now += timedelta(minutes=1)
                worker.wake()
                await asyncio.sleep(0.05)
            return run_id

    run_id = asyncio.run(work(None))
    asyncio.run(work(run_id))
    assert said(bench) == ["Greet x?"]


def test_approval_whose_request_fails_fails(bench):
    bench.answers["say"] = [ValueError("a fault of the plugin")]
    run, steps = bench.run(bench.flow(ASK))
    assert (run.status, steps["ask"].status) == ("held", "held")


def test_answer_after_the_time_to_give_it_is_refused(bench):
    """Also where nobody has looked at the run since."""
    flow = bench.flow(ASK)

    async def work():
        async with bench.working(flow) as (store, intake, worker):
            run_id = await queue(bench, intake)
            async with at_work(worker):
                await until_status(store, run_id, "waiting")
            asked = store.query(approvals.find, bench.adapter().catalogue, run_id, None)
            bench.now += timedelta(hours=1)
            with pytest.raises(approvals.NotAskedError, match=r"the time to answer ask of run_\w+ is over"):
                await store.write(approvals.answer, asked, Answer(True, "Cal", bench.now, {"note": "late"}))
            async with at_work(worker_of(bench, store)):
                await until_status(store, run_id, "succeeded")
            with pytest.raises(approvals.NotAskedError, match="is over"):
                await store.write(approvals.answer, asked, Answer(True, "Cal", bench.now, {"note": "late"}))

    asyncio.run(work())


def test_events_that_do_not_match_are_looked_past_in_one_write(bench):
    flow = bench.flow(REPLY)

    async def work():
        async with bench.working(flow) as (store, intake, worker):
            listening = Intake(intake.adapter, store, [], worker.wake)
            run_id = (await intake.accept(bench.delivery(name="Ann"))).starts[0].run_id
            async with at_work(worker):
                await until_status(store, run_id, "waiting")
            for _ in range(20):
                await listening.accept(event(bench, name="Bob"))
            counting = CountedStore(bench.database)
            async with at_work(worker_of(bench, counting)):
                await until_status(counting, run_id, "waiting")
            counting.close()
            return counting.counted.writes

    assert asyncio.run(work()) < 12


def test_wait_beyond_the_calendar_ends_with_it(bench):
    flow = bench.flow("- {id: pause, wait: 36500d}\n- {id: again, wait: 36500d}")
    bench.now = NEVER - timedelta(days=1)
    run, _ = bench.run(flow)
    assert run.status == "succeeded"


def worker_of(bench, store) -> Worker:
    return Worker(bench.adapter(), store, bench.clock)


@pytest.mark.parametrize(
    ("not_after", "rest", "worked"),
    [
        pytest.param(", not_after: \"add_duration(trigger.at, '15m')\"", "", 0.0, id="it is too late for it"),
        pytest.param("", "timeout: 5s\non_error:\n- {id: pause, wait: 1h}", 6.0, id="its run has worked for too long"),
    ],
)
def test_event_for_a_step_that_waits_no_more_wakes_nothing(bench, not_after, rest, worked):
    reply = f"- {{id: reply, wait_for: {{uses: test.ping, match: event.name == 'Ann', timeout: 1d}}{not_after}}}"
    flow = bench.flow(reply if rest else f"{reply}\n- {{id: pause, wait: 1h}}", rest)

    async def work() -> None:
        async with bench.working(flow) as (store, intake, worker):
            listening = Intake(intake.adapter, store, [], worker.wake)
            run_id = await queue(bench, intake)
            async with at_work(worker):
                await until_status(store, run_id, "waiting")
            bench.now += timedelta(minutes=20)
            bench.change("UPDATE runs SET worked = ? WHERE id = ?", (worked, run_id))
            async with at_work(worker_of(bench, store)):
                await listening.accept(event(bench, name="Bob"))
                await until(lambda: "pause" in store.read(lambda journal: journal.steps(run_id)))
                await listening.accept(event(bench, name="Bob"))
                run = await until_status(store, run_id, "waiting")
            assert run.wake_at == bench.now + timedelta(hours=1)

    asyncio.run(work())


def test_run_that_is_offered_a_damaged_event_is_held(bench):
    async def work() -> None:
        async with bench.working(bench.flow(REPLY)) as (store, intake, worker):
            listening = Intake(intake.adapter, store, [], worker.wake)
            run_id = (await intake.accept(bench.delivery(name="Ann"))).starts[0].run_id
            async with at_work(worker):
                await until_status(store, run_id, "waiting")
            stored = await listening.accept(event(bench, name="Ann"))
            bench.change("UPDATE events SET received_at = 'x' WHERE id = ?", (stored.event_id,))
            async with at_work(worker_of(bench, store)):
                run = await until_status(store, run_id, "held")
            assert run.error
            assert (run.error.kind, stored.event_id in run.error.message) == ("damaged", True)

    asyncio.run(work())
