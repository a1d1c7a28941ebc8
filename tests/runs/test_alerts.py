"""Who is told that a run failed or is held."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from loopback import Reply, Request, serving

from connector.errors import RejectedError
from connector.flows.check import check
from connector.flows.flow import Flow
from connector.runs import records
from connector.runs.alerts import Alerts
from connector.runs.decisions import retries
from connector.runs.decisions.interventions import Person
from connector.runs.decisions.retries import Retry

TELL = """
    flow: tell
    inputs: {text: {type: str}, status: {type: str}, page: {type: "str | null"}, more: {type: int, default: 3}}
    steps:
      - {id: told, uses: test.say, with: {text: "${{ inputs.text }} ${{ inputs.status }} ${{ inputs.more }}"}}
"""
SAY = "- {id: greet, uses: test.say}"
REFUSED = RejectedError("closed", processed="no")


def failing(bench, rest: str = "on_failure: tell") -> Flow:
    return bench.flow(SAY, rest, beside=[TELL])


def told(bench, flows: Sequence[Flow], then: Callable[..., object] | None = None, **default: str) -> list[records.Run]:
    """The runs, by their flows, once `flows[0]` has run and was looked at; `then` is done, and it is looked again."""

    async def work() -> list[records.Run]:
        async with bench.working(*flows) as (store, intake, worker):
            alerts = Alerts(
                intake.adapter,
                store,
                lambda: flows,
                worker.wake,
                bench.clock,
                public_url="https://x.example",
                **default,
            )
            run_id = (await intake.accept(bench.delivery())).starts[0].run_id
            await bench.finish(store, worker, run_id)
            for step in (None, then):
                if step is not None:
                    await step(store, worker, run_id)
                await alerts.look()
                for run in store.read(lambda journal: journal.runs(10)):
                    if run.status == "queued":
                        await bench.finish(store, worker, run.id)
            return sorted(store.read(lambda journal: journal.runs(10)), key=lambda run: run.flow)

    return asyncio.run(work())


def test_flow_is_told_once_with_what_it_takes(bench):
    bench.answers["say"] = [REFUSED]
    runs = told(bench, [failing(bench)])
    assert [(run.flow, run.status) for run in runs] == [("example", "failed"), ("tell", "succeeded")]
    text = f"example failed at greet: closed (https://x.example/runs/{runs[0].id}) failed 3"
    assert [call[1] for call in bench.calls] == ["", text]


def test_run_that_goes_on_and_fails_again_is_told_of_again(bench):
    bench.answers["say"] = [REFUSED, "", REFUSED]
    flow = failing(bench)

    async def retry(store, worker, run_id):
        person = Person("ann", bench.now, None)
        await store.write(retries.retry, run_id, Retry(flow, person), bench.adapter().catalogue, lambda _: True)
        await bench.finish(store, worker, run_id)

    assert [run.flow for run in told(bench, [flow], retry)] == ["example", "tell", "tell"]


@pytest.mark.parametrize("own", ["", "on_failure: tell"])
def test_default_is_told_unless_the_flow_names_another(bench, own):
    bench.answers["say"] = [REFUSED]
    flow = failing(bench, own)
    other = flow.calls.get("tell") or failing(bench).calls["tell"]
    assert [run.flow for run in told(bench, [flow, other], default="nobody" if own else "tell")] == ["example", "tell"]


def test_default_is_not_told_that_telling_failed(bench):
    bench.answers["say"] = [REFUSED, REFUSED]
    other = failing(bench).calls["tell"]
    runs = told(bench, [failing(bench, ""), other], default="tell")
    assert [(run.flow, run.status) for run in runs] == [("example", "failed"), ("tell", "failed")]


def test_nobody_is_told_of_what_succeeded_or_was_told_of_by_nobody(bench):
    assert [run.flow for run in told(bench, [failing(bench)])] == ["example"]
    bench.answers["say"] = [REFUSED]
    assert "tell" not in [run.flow for run in told(bench, [failing(bench, "")])]
    assert bench.look(
        lambda opened: opened.execute("SELECT told_at FROM runs WHERE status = 'failed'").fetchone()["told_at"]
    )


def test_url_is_sent_the_same_until_it_answers(bench):
    answers = [Reply(status=500), Reply(status=204)]

    def answer(_request: Request) -> Reply:
        return answers.pop(0)

    async def wait(*_about: object) -> None:
        bench.now = bench.now.replace(minute=bench.now.minute + 1)

    bench.answers["say"] = [REFUSED]
    with serving(answer) as served:
        runs = told(bench, [failing(bench, f"on_failure: {served.url}/hook/secret?a=b")], wait)
        first, second = served.requests
    assert (first.target, first.json["status"], first.json["step"]) == ("/hook/secret?a=b", "failed", "greet")
    assert (second.json, second.headers["idempotency-key"]) == (first.json, first.headers["idempotency-key"])
    assert [run.flow for run in runs] == ["example"]


def test_url_that_nobody_answers_is_named_without_what_may_be_secret(bench):
    async def fail() -> str | None:
        async with bench.working(flow) as (store, intake, worker):
            alerts = Alerts(intake.adapter, store, lambda: [flow], worker.wake, bench.clock)
            run_id = (await intake.accept(bench.delivery())).starts[0].run_id
            await bench.finish(store, worker, run_id)
            await alerts.look()
            return alerts.failing

    bench.answers["say"] = [REFUSED]
    flow = failing(bench, "on_failure: http://127.0.0.1:9/hook/secret")
    reason = asyncio.run(fail())
    assert reason is not None
    assert reason.startswith("cannot reach 127.0.0.1:9: connection refused")
    assert "secret" not in reason


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        ("UPDATE runs SET trigger = '[]' WHERE flow = 'example'", 1),
        ("UPDATE revisions SET calls = 'x' WHERE flow = 'example'", 2),
    ],
)
def test_what_is_damaged_keeps_nobody_from_being_told_of_the_next(bench, damage, expected):
    flow, after = failing(bench), bench.flow(SAY, "on_failure: tell", name="later", beside=[TELL])

    async def work() -> list[str]:
        async with bench.working(flow, after) as (store, intake, worker):
            alerts = Alerts(intake.adapter, store, lambda: [flow, after], worker.wake, bench.clock)
            for start in (await intake.accept(bench.delivery())).starts:
                await bench.finish(store, worker, start.run_id)
            bench.change(damage)
            await alerts.look()
            return bench.look(
                lambda opened: [row["flow"] for row in opened.execute("SELECT flow FROM runs").fetchall()]
            )

    bench.answers["say"] = [REFUSED, REFUSED]
    assert asyncio.run(work()).count("tell") == expected


@pytest.mark.parametrize("changed", ["inputs: {number: {type: int}}", "trigger: {uses: test.ping}"])
def test_default_that_was_changed_to_what_cannot_be_told_is_not_started(bench, changed):
    bench.answers["say"] = [REFUSED]
    flow = failing(bench, "")
    checked = check(f"flow: tell\n{changed}\nsteps: [{SAY[2:]}]", "tell.yaml", bench.adapter().catalogue)

    async def work() -> int:
        async with bench.working(flow) as (store, intake, worker):
            flows = [flow, checked.flow]
            alerts = Alerts(intake.adapter, store, lambda: flows, worker.wake, bench.clock, default="tell")
            await bench.finish(store, worker, (await intake.accept(bench.delivery())).starts[0].run_id)
            await alerts.look()
            return len(store.read(lambda journal: journal.runs(10)))

    assert asyncio.run(work()) == 1


def test_url_that_nobody_answers_is_tried_once_in_a_look(bench):
    async def fail(url: str) -> None:
        flow = failing(bench, f"on_failure: {url}")
        async with bench.working(flow) as (store, intake, worker):
            alerts = Alerts(intake.adapter, store, lambda: [flow], worker.wake, bench.clock)
            for _ in range(3):
                run_id = (await intake.accept(bench.delivery())).starts[0].run_id
                await bench.finish(store, worker, run_id)
            await alerts.look()
            assert len(served.requests) == 1
            bench.now = bench.now.replace(minute=bench.now.minute + 1)
            for is_failing in (True, False):
                assert (alerts.failing is not None) == is_failing
                await alerts.look()

    bench.answers["say"] = [REFUSED, REFUSED, REFUSED]
    answers = [Reply(status=500)]
    with serving(lambda _request: answers.pop() if answers else Reply(status=200)) as served:
        asyncio.run(fail(served.url))
        assert len(served.requests) == 4


def test_run_that_fails_again_while_a_url_is_told_is_told_of_again(bench):
    async def fail() -> None:
        flow = failing(bench, f"on_failure: {served.url}")
        async with bench.working(flow) as (store, intake, worker):
            alerts = Alerts(intake.adapter, store, lambda: [flow], worker.wake, bench.clock)
            run_id = (await intake.accept(bench.delivery())).starts[0].run_id
            await bench.finish(store, worker, run_id)
            await alerts.look()
            await alerts.look()

    def answer(_request: Request) -> Reply:
        if len(served.requests) == 1:  # as if a person had retried it meanwhile, and it had failed
            bench.change("UPDATE runs SET epoch = epoch + 2")
        return Reply()

    bench.answers["say"] = [REFUSED]
    with serving(answer) as served:
        asyncio.run(fail())
        first, second = served.requests
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]


def test_url_that_answers_for_a_day_with_an_error_is_given_up(bench):
    async def look_over_days() -> list[int]:
        async with bench.working(flow) as (store, intake, worker):
            alerts = Alerts(intake.adapter, store, lambda: [flow], worker.wake, bench.clock)
            run_id = (await intake.accept(bench.delivery())).starts[0].run_id
            await bench.finish(store, worker, run_id)
            bench.now += timedelta(days=3)  # it was held for long: the day begins with the first attempt
            counts = []
            for hours in (0, 23, 2, 1):
                bench.now += timedelta(hours=hours)
                await alerts.look()
                counts.append(len(served.requests))
            return counts

    bench.answers["say"] = [REFUSED]
    with serving(lambda _request: Reply(status=500)) as served:
        flow = failing(bench, f"on_failure: {served.url}/hook")
        assert asyncio.run(look_over_days()) == [1, 2, 3, 3]
